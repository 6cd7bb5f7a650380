"""reviews

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("webhook_url", sa.String(), nullable=True),
        sa.Column("webhook_secret", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_account_id"), ["account_id"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_due_at"), ["due_at"], unique=False)

    op.create_table(
        "review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_account_id"), ["account_id"], unique=False)
        batch_op.create_index("ix_review_state", ["state", "id"], unique=False)

    op.add_column("soundfile", sa.Column("state", sa.String(), nullable=False, server_default="draft"))
    op.add_column("soundfile", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("soundfile", sa.Column("source", sa.String(), nullable=False, server_default=""))
    op.add_column("soundfile", sa.Column("usable_digest", sa.String(), nullable=True))
    op.add_column("soundfile", sa.Column("usable_ms", sa.Integer(), nullable=True))
    op.add_column("soundfile", sa.Column("trouble", sa.String(), nullable=True))
    op.execute(
        "UPDATE soundfile SET state = 'approved', usable_digest = digest, usable_ms = duration_ms "
        "WHERE approved"
    )
    op.add_column("template", sa.Column("state", sa.String(), nullable=False, server_default="draft"))
    op.add_column("template", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("template", sa.Column("usable_text", sa.String(), nullable=True))
    op.execute("UPDATE template SET state = 'approved', usable_text = text WHERE approved")
    for table in ("soundfile", "template"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("approved")


def downgrade() -> None:
    for table, gone in (
        ("template", ("reason", "state", "usable_text")),
        ("soundfile", ("trouble", "usable_ms", "usable_digest", "source", "reason", "state")),
    ):
        op.add_column(table, sa.Column("approved", sa.Boolean(), nullable=False, server_default=sa.false()))
        rows = sa.table(table, sa.column("approved"), sa.column("state"))
        op.execute(rows.update().where(rows.c.state == "approved").values(approved=sa.true()))
        for column in gone:
            op.drop_column(table, column)

    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.drop_index("ix_review_state")
        batch_op.drop_index(batch_op.f("ix_review_account_id"))

    op.drop_table("review")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_due_at"))
        batch_op.drop_index(batch_op.f("ix_notice_contact_id"))
        batch_op.drop_index(batch_op.f("ix_notice_account_id"))

    op.drop_table("notice")
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_account_id"))

    op.drop_table("contact")
