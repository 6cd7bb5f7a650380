"""limits

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")
_OF_LIVE_CALLS = {
    "ix_call_live_account": "account_id",
    "ix_call_live_shown": "display_number",
    "ix_call_live_shown_second": "second_display_number",
}


def upgrade() -> None:
    op.add_column("account", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("account", sa.Column("max_calls", sa.Integer(), nullable=True))
    op.add_column("account", sa.Column("calls_per_second", sa.Integer(), nullable=True))
    op.add_column("account", sa.Column("rules", sa.JSON(), nullable=True))
    op.add_column("app", sa.Column("calls_per_second", sa.Integer(), nullable=True))
    op.add_column("app", sa.Column("ip_whitelist", sa.JSON(), nullable=True))
    op.add_column("number", sa.Column("max_calls", sa.Integer(), nullable=True))
    op.add_column("call", sa.Column("second_display_number", sa.String(), nullable=True))
    op.add_column("call", sa.Column("addressee", sa.String(), nullable=True))
    call = sa.table(
        "call", *map(sa.column, ("service", "callee", "addressee", "second_display_number", "plan"))
    )
    op.execute(call.update().where(call.c.service != "callback").values(addressee=call.c.callee))
    plan = sa.type_coerce(call.c.plan, sa.JSON)
    of_plan = {
        "addressee": plan["callee"].as_string(),
        "second_display_number": plan["display_number"].as_string(),
    }
    op.execute(call.update().where(call.c.service == "callback").values(of_plan))
    op.drop_index("ix_call_accepted_at", table_name="call")
    op.create_index("ix_call_accepted", "call", ["accepted_at", "account_id", "app_key"])
    op.create_index("ix_call_addressee", "call", ["addressee", "accepted_at"])
    for name, column in _OF_LIVE_CALLS.items():
        op.create_index(name, "call", [column], sqlite_where=_LIVE, postgresql_where=_LIVE)


def downgrade() -> None:
    for name in (*_OF_LIVE_CALLS, "ix_call_addressee", "ix_call_accepted"):
        op.drop_index(name, table_name="call")
    op.create_index("ix_call_accepted_at", "call", ["accepted_at"])
    for table, columns in (
        ("call", ("addressee", "second_display_number")),
        ("number", ("max_calls",)),
        ("app", ("ip_whitelist", "calls_per_second")),
        ("account", ("rules", "calls_per_second", "max_calls", "active")),
    ):
        for column in columns:
            op.drop_column(table, column)
