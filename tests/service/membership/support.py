"""Controllers that share a database: their places, and calls that are theirs."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlmodel import Session, select
from unit.calls.support import ACCOUNT, APP

from controller.membership.membership import Membership
from controller.store.controllers import Estate
from controller.store.database import Database
from controller.store.tables import Call

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


@dataclass
class Clock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at


@dataclass
class Member:
    """A controller's place, and what happened to it."""

    database: Database
    membership: Membership
    fenced: list[str]
    estates: list[Estate] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def live(self) -> None:
        self.tasks.append(asyncio.create_task(self.membership.live()))

    def watch(self) -> asyncio.Event:
        came = asyncio.Event()

        async def inherit(estate: Estate) -> None:
            self.estates.append(estate)
            came.set()

        self.tasks.append(asyncio.create_task(self.membership.watch(inherit)))
        return came

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


@dataclass
class Group:
    """The database, and who opens it."""

    url: str
    stack: AsyncExitStack

    async def member(self, name: str, node: str = "node1") -> Member:
        database = await self.stack.enter_async_context(Database(self.url))
        fenced: list[str] = []
        membership = Membership(database, name, f"voicecall-{name}", node.split(","), Clock(), fenced.append)
        await membership.join()
        member = Member(database, membership, fenced)
        self.stack.push_async_callback(member.stop)
        return member


def call(session: Session, name: str, controller: str, *, ended: bool = False, node: str = "node1") -> None:
    row = Call(
        id=name,
        session_id=name,
        account_id=ACCOUNT,
        app_key=APP,
        service="notification",
        controller=controller,
        node=node,
        display_number="+861",
        callee="+862",
        accepted_at=NOW,
        ended_at=NOW if ended else None,
    )
    session.add(row)
    session.flush()


def owners(session: Session) -> dict[str, str]:
    return {row.id: row.controller for row in session.exec(select(Call)).all()}
