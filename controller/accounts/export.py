"""What there is as a declaration: applied to where it came from it changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import SecretStr
from sqlmodel import Session

from controller.accounts.declared import (
    Declaration,
    DeclaredAccount,
    DeclaredApp,
    DeclaredLogin,
    DeclaredNumber,
    DeclaredPreviousSecret,
    DeclaredRoute,
    DeclaredSound,
    DeclaredTemplate,
    DeclaredTrunk,
)
from controller.accounts.people_export import export_people, export_users
from controller.accounts.rules import AccountRules
from controller.rules.amounts import amount_text
from controller.store.directory import DirectoryRows, read_directory
from controller.store.tables import Account, App, Number, NumberState, ReviewState, SoundFile, Template

PriceOf = Callable[[str], tuple[Decimal | None, Decimal | None]]
"""What a minute and a number cost an account; None: as the platform charges."""


@dataclass
class Exported:
    """A declaration, the sound files that it names, and what it can't say."""

    declaration: Declaration
    sounds: dict[Path, str] = field(default_factory=dict)
    """Where the declaration says that the audio with this digest is."""
    documents: dict[Path, bytes] = field(default_factory=dict)
    """Of enterprises, where the declaration says that they are."""
    left_out: list[str] = field(default_factory=list)

    def as_toml(self) -> str:
        """The file's text; it has secrets in it."""
        return tomli_w.dumps(_plain(self.declaration.model_dump(by_alias=True, exclude_defaults=True)))


def export(session: Session, price_of: PriceOf, sounds: Path, documents: Path) -> Exported:
    """Everything that a declaration can say; `sounds` and `documents` are the folders that shall have files.

    What is being reviewed is left out: a declaration would decide it.
    """
    rows = read_directory(session)
    made = Exported(Declaration())
    accounts = [
        _account(row, rows, price_of(row.id), sounds, made).model_copy(
            update=export_people(session, row.id, documents, made.documents, made.left_out)
        )
        for row in sorted(rows.accounts.values(), key=lambda row: row.id)
    ]
    trunks = [
        DeclaredTrunk.model_validate({**row.model_dump(exclude={"register_"}), "register": row.register_})
        for row in sorted(rows.trunks, key=lambda row: row.name)
    ]
    routes = [DeclaredRoute(**row.model_dump()) for row in sorted(rows.routes, key=lambda row: row.prefix)]
    made.declaration = Declaration(
        accounts=accounts, users=export_users(session, None), trunks=trunks, routes=routes
    )
    return made


def _account(
    row: Account,
    rows: DirectoryRows,
    price: tuple[Decimal | None, Decimal | None],
    folder: Path,
    made: Exported,
) -> DeclaredAccount:
    minute, number = price
    fields = row.model_dump(exclude={"rules"})
    return DeclaredAccount(
        **fields,
        **AccountRules.model_validate(row.rules or {}).model_dump(),
        minute_price=minute,
        number_price=number,
        numbers=[_number(it) for it in rows.numbers.values() if it.account_id == row.id],
        apps=[_app(it) for it in rows.apps.values() if it.account_id == row.id],
        sounds=[
            _sound(it, folder, made)
            for it in rows.sounds.values()
            if it.account_id == row.id and _can_be_said(it, it.name, it.digest, it.usable_digest, made)
        ],
        templates=[
            DeclaredTemplate(id=it.id, name=it.name, text=it.text, approved=it.state == ReviewState.APPROVED)
            for it in rows.templates
            if it.account_id == row.id and _can_be_said(it, it.id, it.text, it.usable_text, made)
        ],
    )


def _number(row: Number) -> DeclaredNumber:
    return DeclaredNumber(
        number=row.number,
        suspended=row.state == NumberState.SUSPENDED,
        max_calls=row.max_calls,
        apps=row.app_keys,
    )


def _app(row: App) -> DeclaredApp:
    login = previous = None
    if row.login_user is not None and row.login_password is not None:
        login = DeclaredLogin(user=row.login_user, password=SecretStr(row.login_password))
    if row.previous_secret is not None and row.previous_secret_until is not None:
        previous = DeclaredPreviousSecret(
            secret=SecretStr(row.previous_secret), until=row.previous_secret_until
        )
    own = set(DeclaredApp.model_fields) - {"login", "previous_secret", "ip_whitelist"}
    return DeclaredApp(
        **row.model_dump(include=own),
        login=login,
        previous_secret=previous,
        ip_whitelist=row.ip_whitelist or [],
    )


def _can_be_said(
    row: SoundFile | Template, name: str, newest: str, usable: str | None, made: Exported
) -> bool:
    """Whether a declaration can say how far the review has come: it knows approved and not yet submitted."""
    approved = row.state == ReviewState.APPROVED and usable == newest
    draft = row.state == ReviewState.DRAFT and usable is None and row.reason is None
    if not (approved or draft):
        kind = "sound" if isinstance(row, SoundFile) else "template"
        made.left_out.append(f"{kind} {name} of account {row.account_id}: {row.state}")
    return approved or draft


def _sound(row: SoundFile, folder: Path, made: Exported) -> DeclaredSound:
    path = folder / row.account_id / row.name
    made.sounds[path] = row.digest
    return DeclaredSound(name=row.name, file=path, approved=row.state == ReviewState.APPROVED)


def _plain(value: Any) -> Any:
    """What TOML can say."""
    match value:
        case dict():
            # The id comes first, as a reader looks for it.
            parts = sorted(value.items(), key=lambda part: part[0] not in ("id", "login"))
            made = {name: _plain(part) for name, part in parts if part is not None}
            # A number of which nothing else is to be said.
            return made["number"] if set(made) == {"number"} else made
        case list() | tuple():
            return [_plain(part) for part in value]
        case SecretStr():
            return value.get_secret_value()
        case Decimal():
            return amount_text(value)
        case Enum():
            return value.value
        case Path():
            return value.as_posix()
        case _:
            return value
