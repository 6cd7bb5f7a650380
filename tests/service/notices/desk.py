"""A desk from which contacts are told: the outbox on a real database, and a receiver of webhooks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from engine import copy_database, database_at, is_made
from service.notices.support import MailServer, mail_server
from unit.calls.support import ACCOUNT
from unit.pushes.support import SetClock, push_settings
from unit.support import soon

from controller.accounts.contact_details import ContactDetails
from controller.notices.contacts import Contacts
from controller.notices.outbox import NoticeOutbox, opened_outbox
from controller.pushes.guard import AddressGuard
from controller.settings import MailSettings
from controller.store import notices as rows
from controller.store.database import Database
from controller.store.tables import Notice

SECRET = "whsec_" + "a" * 32
ABOUT = {"review": 7, "kind": "sound", "subject": "hello.wav", "reason": "too loud"}


@dataclass
class Desk:
    database: Database
    clock: SetClock
    contacts: Contacts
    outbox: NoticeOutbox
    mail: MailServer

    async def add_contacts(self, count: int) -> None:
        for number in range(count):
            await self.contacts.add(ACCOUNT, ContactDetails(email=f"{number}@example.com"))

    async def tell(self) -> None:
        await self.database.write(
            partial(
                rows.tell_contacts,
                account_id=ACCOUNT,
                event="review.rejected",
                data=ABOUT,
                now=self.clock.now(),
            )
        )

    async def attempt(self) -> list[Notice]:
        """Have everything that is due tried once."""
        await self.outbox._start_due(self.clock.now())
        await soon(ended())

        def read(session: Any) -> list[Notice]:
            found = list(rows.notices(session, ACCOUNT))
            session.expunge_all()
            return found

        return await self.database.read(read)


async def ended() -> None:
    """Wait for all attempts under way, and for those that begin meanwhile."""
    while under_way := [task for task in asyncio.all_tasks() if task.get_name().startswith("notice ")]:
        await asyncio.gather(*under_way)


@asynccontextmanager
async def opened(template: Path, folder: Path, **pushes: Any) -> AsyncIterator[Desk]:
    path = folder / "test.db"
    if not is_made(path):
        copy_database(template, path)
    settings = push_settings(**pushes)
    clock = SetClock()
    async with (
        Database(database_at(path), synchronous="NORMAL") as database,
        mail_server() as mail,
        opened_outbox(
            database,
            MailSettings(host="127.0.0.1", port=mail.port, security="none", sender="voice@example.com"),
            settings,
            AddressGuard(settings.allowed_networks),
            clock,
            Random(1),
        ) as outbox,
    ):
        yield Desk(database, clock, Contacts(database, clock), outbox, mail)


@asynccontextmanager
async def receiver(
    *statuses: int, arrived: asyncio.Event | None = None
) -> AsyncIterator[tuple[str, list[tuple[Mapping[str, str], bytes]]]]:
    """(address, what came) of a webhook receiver that answers with these statuses, then with 204."""
    came: list[tuple[Mapping[str, str], bytes]] = []
    left = list(statuses)

    async def take(request: web.Request) -> web.Response:
        came.append((request.headers, await request.read()))
        if arrived is not None:
            arrived.set()
        return web.Response(status=left.pop(0) if left else 204)

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook")), came
