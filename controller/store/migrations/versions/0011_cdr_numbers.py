"""CDRs are numbered in the order in which calls were ended, and what they cost outlives them

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_CDR = "app_key, ended_at, record, call_id"
_PUSH = "call_id, app_key, url, ended_at, attempts, due_at, message_id, delivered_at, filed_at"
_RATED = (
    "call_id, settlement_id, account_id, app_key, service, ended_at, day, legs, seconds, minutes, "
    "minute_price, amount"
)


def upgrade() -> None:
    _rebuild(
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("call_id", sa.String(), sa.ForeignKey("call.id"), nullable=False, unique=True),
        numbered=True,
    )


def downgrade() -> None:
    """What calls cost that were purged goes: below, a rated call refers to its CDR."""
    _rebuild(sa.Column("call_id", sa.String(), sa.ForeignKey("call.id"), primary_key=True), numbered=False)


def _rebuild(*keys: sa.Column[Any], numbered: bool) -> None:
    """A table gets another primary key by being copied, and what refers to it must be out of the way."""
    for table, columns in (("cdr_push", _PUSH), ("rated_call", _RATED), ("cdr", _CDR)):
        op.execute(f"CREATE TEMPORARY TABLE {table}_kept AS SELECT {columns} FROM {table}")  # noqa: S608
        op.drop_table(table)
    op.create_table(
        "cdr",
        *keys,
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sqlite_autoincrement=numbered,
    )
    op.create_index("ix_cdr_app_key", "cdr", ["app_key"])
    op.create_index("ix_cdr_ended_at", "cdr", ["ended_at"])
    op.create_table(
        "cdr_push",
        sa.Column("call_id", sa.String(), sa.ForeignKey("cdr.call_id"), primary_key=True),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_cdr_push_due_at", "cdr_push", ["due_at"])
    rated = () if numbered else (sa.ForeignKey("cdr.call_id"),)
    op.create_table(
        "rated_call",
        sa.Column("call_id", sa.String(), *rated, primary_key=True),
        sa.Column("settlement_id", sa.Integer(), sa.ForeignKey("settlement.id"), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("legs", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("minute_price", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_rated_call_account", "rated_call", ["account_id", "ended_at", "call_id"])
    op.create_index("ix_rated_call_day", "rated_call", ["account_id", "day"])
    op.create_index("ix_rated_call_settlement", "rated_call", ["settlement_id", "account_id"])
    everything = "true"
    of_kept_calls = everything if numbered else "call_id IN (SELECT call_id FROM cdr)"
    for table, columns, which, order in (
        ("cdr", _CDR, everything, "ended_at, call_id"),
        ("cdr_push", _PUSH, everything, "call_id"),
        ("rated_call", _RATED, of_kept_calls, "call_id"),
    ):
        op.execute(
            f"INSERT INTO {table} ({columns}) "  # noqa: S608
            f"SELECT {columns} FROM {table}_kept WHERE {which} ORDER BY {order}"
        )
        op.drop_table(f"{table}_kept")
    _refuse_changes()


def _refuse_changes() -> None:
    """What was posted stays as it is."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER rated_call_never_changed BEFORE UPDATE OR DELETE ON rated_call "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER rated_call_no_{change.lower()} BEFORE {change} ON rated_call "
            "BEGIN SELECT RAISE(ABORT, 'rated_call is never changed'); END"
        )
