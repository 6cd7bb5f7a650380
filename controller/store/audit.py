"""The audit trail: entries that are only ever added, each bound to the one before by its hash.

The hash is SHA-256 over the previous hash and the entry as canonical JSON. Who changes, removes or moves an
entry breaks the chain there; whoever keeps a later hash elsewhere notices a cut end as well.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import insert, select
from sqlmodel import Session, col

from controller.store.management_tables import AuditEntry
from controller.store.prepared import Prepared
from controller.store.tables import Revision

CHAIN = "audit"
"""Name of the revision that counts entries; its row also makes writers wait for one another."""

BEGINNING = "0" * 64
"""What the first entry has for a previous hash."""

MASK = "***"
_SECRET_WORDS = ("secret", "password", "token", "authorization")
_AT_ONCE = 500
_ADD = Prepared(insert(cast(Any, AuditEntry).__table__))


@dataclass(frozen=True)
class Deed:
    """What was done, by whom, to what."""

    at: datetime
    request_id: str
    actor: str | None
    login: str
    address: str
    action: str
    kind: str
    target: str
    account_id: str | None = None
    outcome: str = "done"
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ChainFault:
    """Where the chain is broken, and how."""

    sequence: int
    text: str


@dataclass(frozen=True)
class ChainState:
    """What checking the chain found."""

    entries: int
    last_hash: str
    fault: ChainFault | None = None


def append(session: Session, deed: Deed) -> None:
    """Add an entry, in the transaction of what it tells of."""
    append_all(session, [deed])


def append_all(session: Session, deeds: Sequence[Deed]) -> None:
    """Add an entry for each, in this order, with few statements."""
    if not deeds:
        return
    counter = session.get(Revision, CHAIN, with_for_update=True)
    if counter is None:
        counter = Revision(name=CHAIN, number=0)
        session.add(counter)
    last = session.get(AuditEntry, counter.number)
    previous = last.hash if last else BEGINNING
    added: list[dict[str, Any]] = []
    for sequence, deed in enumerate(deeds, counter.number + 1):
        masked = {"before": _masked_object(deed.before), "after": _masked_object(deed.after)}
        entry = {**vars(deed), **masked, "sequence": sequence, "previous": previous}
        previous = entry["hash"] = _hash(entry)
        added.append(entry)
    counter.number += len(added)
    session.flush()
    _ADD.run_many(session, added)


def verify(session: Session) -> ChainState:
    """Go through the whole chain; the first fault ends it."""
    previous, count = BEGINNING, 0
    for entry in entries(session):
        count += 1
        fault = ""
        if entry.sequence != count:
            fault = f"entry {count} is missing"
        elif entry.previous != previous:
            fault = f"entry {entry.sequence} does not follow the one before it"
        elif entry.hash != _hash(entry.model_dump()):
            fault = f"entry {entry.sequence} was changed"
        if fault:
            return ChainState(count, previous, ChainFault(entry.sequence, fault))
        previous = entry.hash
    counter = session.get(Revision, CHAIN)
    expected = counter.number if counter else 0
    if expected != count:
        return ChainState(count, previous, ChainFault(count + 1, f"entries after {count} are missing"))
    return ChainState(count, previous)


def has_hash(session: Session, wanted: str) -> bool:
    """Whether an entry has this hash."""
    found = session.execute(select(col(AuditEntry.sequence)).where(col(AuditEntry.hash) == wanted))
    return found.first() is not None


def entries(session: Session) -> Iterator[AuditEntry]:
    """Every entry, oldest first; never all in memory at once."""
    after = 0
    while True:
        found = session.execute(
            select(AuditEntry)
            .where(col(AuditEntry.sequence) > after)
            .order_by(col(AuditEntry.sequence))
            .limit(_AT_ONCE)
        )
        page = list(found.scalars())
        if not page:
            return
        for entry in page:
            after = entry.sequence
            yield entry
            session.expunge(entry)


def as_json(entry: AuditEntry) -> str:
    """An entry as one line, as it is exported."""
    return _canonical({**_told(entry.model_dump()), "previous": entry.previous, "hash": entry.hash})


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{entry['previous']}\n{_canonical(_told(entry))}".encode()).hexdigest()


_TOLD = (
    "sequence",
    "request_id",
    "actor",
    "login",
    "address",
    "action",
    "kind",
    "target",
    "account_id",
    "outcome",
    "before",
    "after",
)


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    at = entry["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return {"at": at, **{name: entry[name] for name in _TOLD}}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _masked_object(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else {name: _masked(name, part) for name, part in value.items()}


def is_secret(name: str) -> bool:
    """Whether what has this name is nobody's to see."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def _masked(name: str, value: Any) -> Any:
    if value is not None and is_secret(name):
        return MASK
    if isinstance(value, Mapping):
        return _masked_object(value)
    if isinstance(value, list):
        return [_masked("", part) for part in value]
    return value
