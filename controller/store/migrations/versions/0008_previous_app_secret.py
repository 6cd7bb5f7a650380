"""previous app secret

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app", sa.Column("previous_secret", sa.String(), nullable=True))
    op.add_column("app", sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for column in ("previous_secret_until", "previous_secret"):
        op.drop_column("app", column)
