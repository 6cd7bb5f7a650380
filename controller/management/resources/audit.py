"""The audit trail: who did what, when and from where."""

from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from controller.management.context import Context
from controller.management.models import AccountQuery, Moment, Page, View, When
from controller.management.operations import Operations
from controller.management.roles import Role, Scope
from controller.store import audit
from controller.store.management_tables import AuditEntry

operations = Operations("audit")


class AuditView(View):
    """An entry of the audit trail."""

    sequence: int
    """1, 2, 3 ..."""
    at: Moment
    """When."""
    actor: str | None
    """The user; null: nobody who is known."""
    login: str
    """The user's login at the time; of a refused login, whose it was tried with."""
    address: str
    """Where the request came from."""
    request_id: str
    """As the answer had it in X-Request-Id."""
    action: str
    """The operation."""
    kind: str
    """Of the thing that it was done to."""
    target: str
    """The thing."""
    account_id: str | None
    """Whose it is; null: the operator's."""
    outcome: str
    """done or refused."""
    before: dict[str, Any] | None
    """The thing before; secrets are masked."""
    after: dict[str, Any] | None
    """The thing after; secrets are masked."""
    previous: str
    """Hash of the entry before."""
    hash: str
    """SHA-256 over `previous` and this entry."""


class AuditQuery(AccountQuery):
    """Which entries."""

    actor: str | None = Field(None, max_length=64)
    """Of this user."""
    action: str | None = Field(None, max_length=64)
    """Of this operation."""
    kind: str | None = Field(None, max_length=64)
    """About things of this kind."""
    target: str | None = Field(None, max_length=128)
    """About this thing."""
    since: When | None = None
    """From then on."""
    until: When | None = None
    """Before then."""


class ChainView(View):
    """What checking the audit trail found."""

    entries: int
    """Entries that were checked."""
    last_hash: str
    """Of the last good entry; keep it elsewhere to notice a cut end."""
    intact: bool
    """Whether nothing was changed, moved or removed."""
    fault: str | None
    """Where it is not."""


def _view(row: AuditEntry) -> AuditView:
    return AuditView(**row.model_dump())


@operations.get("/audit", needs=Role.OPERATOR)
async def list_audit(ctx: Context, query: AuditQuery) -> Page[AuditView]:
    """List what was done, newest first."""
    statement = select(AuditEntry)
    for name in ("actor", "action", "kind", "target"):
        value = getattr(query, name)
        if value is not None:
            statement = statement.where(col(getattr(AuditEntry, name)) == value)
    if query.since is not None:
        statement = statement.where(col(AuditEntry.at) >= query.since)
    if query.until is not None:
        statement = statement.where(col(AuditEntry.at) < query.until)
    key, account = col(AuditEntry.sequence), col(AuditEntry.account_id)
    return await ctx.page(statement, [key], query, _view, account=account, descending=True)


@operations.get("/audit/verification", needs=Role.OPERATOR, scope=Scope.OPERATOR)
async def verify_audit(ctx: Context) -> ChainView:
    """Check that nothing in the audit trail was changed, moved or removed."""
    state = await ctx.read(audit.verify)
    return ChainView(
        entries=state.entries,
        last_hash=state.last_hash,
        intact=state.fault is None,
        fault=state.fault.text if state.fault else None,
    )
