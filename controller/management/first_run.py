"""The first administrator: made when there is nobody who could make one."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from controller.asterisk.configuration import write_private
from controller.clock import Clock
from controller.management.passwords import Passwords, new_password
from controller.management.proof import weakness
from controller.management.roles import Role
from controller.settings import ManagementSettings
from controller.store import people
from controller.store.audit import Deed, append
from controller.store.database import Database
from controller.store.management_tables import User


class PasswordTooWeak(Exception):
    """The password that is set for the administrator is easily guessed."""


@dataclass(frozen=True)
class FirstAdministrator:
    """Who was created; `password` None: it is the one that was set."""

    login: str
    password: str | None


def keep_password(folder: Path, password: str) -> Path:
    """A file that its owner alone can read, for starts without a terminal. Raises OSError."""
    path = folder / "administrator-password"
    write_private(path, f"{password}\n")
    return path


async def first_administrator(
    database: Database, settings: ManagementSettings, clock: Clock
) -> FirstAdministrator | None:
    """Create the administrator if there is no user yet; None: there was one.

    Raises PasswordTooWeak, OSError.
    """
    if await database.read(people.has_users):
        return None
    given = settings.administrator_password.get_secret_value()
    fault = weakness(settings, given, settings.administrator) if given else ""
    if fault:
        raise PasswordTooWeak(f"management.administrator_password {fault}")
    password = given or new_password()
    user = User(
        id=f"usr_{secrets.token_hex(10)}",
        login=settings.administrator,
        role=Role.ADMINISTRATOR,
        password_hash=await Passwords().hash(password),
        created_at=clock.now(),
    )

    def create(session: Session) -> bool:
        # Another controller may have been quicker.
        if people.has_users(session):
            return False
        session.add(User(**user.model_dump()))
        session.flush()
        after = {"login": user.login, "role": user.role}
        append(
            session,
            Deed(clock.now(), "", None, "", "", "first_run", "user", user.id, after=after),
        )
        return True

    if not await database.write(create):
        return None
    return FirstAdministrator(user.login, None if given else password)
