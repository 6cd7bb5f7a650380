"""Everything declared, in memory: read at start, read again when the database's revision moves on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from random import Random

from pydantic import SecretBytes, SecretStr

from controller.accounts.errors import (
    AccountHeld,
    AccountInactive,
    AddressNotAllowed,
    AppInactive,
    AppUnknown,
    DisplayNumberNotAllotted,
    EverythingStopped,
    SoundMissing,
    TemplateMissing,
    TemplateNotApproved,
    WrongService,
)
from controller.accounts.rules import AccountTerms, terms_of
from controller.accounts.webhook_secret import webhook_key
from controller.asterisk.routing import RouteConfiguration, TrunkConfiguration
from controller.phone_number import PhoneNumber
from controller.prompts.errors import TemplateSyntaxError
from controller.prompts.library import StoredPrompt
from controller.prompts.templates import Template, parse
from controller.rules.networks import Network, is_within
from controller.store.billing_tables import EVERYTHING
from controller.store.database import Database
from controller.store.directory import DirectoryRows, read_directory, revision
from controller.store.tables import App, NumberState, PushProfile, Service
from controller.store.tables import Template as TemplateRow
from controller.store.tables import Trunk as TrunkRow

log = logging.getLogger(__name__)

REFRESH_INTERVAL = 0.5
"""Seconds until a change made by another process is seen."""


_NO_TERMS = AccountTerms()


@dataclass(frozen=True)
class Login:
    """With what the oldest clients log in."""

    username: str
    password: SecretStr


@dataclass(frozen=True)
class PreviousSecret:
    """The app secret before the present one, good `until` a time."""

    secret: SecretStr
    until: datetime


@dataclass(frozen=True)
class Application:
    """An application as a request meets it."""

    key: str
    account_id: str
    service: Service
    active: bool
    recording: bool
    max_calls: int
    secret: SecretStr
    status_url: str | None
    fee_url: str | None
    login: Login | None = None
    bind_number: PhoneNumber | None = None
    calls_per_second: int | None = None
    ip_whitelist: tuple[Network, ...] = ()
    push_profile: PushProfile = PushProfile.COMPAT
    webhook_keys: tuple[SecretBytes, ...] = ()
    previous_secret: PreviousSecret | None = None
    quality_inspection: bool = False
    """Whether the operator may listen to a sample of its recordings."""

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """What a request may be proven with; ours are proven with the first, the newest."""
        newest, previous = self.secret.get_secret_value(), self.previous_secret
        if previous is None or now >= previous.until:
            return (newest,)
        return (newest, previous.secret.get_secret_value())

    def check_address(self, address: str) -> None:
        """Raise AddressNotAllowed unless requests may come from there: without a whitelist, from anywhere."""
        if self.ip_whitelist and not is_within(address, self.ip_whitelist):
            raise AddressNotAllowed("the application takes no requests from this address")


@dataclass(frozen=True)
class DisplayNumber:
    """A number that calls of an account may show, unless it is suspended; `max_calls` of them at a time."""

    account_id: str
    usable: bool = True
    max_calls: int | None = None
    app_keys: frozenset[str] | None = None
    """The apps that may show it; None: all of the account."""

    def is_for(self, application: Application) -> bool:
        """Whether calls of this app may show it, suspended or not."""
        return self.account_id == application.account_id and (
            self.app_keys is None or application.key in self.app_keys
        )


@dataclass(frozen=True)
class VoiceTemplate:
    """A voice template as a request meets it."""

    template: Template
    approved: bool


@dataclass(frozen=True)
class Held:
    """An account, or EVERYTHING, that makes no calls; `ends_calls` if those under way end too."""

    scope: str
    ends_calls: bool = False


@dataclass(frozen=True)
class Directory:
    """What was declared, at one revision."""

    revision: int = 0
    applications: dict[str, Application] = field(default_factory=dict)
    numbers: dict[str, DisplayNumber] = field(default_factory=dict)
    sounds: dict[tuple[str, str], StoredPrompt] = field(default_factory=dict)
    templates: dict[tuple[str, str], VoiceTemplate] = field(default_factory=dict)
    trunks: tuple[TrunkConfiguration, ...] = ()
    routes: tuple[RouteConfiguration, ...] = ()
    accounts: dict[str, AccountTerms] = field(default_factory=dict)
    holds: tuple[Held, ...] = ()
    draining: frozenset[str] = frozenset()
    """Nodes that get no new calls."""

    def application(self, key: str) -> Application:
        """The application with this key. Raises AppUnknown."""
        found = self.applications.get(key)
        if found is None:
            raise AppUnknown("no such application")
        return found

    def account(self, application: Application) -> AccountTerms:
        """The account of an application."""
        return self.accounts.get(application.account_id, _NO_TERMS)

    def check_open(self) -> None:
        """Raise EverythingStopped when somebody stopped all calls."""
        if any(hold.scope == EVERYTHING for hold in self.holds):
            raise EverythingStopped("no calls are made now")

    def check_may_call(self, application: Application, service: Service) -> None:
        """Raises EverythingStopped, AppInactive, AccountInactive or WrongService."""
        self.check_open()
        if not application.active:
            raise AppInactive("the application is switched off")
        if not self.account(application).active:
            raise AccountInactive("the account is switched off")
        if any(hold.scope == application.account_id for hold in self.holds):
            raise AccountHeld("the account makes no calls now")
        if application.service is not service:
            raise WrongService(f"the application is for {application.service}")

    def number_to_show(self, application: Application, asked: PhoneNumber, random: Random) -> PhoneNumber:
        """The number asked for; if it is suspended another one at random, else the app's bind number.

        Raises DisplayNumberNotAllotted.
        """
        found = self.numbers.get(asked.e164)
        if found is None or not found.is_for(application):
            raise DisplayNumberNotAllotted("the number to show is not allotted to the account and the app")
        if found.usable:
            return asked
        return _one_of(self._shared_numbers(application) or self._bind_number(application), random)

    def own_number(self, application: Application, random: Random) -> PhoneNumber:
        """What calls show that ask for no number: the app's bind number, else another one at random.

        Raises DisplayNumberNotAllotted.
        """
        return _one_of(self._bind_number(application) or self._shared_numbers(application), random)

    def _bind_number(self, application: Application) -> list[PhoneNumber]:
        number = application.bind_number
        its = None if number is None else self.numbers.get(number.e164)
        return [number] if number is not None and its is not None and its.usable else []

    def _shared_numbers(self, application: Application) -> list[PhoneNumber]:
        """What the app may show beside bind numbers, each of which is one app's own."""
        bound = {app.bind_number for app in self.applications.values()}
        usable = (
            PhoneNumber(number)
            for number, its in sorted(self.numbers.items())
            if its.usable and its.is_for(application)
        )
        return [number for number in usable if number not in bound]

    def sound(self, account_id: str, name: str) -> StoredPrompt:
        """An approved sound file. Raises SoundMissing."""
        found = self.sounds.get((account_id, name))
        if found is None:
            raise SoundMissing(name)
        return found

    def template(self, account_id: str, template_id: str) -> Template:
        """An approved voice template. Raises TemplateMissing or TemplateNotApproved."""
        found = self.templates.get((account_id, template_id))
        if found is None:
            raise TemplateMissing("no such template")
        if not found.approved:
            raise TemplateNotApproved("the template was not approved")
        return found.template


