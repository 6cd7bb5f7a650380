"""The declarative file of `voicecall apply`: what there shall be. Applying it twice changes nothing twice."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, SQLModel

from controller.accounts.declared import Declaration, DeclaredApp, DeclaredRoute, DeclaredTrunk
from controller.accounts.number_rules import NumberRuleBroken, check_numbers
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


@dataclass(frozen=True)
class Change:
    """What applying did to one thing: "created", "changed", "unchanged" or "removed"."""

    kind: str
    name: str
    what: str
    columns: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """What was there and is there now, of columns that changed."""


def read_declaration(path: Path, reserved: Mapping[str, str] = {}) -> Declaration:
    """Read and check a declaration. Raises DeclarationError, OSError.

    `reserved`: prefixes of numbers that the platform keeps for itself, by the setting that says so.
    """
    try:
        declaration = Declaration.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: {error}") from None
    except RecursionError:
        raise DeclarationError(f"{path}: it is nested too deeply") from None
    except ValidationError as error:
        faults = [
            f"{path}: {'.'.join(map(str, fault['loc']))} {in_words(fault, 'a table')}"
            for fault in error.errors()
        ]
        raise DeclarationError("\n".join(faults)) from None
    _check_whole(declaration, path, reserved)
    return declaration


def _check_whole(declaration: Declaration, path: Path, reserved: Mapping[str, str]) -> None:
    """What no part can see alone. Raises DeclarationError with every fault."""
    faults: list[str] = []

    parts: list[DeclaredTrunk | DeclaredRoute] = [*declaration.trunks, *(declaration.routes or [])]
    for part in parts:
        try:
            part.configuration()
        except ValueError as error:
            faults.append(f"{path}: {error}")
    for account in declaration.accounts:
        for template in account.templates:
            try:
                templates.parse(template.text)
            except TemplateSyntaxError as error:
                faults.append(f"{path}: template {template.id} of account {account.id}: {error}")
    apps = [app.key for account in declaration.accounts for app in account.apps]
    numbers = [its.number for account in declaration.accounts for its in account.numbers]
    voice_templates = [
        f"{template.id} of account {account.id}"
        for account in declaration.accounts
        for template in account.templates
    ]
    prefixes = [route.prefix for route in declaration.routes or []]
    named = (("app", apps), ("number", numbers), ("template", voice_templates), ("route", prefixes))
    for kind, names in named:
        faults.extend(f"{path}: {kind} {name} stands twice" for name in _twice(names))
    faults.extend(f"{path}: {fault}" for fault in reserved_clashes(reserved, numbers, prefixes))
    if faults:
        raise DeclarationError("\n".join(faults))


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
) -> list[SoundFile]:
    """Check the declared sound files and `keep` them. Raises DeclarationError."""
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
    if faults:
        raise DeclarationError("\n".join(faults))
    return sounds


def apply(session: Session, declaration: Declaration, sounds: list[SoundFile]) -> list[Change]:
    """Make the database hold what is declared. Raises DeclarationError; then the session must be given up."""
    changes: list[Change] = []

    def declare(kind: str, name: str, row: SQLModel) -> None:
        done = rows.declare(session, row)
        changes.append(Change(kind, name, done.what, done.columns))

    for account in declaration.accounts:
        declare("account", account.id, account.row())
        for app in account.apps:
            found = session.get(App, app.key)
            _refuse_foreign(found, account.id, f"app {app.key}")
            _refuse_other_service(found, app)
            declare("app", app.key, app.row(account.id))
        for its in account.numbers:
            _refuse_foreign(session.get(Number, its.number), account.id, f"number {its.number}")
            declare("number", its.number, its.row(account.id))
        for template in account.templates:
            declare("template", template.id, template.row(account.id))
            reviews.withdraw(session, account.id, ReviewKind.TEMPLATE, template.id)
    try:
        check_numbers(session)
    except NumberRuleBroken as error:
        raise DeclarationError(str(error)) from None
    for sound in sounds:
        declare("sound", sound.name, sound)
        reviews.withdraw(session, sound.account_id, ReviewKind.SOUND, sound.name)
    for trunk in declaration.trunks:
        declare("trunk", trunk.name, trunk.row())
    for route in declaration.routes or []:
        row = route.row()
        for name in row.trunks:
            if session.get(Trunk, name) is None:
                raise DeclarationError(f"route {route.prefix}: there is no trunk {name}")
        declare("route", route.prefix, row)
    if declaration.routes is not None:
        kept = {route.prefix for route in declaration.routes}
        removed = rows.remove_routes_except(session, kept)
        changes.extend(Change("route", prefix, "removed") for prefix in removed)
    if any(change.what != "unchanged" for change in changes):
        rows.count_change(session)
    return changes


def _refuse_foreign(found: App | Number | None, account_id: str, name: str) -> None:
    """A thing of one account can't be declared for another, unless it was given back."""
    is_free = isinstance(found, Number) and found.state == NumberState.RELEASED
    if found is not None and found.account_id != account_id and not is_free:
        raise DeclarationError(f"{name} belongs to another account")


def _refuse_other_service(found: App | None, app: DeclaredApp) -> None:
    """What an app is for is fixed."""
    if found is not None and found.service != app.service:
        raise DeclarationError(f"app {app.key} is for {found.service}, which can't be changed")
