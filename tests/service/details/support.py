"""What tests of call details work with: calls in a real database, and an index beside it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engine import copy_database, database_at, is_made
from sqlmodel import Session

from controller.details.archive import CallArchive
from controller.details.index import CallIndex, opened_index
from controller.details.search import CallSearch, Page
from controller.store.call_filter import CallFilter
from controller.store.calls import CdrDelivery, end_call
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.schema import migrate
from controller.store.tables import Account, App, Call, Service

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SHOWN = "+8657126880001"


@dataclass
class Desk:
    """A database with two accounts, and what searches it."""

    database: Database
    index: CallIndex
    search: CallSearch
    directory: Path
    made: int = 0

    async def begin(self, at: datetime = NOW, **changes: Any) -> str:
        """Write a live call down; returns its id."""
        self.made += 1
        call_id = changes.pop("id", f"1200_{self.made}_{self.made * 7919}_{at:%Y%m%d%H%M%S}")
        values: dict[str, Any] = {
            "id": call_id,
            "session_id": f"{call_id}@host.example",
            "account_id": "acme",
            "app_key": "acme-1",
            "service": "notification",
            "controller": "host.example",
            "node": "node1",
            "display_number": SHOWN,
            "callee": "+8613900001111",
            "addressee": changes.get("callee", "+8613900001111"),
            "accepted_at": at,
            **changes,
        }

        def work(session: Session) -> None:
            session.add(Call(**values))

        await self.database.write(work)
        return call_id

    async def end(
        self,
        call_id: str,
        at: datetime | None = None,
        state_code: int = 0,
        delivery: CdrDelivery | None = None,
    ) -> None:
        """End a call as the call service does."""
        ended_at = at or NOW + timedelta(seconds=30)

        def work(session: Session) -> None:
            call = session.get(Call, call_id)
            assert call is not None
            end_call(
                session,
                call_id,
                ended_at=ended_at,
                state_code=state_code,
                last_entry={
                    "call_id": call_id,
                    "sequence": 90,
                    "at": ended_at,
                    "kind": "disconnect",
                    "leg": None,
                    "detail": None,
                },
                cdr=record(call, ended_at),
                app_key=call.app_key,
                delivery=delivery,
            )

        await self.database.write(work)

    async def ended(self, at: datetime = NOW, *, state_code: int = 0, **changes: Any) -> str:
        """A call that was accepted then and ended half a minute later; returns its id."""
        call_id = await self.begin(at, **changes)
        await self.end(call_id, at + timedelta(seconds=30), state_code)
        return call_id

    async def find(self, of_account: str | None = None, **conditions: Any) -> list[str]:
        """Ids of the calls that are found, newest first."""
        return ids(await self.search.find(CallFilter(**conditions), of_account=of_account))

    def archive(self, now: datetime = NOW, keep: timedelta = timedelta(days=62)) -> CallArchive:
        return CallArchive(self.database, self.index, _Stands(now), keep)


@dataclass
class _Stands:
    at: datetime

    def now(self) -> datetime:
        return self.at


def ids(page: Page) -> list[str]:
    return [call.call_id for call in page.calls]


def record(call: Call, ended_at: datetime) -> dict[str, Any]:
    """As much of a CDR as lists read."""
    del ended_at
    leg = {"dialled": None, "ringing": None, "answered": None}
    talks = {**leg, "answered": (call.accepted_at + timedelta(seconds=10)).isoformat()}
    second = talks if call.service == Service.CALLBACK else leg
    return {"first_leg": talks, "second_leg": second}


@asynccontextmanager
async def desk(directory: Path) -> AsyncIterator[Desk]:
    """A desk whose files are in this folder; it can be opened again."""
    file = directory / "calls.db"
    if not is_made(file):
        copy_database(_template(), file)
    async with (
        Database(database_at(file), synchronous="NORMAL") as database,
        opened_index(database, directory / "call-index.db") as index,
    ):
        yield Desk(database, index, CallSearch(database, index), directory)


@cache
def _template() -> Path:
    """A database with two accounts of two apps; made once, as that takes longest."""
    file = Path(tempfile.mkdtemp()) / "template.db"
    url = database_at(file)
    migrate(url)
    engine = make_engine(url)
    with Session(engine) as session, session.begin():
        for account in ("acme", "other"):
            session.add(Account(id=account))
            session.flush()
            for number, service in enumerate(("notification", "callback"), start=1):
                key = f"{account}-{number}"
                session.add(App(key=key, account_id=account, service=service, secret="12345678"))
    engine.dispose()
    return file
