"""The declarative file of `voicecall apply`: what there shall be. Applying it twice changes nothing twice."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from sqlmodel import Session, SQLModel

from controller.accounts.number_rules import NumberRuleBroken, check_numbers
from controller.accounts.rules import AccountRules, rules_row
from controller.accounts.webhook_secret import webhook_key
from controller.asterisk.routing import RouteConfiguration, TrunkConfiguration
from controller.faults import IDENTIFIER, in_words
from controller.phone_number import PhoneNumber
from controller.prompts import templates, wav
from controller.prompts.errors import PromptError, SoundNameError, TemplateSyntaxError
from controller.prompts.library import PromptLibrary, StoredPrompt
from controller.rules.amounts import Price
from controller.rules.networks import check_network
from controller.store import directory as rows
from controller.store import reviews
from controller.store.reviews import ReviewKind
from controller.store.tables import (
    Account,
    App,
    Number,
    NumberState,
    ReviewState,
    Route,
    SoundFile,
    Template,
    Trunk,
)


class DeclarationError(ValueError):
    """The file says something that can't be; the text names each place. Nothing was changed."""


def _number(text: str) -> str:
    return PhoneNumber(text).e164


def _sound_name(text: str) -> str:
    try:
        return wav.check_name(text)
    except SoundNameError as error:
        raise ValueError(str(error)) from None


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http or https address")
    return text


Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
PushUrl = Annotated[str, AfterValidator(_url)]
NetworkText = Annotated[str, AfterValidator(check_network)]
MaxCalls = Annotated[int, Field(ge=0, le=65535)]
CallsPerSecond = Annotated[int, Field(ge=0)]


def _webhook_secret(secret: SecretStr) -> SecretStr:
    webhook_key(secret.get_secret_value())
    return secret


WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeclaredLogin(_Declared):
    """With what programs of the token generation log in."""

    user: str = Field(min_length=1)
    password: SecretStr = Field(min_length=8)


class DeclaredPreviousSecret(_Declared):
    """The app secret before the present one, taken as well `until` a time."""

    secret: SecretStr = Field(min_length=8)
    until: AwareDatetime


class DeclaredNumber(_Declared):
    """A number that calls may show; in a list, a text alone is an active number."""

    number: Annotated[str, AfterValidator(_number)]
    suspended: bool = False
    max_calls: MaxCalls | None = None
    apps: list[Identifier] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"number": value} if isinstance(value, str) else value

    def row(self, account_id: str) -> Number:
        state = NumberState.SUSPENDED if self.suspended else NumberState.ACTIVE
        return Number(
            number=self.number,
            account_id=account_id,
            state=state,
            max_calls=self.max_calls,
            app_keys=self.apps,
        )


class DeclaredApp(_Declared):
    """An application."""

    key: Identifier
    secret: SecretStr = Field(min_length=8)
    previous_secret: DeclaredPreviousSecret | None = None
    name: str = ""
    service: Literal["callback", "notification", "verification"]
    active: bool = True
    recording: bool = False
    quality_inspection: bool = False
    max_calls: MaxCalls = 10
    calls_per_second: CallsPerSecond | None = None
    ip_whitelist: list[NetworkText] = []
    status_url: PushUrl | None = None
    fee_url: PushUrl | None = None
    login: DeclaredLogin | None = None
    bind_number: Annotated[str, AfterValidator(_number)] | None = None
    push_profile: Literal["compat", "durable"] = "compat"
    webhook_secrets: list[WebhookSecret] = Field([], max_length=2)


class DeclaredSound(_Declared):
    """A sound file; `file` is relative to the declaration."""

    name: Annotated[str, AfterValidator(_sound_name)]
    file: Path
    approved: bool = True

    def row(self, account_id: str, stored: StoredPrompt) -> SoundFile:
        return SoundFile(
            account_id=account_id,
            name=self.name,
            digest=stored.digest,
            duration_ms=stored.duration_ms,
            state=_state(self.approved),
            usable_digest=stored.digest if self.approved else None,
            usable_ms=stored.duration_ms if self.approved else None,
        )


def _state(approved: bool) -> ReviewState:
    """What the operator declares needs no review."""
    return ReviewState.APPROVED if approved else ReviewState.DRAFT


class DeclaredTemplate(_Declared):
    """A voice template, shared by the account's apps."""

    id: str = Field(min_length=1, max_length=32)
    name: str = ""
    text: str
    approved: bool = True

    def row(self, account_id: str) -> Template:
        return Template(
            account_id=account_id,
            id=self.id,
            name=self.name,
            text=self.text,
            state=_state(self.approved),
            usable_text=self.text if self.approved else None,
        )


class DeclaredAccount(AccountRules):
    """An account and all that belongs to it."""

    id: Identifier
    name: str = ""
    active: bool = True
    max_calls: MaxCalls | None = None
    calls_per_second: CallsPerSecond | None = None
    prepaid: bool = False
    minute_price: Price | None = None
    number_price: Price | None = None
    max_apps: Annotated[int, Field(ge=0)] | None = None
    numbers: list[DeclaredNumber] = []
    apps: list[DeclaredApp] = []
    sounds: list[DeclaredSound] = []
    templates: list[DeclaredTemplate] = []

    def row(self) -> Account:
        return Account(
            id=self.id,
            name=self.name,
            active=self.active,
            max_calls=self.max_calls,
            calls_per_second=self.calls_per_second,
            prepaid=self.prepaid,
            max_apps=self.max_apps,
            rules=rules_row(self),
        )


