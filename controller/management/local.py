"""Operations for whoever may read the settings of a controller, and so may do everything.

The audit trail names the user of the machine, and "command" instead of an address.
"""

import getpass
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel

from controller.accounts.directory import LiveDirectory
from controller.clock import SystemClock
from controller.management.context import Context, management_services
from controller.management.desk import Desk, Fields
from controller.management.operations import Operation, Upload
from controller.management.roles import Actor, Role
from controller.settings import Settings
from controller.sounds.room import Content
from controller.sounds.templates import VoiceTemplates
from controller.store.database import Database


class LocalDesk:
    """Runs operations on the database of these settings; a running controller notices within a second."""

    def __init__(self, settings: Settings, database: Database) -> None:
        directory = LiveDirectory(database, _nobody_to_tell)
        absent: Any = _OfARunningController()
        # The voice is a running controller's: what is written here is heard there.
        templates = VoiceTemplates(database, None, SystemClock())
        content = Content(absent, templates, absent, ())
        services = management_services(
            settings, database, SystemClock(), directory, absent, absent, content, *[absent] * 5
        )
        self._desk = Desk((), services)
        self._actor = Actor("command", getpass.getuser(), Role.ADMINISTRATOR, None)

    async def run(
        self,
        operation: Operation,
        path: Mapping[str, str] = {},
        body: Fields | Upload | None = None,
        query: Fields | None = None,
    ) -> Any:
        """What the operation answers, whatever version there is. Raises Problem."""
        context = Context(
            operation=operation,
            services=self._desk.services,
            actor=self._actor,
            path=path,
            account_id=None,
            address="command",
            request_id=secrets.token_hex(8),
            if_match="*",
            params={name: value for name, value in (query or {}).items() if name != "cursor"},
        )
        return await self._desk.run(context, body, query)

    async def every(self, operation: Operation, query: Fields) -> list[BaseModel]:
        """All items of a list, whatever pages they are on. Raises Problem."""
        found: list[BaseModel] = []
        given = {**query, "limit": 200}
        while True:
            page = await self.run(operation, query=given)
            found += page.items
            if page.next is None:
                return found
            given = {**given, "cursor": parse_qs(urlsplit(page.next).query)["cursor"][0]}


class _OfARunningController:
    """Stands for parts without which operations that are run here do."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name} is asked of a part that only a running controller has")


async def _nobody_to_tell(_directory: object) -> None:
    """Controllers notice by themselves."""