def _one_of(numbers: list[PhoneNumber], random: Random) -> PhoneNumber:
    if not numbers:
        raise DisplayNumberNotAllotted("the account has no number to show that is not suspended")
    return random.choice(numbers)


def directory_of(rows: DirectoryRows) -> Directory:
    """The directory that these rows make."""
    return Directory(
        rows.revision,
        {
            row.key: Application(
                row.key,
                row.account_id,
                Service(row.service),
                row.active,
                row.recording,
                row.max_calls,
                SecretStr(row.secret),
                row.status_url,
                row.fee_url,
                _login(row),
                PhoneNumber(row.bind_number) if row.bind_number else None,
                calls_per_second=row.calls_per_second,
                ip_whitelist=tuple(ip_network(text) for text in row.ip_whitelist or ()),
                push_profile=PushProfile(row.push_profile),
                webhook_keys=tuple(SecretBytes(webhook_key(secret)) for secret in row.webhook_secrets),
                previous_secret=_previous_secret(row),
                quality_inspection=row.quality_inspection,
            )
            for row in rows.apps.values()
        },
        {
            row.number: DisplayNumber(
                row.account_id,
                row.state == NumberState.ACTIVE,
                row.max_calls,
                None if row.app_keys is None else frozenset(row.app_keys),
            )
            for row in rows.numbers.values()
        },
        {
            key: StoredPrompt(row.usable_digest, row.usable_ms)
            for key, row in rows.sounds.items()
            if row.usable_digest is not None and row.usable_ms is not None
        },
        {(row.account_id, row.id): made for row in rows.templates if (made := _voice_template(row))},
        tuple(trunk for row in rows.trunks if (trunk := _trunk(row))),
        tuple(RouteConfiguration(row.prefix, tuple(row.trunks), row.contact) for row in rows.routes),
        {row.id: terms_of(row) for row in rows.accounts.values()},
        tuple(Held(row.scope, row.ends_calls) for row in rows.holds),
        frozenset(row.name for row in rows.drained),
    )


