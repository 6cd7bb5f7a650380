"""What a declaration says: the form of each field, and the row that it makes."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from controller.accounts.declared_people import DeclaredContact, DeclaredEnterprise, DeclaredUser
from controller.accounts.rules import AccountRules, rules_row
from controller.accounts.webhook_secret import webhook_key
from controller.asterisk.routing import RouteConfiguration, TrunkConfiguration
from controller.faults import IDENTIFIER
from controller.phone_number import PhoneNumber
from controller.prompts import wav
from controller.prompts.errors import SoundNameError
from controller.prompts.library import StoredPrompt
from controller.rules.amounts import Price
from controller.rules.networks import check_network
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

    def row(self, account_id: str) -> App:
        previous = self.previous_secret
        return App(
            key=self.key,
            account_id=account_id,
            name=self.name,
            service=self.service,
            secret=self.secret.get_secret_value(),
            previous_secret=previous.secret.get_secret_value() if previous else None,
            previous_secret_until=previous.until if previous else None,
            active=self.active,
            recording=self.recording,
            quality_inspection=self.quality_inspection,
            max_calls=self.max_calls,
            status_url=self.status_url,
            fee_url=self.fee_url,
            login_user=self.login.user if self.login else None,
            login_password=self.login.password.get_secret_value() if self.login else None,
            bind_number=self.bind_number,
            calls_per_second=self.calls_per_second,
            ip_whitelist=self.ip_whitelist or None,
            push_profile=self.push_profile,
            webhook_secrets=[secret.get_secret_value() for secret in self.webhook_secrets],
        )


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
            reason=None,
            trouble=None,
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
            reason=None,
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
    users: list[DeclaredUser] = []
    contacts: list[DeclaredContact] = []
    enterprises: list[DeclaredEnterprise] = []

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

    def row(self) -> Trunk:
        return Trunk(
            name=self.name,
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password.get_secret_value() if self.password else None,
            register_=self.register_,
            qualify_seconds=self.qualify_seconds,
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

    def row(self) -> Route:
        trunks = self.configuration().trunks
        return Route(prefix=self.prefix, trunks=list(trunks), contact=self.contact)


class Declaration(_Declared):
    """The whole file. What it does not name stays as it is, except routes: those are replaced as a whole."""

    accounts: list[DeclaredAccount] = []
    users: list[DeclaredUser] = []
    trunks: list[DeclaredTrunk] = []
    routes: list[DeclaredRoute] | None = None
