"""The declarative file of `voicecall apply`: what there shall be. Applying it twice changes nothing twice."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from sqlmodel import Session, SQLModel

from controller.accounts.changes import Change
from controller.accounts.declared import Declaration, DeclaredApp, DeclaredRoute, DeclaredTrunk
from controller.accounts.leaving_out import leave_out
from controller.accounts.number_rules import number_faults
from controller.accounts.people_declaration import PeopleDeclaration, declared_users
from controller.faults import in_words
from controller.prompts import templates
from controller.prompts.errors import PromptError, TemplateSyntaxError
from controller.prompts.library import StoredPrompt
from controller.store import directory as rows
from controller.store import reviews
from controller.store.reviews import ReviewKind
from controller.store.tables import App, Number, NumberState, SoundFile, Trunk


class DeclarationError(ValueError):
    """The file says something that can't be; the text names each place. Nothing was changed."""


@dataclass
class Reading:
    """What a file declares, without what is wrong in it."""

    declaration: Declaration
    faults: list[str] = field(default_factory=list)
    left_out: frozenset[str] = frozenset()
    """Names of what is wrong: that they are missing is no fault of what needs them."""


def read_declaration(path: Path, reserved: Mapping[str, str] = {}) -> Declaration:
    """Read and check a declaration. Raises DeclarationError, OSError.

    `reserved`: prefixes of numbers that the platform keeps for itself, by the setting that says so.
    """
    reading = look_at(path, reserved)
    if reading.faults:
        raise DeclarationError("\n".join(reading.faults))
    return reading.declaration


