"""second factor, and when sessions began and were used

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("platform_user", sa.Column("second_factor", sa.String(), nullable=True))
    op.add_column(
        "platform_user", sa.Column("second_factor_since", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "platform_user", sa.Column("second_factor_step", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("login_session", sa.Column("began_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("login_session", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table, columns in (
        ("login_session", ("used_at", "began_at")),
        ("platform_user", ("second_factor_step", "second_factor_since", "second_factor")),
    ):
        for column in columns:
            op.drop_column(table, column)
