"""applications' consent to quality inspection; which apps may show a number

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "app", sa.Column("quality_inspection", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("number", sa.Column("app_keys", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("number", "app_keys")
    op.drop_column("app", "quality_inspection")