def look_at(path: Path, reserved: Mapping[str, str] = {}) -> Reading:
    """As `read_declaration`, but what is wrong is left out, so that the rest can be looked at further.

    Raises DeclarationError for what is no TOML, OSError.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: {error}") from None
    except RecursionError:
        raise DeclarationError(f"{path}: it is nested too deeply") from None
    faults: list[str] = []
    left_out: set[str] = set()
    while True:
        try:
            declaration = Declaration.model_validate(data)
        except ValidationError as error:
            found = error.errors()
            # What is only wrong because something was left out is not told.
            faults = faults or [
                f"{path}: {'.'.join(map(str, fault['loc']))} {in_words(fault, 'a table')}" for fault in found
            ]
            left_out |= leave_out(data, [fault["loc"] for fault in found])
        else:
            break
    faults += [f"{path}: {fault}" for fault in _whole_faults(declaration, reserved)]
    return Reading(declaration, faults, frozenset(left_out))


def _whole_faults(declaration: Declaration, reserved: Mapping[str, str]) -> Iterator[str]:
    """What no part can see alone."""
    parts: list[DeclaredTrunk | DeclaredRoute] = [*declaration.trunks, *(declaration.routes or [])]
    for part in parts:
        try:
            part.configuration()
        except ValueError as error:
            yield str(error)
    for account in declaration.accounts:
        for template in account.templates:
            try:
                templates.parse(template.text)
            except TemplateSyntaxError as error:
                yield f"template {template.id} of account {account.id}: {error}"
    accounts = declaration.accounts
    numbers = [its.number for account in accounts for its in account.numbers]
    prefixes = [route.prefix for route in declaration.routes or []]
    named = {
        "app": [app.key for account in accounts for app in account.apps],
        "number": numbers,
        "template": [
            f"{its.id} of account {account.id}" for account in accounts for its in account.templates
        ],
        "route": prefixes,
        "user": [user.login for _owner, user in declared_users(declaration)],
        "contact": [contact.id for account in accounts for contact in account.contacts],
        "enterprise": [enterprise.id for account in accounts for enterprise in account.enterprises],
    }
    for kind, names in named.items():
        yield from (f"{kind} {name} stands twice" for name in _twice(names))
    yield from reserved_clashes(reserved, numbers, prefixes)


_KEPT_FOR = {"calls.simulated_prefix": "simulated callees", "phone.prefix": "phones in browsers"}


def reserved_clashes(reserved: Mapping[str, str], numbers: Iterable[str], routes: Iterable[str]) -> list[str]:
    """What is wrong with display numbers, and routes to numbers, that the platform keeps for itself."""
    return [
        f"{kind} {name} lies in {setting} {prefix}, which is kept for {_KEPT_FOR[setting]}"
        for setting, prefix in reserved.items()
        for kind, names in (("number", numbers), ("route", routes))
        for name in names
        if name.startswith(prefix)
    ]


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def load_sounds(
    declaration: Declaration, folder: Path, keep: Callable[[bytes], StoredPrompt]
) -> tuple[list[SoundFile], list[str]]:
    """Check the declared sound files and `keep` them; also what is wrong with them."""
    faults: list[str] = []
    sounds: list[SoundFile] = []
    for account in declaration.accounts:
        for sound in account.sounds:
            path = folder / sound.file
            try:
                stored = keep(path.read_bytes())
            except (OSError, PromptError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                faults.append(f"{path}: {reason}")
                continue
            sounds.append(sound.row(account.id, stored))
    return sounds, faults


def apply(
    session: Session,
    declaration: Declaration,
    sounds: list[SoundFile],
    people: PeopleDeclaration | None = None,
    *,
    known: Sequence[str] = (),
    left_out: frozenset[str] = frozenset(),
) -> list[Change]:
    """Make the database hold what is declared. Raises DeclarationError; then the session must be given up.

    :param people: how users, contacts and enterprises are declared.
    :param known: faults that were found before; they are raised with those that are found here.
    :param left_out: names of what those are about.
    """
    people = people or PeopleDeclaration(session, {}, {}, datetime.now(UTC))
    changes: list[Change] = []
    faults: list[str] = []

    def declare(kind: str, name: str, row: SQLModel, account_id: str | None = None) -> None:
        done = rows.declare(session, row)
        changes.append(Change(kind, name, done.what, done.columns, account_id))

    for account in declaration.accounts:
        declare("account", account.id, account.row(), account.id)
        for app in account.apps:
            found = session.get(App, app.key)
            if fault := _foreign(found, account.id, f"app {app.key}") or _other_service(found, app):
                faults.append(fault)
            else:
                declare("app", app.key, app.row(account.id), account.id)
        for its in account.numbers:
            if fault := _foreign(session.get(Number, its.number), account.id, f"number {its.number}"):
                faults.append(fault)
            else:
                declare("number", its.number, its.row(account.id), account.id)
        for template in account.templates:
            declare("template", template.id, template.row(account.id), account.id)
            reviews.withdraw(session, account.id, ReviewKind.TEMPLATE, template.id)
        people.of_account(account)
    people.users(declaration)
    if not faults and not left_out:
        # They go by apps and numbers that must all be there.
        faults += number_faults(session)
    for sound in sounds:
        declare("sound", sound.name, sound, sound.account_id)
        reviews.withdraw(session, sound.account_id, ReviewKind.SOUND, sound.name)
    for trunk in declaration.trunks:
        declare("trunk", trunk.name, trunk.row())
    for route in declaration.routes or []:
        try:
            row = route.row()
        except ValueError:
            continue  # It was told when the file was read.
        missing = [name for name in row.trunks if name not in left_out and session.get(Trunk, name) is None]
        faults += [f"route {route.prefix}: there is no trunk {name}" for name in missing]
        declare("route", route.prefix, row)
    if all_faults := [*known, *faults, *people.faults]:
        raise DeclarationError("\n".join(all_faults))
    changes += people.changes
    if declaration.routes is not None:
        kept = {route.prefix for route in declaration.routes}
        removed = rows.remove_routes_except(session, kept)
        changes.extend(Change("route", prefix, "removed") for prefix in removed)
    if any(change.what != "unchanged" for change in changes):
        rows.count_change(session)
    return changes


def _foreign(found: App | Number | None, account_id: str, name: str) -> str | None:
    """A thing of one account can't be declared for another, unless it was given back."""
    is_free = isinstance(found, Number) and found.state == NumberState.RELEASED
    if found is not None and found.account_id != account_id and not is_free:
        return f"{name} belongs to another account"
    return None


def _other_service(found: App | None, app: DeclaredApp) -> str | None:
    """What an app is for is fixed."""
    if found is not None and found.service != app.service:
        return f"app {app.key} is for {found.service}, which can't be changed"
    return None
