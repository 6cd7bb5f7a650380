"""Settings of what comes by HTTP: sections `http`, `authentication` and `management`."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from controller.settings.section import Port, Positive, Seconds, Section


class HttpSettings(Section):
    """Where the HTTP API listens."""

    address: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8080, description="Port to listen on; 0 takes a free one.")
    max_body: int = Field(65536, ge=1024, description="Largest request body, in bytes.")
    read_timeout: Seconds = Field(
        15, description="Seconds from connecting in which a whole request must have come."
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        [], description="Networks of reverse proxies whose X-Forwarded-For and -Proto are believed."
    )
    tls_certificate: str = Field(
        "",
        description="PEM file with the certificate and its chain: the API then speaks HTTPS alone, TLS 1.2 "
        "and 1.3. `voicecall certificate` makes a self-signed one; SIGHUP has it read again.",
    )
    tls_key: str = Field("", description="PEM file with the certificate's key.")

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together")
        return self


class AuthenticationSettings(Section):
    """How requests prove who they are from."""

    created_tolerance: Seconds = Field(
        300, description="How far `Created` may be from the clock, in seconds, after its zone is allowed for."
    )
    created_zones: list[float] | Literal["any"] = Field(
        "any",
        description="Zones in which `Created` may be given, in hours east of UTC; all end in Z. `any`: those "
        "of whole and half hours.",
    )
    token_hours: Positive = Field(48, description="Hours that the token of a login or refresh is good for.")
    lock_after: int = Field(
        100, ge=1, description="Wrong digests, passwords or tokens after which an address is locked."
    )
    lock_window: Seconds = Field(600, description="Seconds within which they are counted.")
    lock_minutes: Positive = Field(30, description="Minutes that an address stays locked.")


class ManagementSettings(Section):
    """The management API, and who may use it."""

    administrator: str = Field(
        "admin",
        pattern=r"^[A-Za-z0-9._@+-]{1,64}$",
        description="Login of the administrator that the first start makes when there is no user.",
    )
    administrator_password: SecretStr = Field(
        SecretStr(""),
        description="The password of that administrator, of at least 12 characters; empty: one is made and "
        "shown once at the terminal. Of no use once there is a user.",
    )
    session_hours: Positive = Field(12, description="Hours until a login ends.")
    idle_minutes: float = Field(
        60,
        ge=0,
        description="Minutes without a request after which a login ends before that; 0: never. A page that "
        "is kept up to date by itself is no request; a phone that waits for calls is.",
    )
    second_factor: Literal["optional", "administrators", "everybody"] = Field(
        "optional",
        description="Who must have a second factor: until they have set one up, nothing else can be done in "
        "a session of theirs. API tokens go on.",
    )
    password_words: list[str] = Field(
        [],
        description="Words that passwords must not be made of, such as the company's name; those of the "
        "platform, the user and the account are among them anyway.",
    )
    breached_passwords: str = Field(
        "",
        description="File of SHA-1 digests of passwords that are refused, sorted, as Pwned Passwords has "
        "them; besides the four million that come with the platform. Empty: none.",
    )
    login_attempts: int = Field(
        10,
        ge=1,
        description="Wrong passwords after which an address is locked; a user after four times as many.",
    )
    login_lock_minutes: Positive = Field(
        15, description="Minutes in which they are counted, and for which it is locked."
    )
    max_apps: int = Field(
        5, ge=0, description="Applications that an account may have, unless the account says otherwise."
    )

    @property
    def idle_limit(self) -> timedelta | None:
        """How long a login may be without use; None: for as long as it likes."""
        return timedelta(minutes=self.idle_minutes) if self.idle_minutes else None

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < len(self.administrator_password.get_secret_value()) < 12:
            raise ValueError("administrator_password must have at least 12 characters")
        return self