def _voice_template(row: TemplateRow) -> VoiceTemplate | None:
    try:
        usable = row.usable_text is not None
        return VoiceTemplate(parse(row.usable_text or row.text), usable)
    except TemplateSyntaxError as error:
        # Checked before it was written, but perhaps by other rules: the rest of the directory is in force.
        log.error(
            "A voice template can't be used",
            extra={"account": row.account_id, "template": row.id, "error": str(error)},
        )
        return None


def _trunk(row: TrunkRow) -> TrunkConfiguration | None:
    try:
        return TrunkConfiguration(
            row.name, row.host, row.port, row.user, row.password, row.register_, row.qualify_seconds
        )
    except ValueError as error:
        # As above; calls go over the other trunks of its routes.
        log.error("A trunk can't be used", extra={"trunk": row.name, "error": str(error)})
        return None


def _login(row: App) -> Login | None:
    if row.login_user is None or row.login_password is None:
        return None
    return Login(row.login_user, SecretStr(row.login_password))


def _previous_secret(row: App) -> PreviousSecret | None:
    if row.previous_secret is None or row.previous_secret_until is None:
        return None
    return PreviousSecret(SecretStr(row.previous_secret), row.previous_secret_until)


OnChange = Callable[[Directory], Awaitable[None]]


class LiveDirectory:
    """The directory as it is now. `on_change` is called with each new one, the first included."""

    def __init__(self, database: Database, on_change: OnChange) -> None:
        self._database = database
        self._on_change = on_change
        self._changing = asyncio.Lock()
        self.now = Directory(revision=-1)

    async def refresh(self) -> None:
        """Read the directory if it was changed; returns when it is in force, whoever has read it."""
        while await self._database.read(revision) != (before := self.now).revision:
            directory = directory_of(await self._database.read(read_directory))
            if self.now is before:
                self.now = directory
                async with self._changing:
                    await self._on_change(self.now)
                return
            # Another refresh was faster; which of the two is newer the database says.
        async with self._changing:
            # Another refresh may have read the same, and be about to put it into force.
            pass

    async def run(self) -> None:
        """Notice changes until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception:
                log.exception("The directory can't be brought up to date; trying again")
            await asyncio.sleep(REFRESH_INTERVAL)
