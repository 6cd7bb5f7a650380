"""access tokens

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("access_digest", sa.String(length=64), nullable=False),
        sa.Column("refresh_digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["app_key"], ["app.key"]),
        sa.PrimaryKeyConstraint("app_key"),
        sa.UniqueConstraint("access_digest"),
    )
    op.add_column("app", sa.Column("login_user", sa.String(), nullable=True))
    op.add_column("app", sa.Column("login_password", sa.String(), nullable=True))


def downgrade() -> None:
    for column in ("login_password", "login_user"):
        op.drop_column("app", column)
    op.drop_table("access_token")