class DeclaredTrunk(_Declared):
    """A SIP peer."""

    name: str
    host: str
    port: int = 5060
    user: str | None = None
    password: SecretStr | None = None
    register_: bool = Field(False, alias="register")
    qualify_seconds: int = 30

    def configuration(self) -> TrunkConfiguration:
        password = self.password.get_secret_value() if self.password else None
        return TrunkConfiguration(
            self.name, self.host, self.port, self.user, password, self.register_, self.qualify_seconds
        )


class DeclaredRoute(_Declared):
    """Where numbers with a prefix go; `trunk` is short for one of `trunks`."""

    prefix: str
    trunk: str | None = None
    trunks: list[str] = []
    contact: str | None = None

    def configuration(self) -> RouteConfiguration:
        if self.trunk is not None and self.trunks:
            raise ValueError(f"route {self.prefix}: give trunk or trunks, one of the two")
        trunks = (self.trunk,) if self.trunk is not None else tuple(self.trunks)
        return RouteConfiguration(self.prefix, trunks, self.contact)


class Declaration(_Declared):
    """The whole file. What it does not name stays as it is, except routes: those are replaced as a whole."""

    accounts: list[DeclaredAccount] = []
    trunks: list[DeclaredTrunk] = []
    routes: list[DeclaredRoute] | None = None


@dataclass(frozen=True)
class Change:
    """What applying did to one thing: "created", "changed", "unchanged" or "removed"."""

    kind: str
    name: str
    what: str
    columns: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """What was there and is there now, of columns that changed."""


def read_declaration(path: Path, simulated_prefix: str = "") -> Declaration:
    """Read and check a declaration. Raises DeclarationError, OSError.

    Numbers below `simulated_prefix` are kept for simulated callees; "" keeps none.
    """
    try:
        declaration = Declaration.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: {error}") from None
    except ValidationError as error:
        faults = [
            f"{path}: {'.'.join(map(str, fault['loc']))} {in_words(fault, 'a table')}"
            for fault in error.errors()
        ]
        raise DeclarationError("\n".join(faults)) from None
    _check_whole(declaration, path, simulated_prefix)
    return declaration


def _check_whole(declaration: Declaration, path: Path, simulated_prefix: str) -> None:
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
    faults.extend(f"{path}: {fault}" for fault in simulated_clashes(simulated_prefix, numbers, prefixes))
    if faults:
        raise DeclarationError("\n".join(faults))


def simulated_clashes(prefix: str, numbers: Iterable[str], routes: Iterable[str]) -> list[str]:
    """What is wrong with display numbers, and routes to numbers, that are kept for simulated callees."""
    if not prefix:
        return []
    return [
        f"{kind} {name} lies in calls.simulated_prefix {prefix}, which is kept for simulated callees"
        for kind, names in (("number", numbers), ("route", routes))
        for name in names
        if name.startswith(prefix)
    ]


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def load_sounds(declaration: Declaration, folder: Path, library: PromptLibrary) -> list[SoundFile]:
    """Check the declared sound files and put them into the library. Raises DeclarationError."""
    faults: list[str] = []
    sounds: list[SoundFile] = []
    for account in declaration.accounts:
        for sound in account.sounds:
            path = folder / sound.file
            try:
                stored = library.add(path.read_bytes())
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
            declare("app", app.key, _app_row(account.id, app))
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
        declare("trunk", trunk.name, _trunk_row(trunk))
    for route in declaration.routes or []:
        trunks = route.configuration().trunks
        for name in trunks:
            if session.get(Trunk, name) is None:
                raise DeclarationError(f"route {route.prefix}: there is no trunk {name}")
        declare("route", route.prefix, Route(prefix=route.prefix, trunks=list(trunks), contact=route.contact))
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


def _app_row(account_id: str, app: DeclaredApp) -> App:
    previous = app.previous_secret
    return App(
        key=app.key,
        account_id=account_id,
        name=app.name,
        service=app.service,
        secret=app.secret.get_secret_value(),
        previous_secret=previous.secret.get_secret_value() if previous else None,
        previous_secret_until=previous.until if previous else None,
        active=app.active,
        recording=app.recording,
        quality_inspection=app.quality_inspection,
        max_calls=app.max_calls,
        status_url=app.status_url,
        fee_url=app.fee_url,
        login_user=app.login.user if app.login else None,
        login_password=app.login.password.get_secret_value() if app.login else None,
        bind_number=app.bind_number,
        calls_per_second=app.calls_per_second,
        ip_whitelist=app.ip_whitelist or None,
        push_profile=app.push_profile,
        webhook_secrets=[secret.get_secret_value() for secret in app.webhook_secrets],
    )


def _trunk_row(trunk: DeclaredTrunk) -> Trunk:
    return Trunk(
        name=trunk.name,
        host=trunk.host,
        port=trunk.port,
        user=trunk.user,
        password=trunk.password.get_secret_value() if trunk.password else None,
        register_=trunk.register_,
        qualify_seconds=trunk.qualify_seconds,
    )
