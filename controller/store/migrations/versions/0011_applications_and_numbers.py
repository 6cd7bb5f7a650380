"""applications' consent to quality inspection; which apps may show a number

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("app", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("quality_inspection", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    with op.batch_alter_table("number", schema=None) as batch_op:
        batch_op.add_column(sa.Column("app_keys", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("number", schema=None) as batch_op:
        batch_op.drop_column("app_keys")
    with op.batch_alter_table("app", schema=None) as batch_op:
        batch_op.drop_column("quality_inspection")
