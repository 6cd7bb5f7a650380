"""Settings: one file (`voicecall.toml`) and the environment (`VOICECALL_HTTP__PORT=8080`), typed and checked.

docs/reference/configuration.md is made from the descriptions here.
"""

import os
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from controller.billing_settings import AlarmSettings, BillingSettings
from controller.content_settings import MailSettings, SoundSettings
from controller.limit_settings import DiallingSettings, LimitSettings
from controller.observability_settings import MetricSettings, TraceSettings
from controller.phone_number import check_prefix
from controller.rules.windows import window

Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


def _one_address(text: str) -> str:
    if text in ("", "0.0.0.0", "::"):  # noqa: S104 - refused here
        raise ValueError("must be one address that Asterisk can connect to, not all of this machine's")
    return text


def _prefix_or_off(text: str) -> str:
    return check_prefix(text) if text else text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpSettings(_Section):
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


class AuthenticationSettings(_Section):
    """How requests prove who they are from."""

    created_tolerance: Seconds = Field(
        300, description="How far `Created` may be from the clock, in seconds, after its zone is allowed for."
    )
    created_zones: list[float] = Field(
        [0, 8],
        description="Zones in which `Created` may be given, in hours east of UTC; all end in Z.",
    )
    token_hours: Annotated[float, Field(gt=0)] = Field(
        48, description="Hours that the token of a login or refresh is good for."
    )
    lock_after: int = Field(
        100, ge=1, description="Wrong digests, passwords or tokens after which an address is locked."
    )
    lock_window: Seconds = Field(600, description="Seconds within which they are counted.")
    lock_minutes: Annotated[float, Field(gt=0)] = Field(
        30, description="Minutes that an address stays locked."
    )


class DatabaseSettings(_Section):
    """Where calls, accounts and CDRs are kept."""

    url: str = Field("sqlite:///{data_dir}/voicecall.db", description="SQLAlchemy address of the database.")
    synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL",
        description="SQLite: FULL survives a power failure, NORMAL only a crash of the program.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Base64 of 32 bytes that seal the secrets in the database; best from the environment. "
        "Empty: a key is made in {data_dir}/secrets.key. Controllers of one database need the same.",
    )


class AsteriskSettings(_Section):
    """The Asterisk node."""

    name: str = Field(
        "node1", pattern=r"[A-Za-z0-9-]+", description="Name of the node in logs and call details."
    )
    application: str = Field(
        "voicecall",
        pattern=r"[A-Za-z0-9_-]+",
        description="Stasis application. A controller with a `name` adds that to it, so that each "
        "has its own.",
    )
    ari_url: str = Field("http://127.0.0.1:8088", description="Address of Asterisk's HTTP server.")
    ari_user: str = Field("voicecall", description="User in ari.conf.")
    ari_password: SecretStr = Field(SecretStr(""), description="Password in ari.conf.")
    ami_address: str = Field("127.0.0.1", description="Address of AMI.")
    ami_port: Port = Field(5038, description="Port of AMI.")
    ami_user: str = Field("voicecall", description="User in manager.conf.")
    ami_password: SecretStr = Field(SecretStr(""), description="Password in manager.conf.")
    etc_dir: Path = Field(
        Path("/etc/asterisk"), description="Asterisk's configuration; pjsip_trunks.conf is written there."
    )
    recording_dir: Path = Field(
        Path("/var/spool/asterisk/recording"), description="Where Asterisk keeps recordings."
    )
    commands_in_flight: int = Field(
        16, ge=1, description="Commands sent to Asterisk and not answered, at most."
    )
    command_timeout: Seconds = Field(
        5, description="Time in which Asterisk must answer a command, in seconds."
    )
    heartbeat: Seconds = Field(
        4, description="Seconds between pings; a silent connection is found dead after one and a half."
    )


class CallSettings(_Section):
    """How calls behave."""

    ring_timeout: Seconds = Field(60, description="How long a phone may ring, in seconds.")
    trunk_timeout: Seconds = Field(
        4,
        description="Seconds in which a trunk must say anything at all to a call, where the route has "
        "another one; SIP peers say 100 at once.",
    )
    first_digit_timeout: Seconds = Field(
        5, description="Seconds from the end of a prompt in which the first key must be pressed."
    )
    inter_digit_timeout: Seconds = Field(5, description="Seconds from one key to the next, at most.")
    max_replays: int = Field(
        20, ge=1, description="How often one item is replayed at most, however often it is asked for."
    )
    minute: Seconds = Field(
        60, description="Seconds that a minute of `maxDuration` and of the bill lasts; others are for tests."
    )
    ringback_frequency: int = Field(
        450,
        ge=200,
        le=3400,
        description="Ringback of the callees' networks, in Hz: China 450, most of Europe 425. "
        "With `calleeMedia=fail` a phone that waits hears none of it.",
    )
    simulated_prefix: Annotated[str, AfterValidator(_prefix_or_off)] = Field(
        "+999",
        description="Numbers that begin so are callees without a phone, no trunk sees them; empty: none.",
    )
    drain_timeout: Seconds = Field(10, description="Seconds that calls may go on after SIGTERM or Ctrl-C.")
    hand_over: bool = Field(
        True,
        description="Whether callbacks whose phones talk longer than that go on after SIGTERM, for the next "
        "controller to take over; Ctrl-C ends them.",
    )


class PhoneSettings(_Section):
    """The phone in the browser."""

    prefix: Annotated[str, AfterValidator(_prefix_or_off)] = Field(
        "+990",
        description="Test numbers of phones in browsers begin so, no trunk sees them; empty: there are none.",
    )
    minutes: Annotated[float, Field(gt=0, le=1440)] = Field(
        120, description="Minutes until a phone that was switched on is switched off by itself."
    )


class PushSettings(_Section):
    """How the customer is told."""

    timeout: Seconds = Field(5, description="Time for one push, from connecting to the answer, in seconds.")
    connections_per_receiver: int = Field(
        200, ge=1, description="Pushes of one app under way to one receiver at most."
    )
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        [],
        description="Networks of your own in which receivers may be, such as 10.1.0.0/16; without them "
        "pushes go to public addresses only. What this platform listens on stays out of reach.",
    )
    verify_tls: bool = Field(
        True, description="Whether certificates of receivers are verified; false is for tests only."
    )
    ca_file: str = Field(
        "", description="File of certificate authorities to trust beside the system's; empty: none."
    )
    signing: Literal["newline", "concatenated", "off"] = Field(
        "newline",
        description="Form of the X-AKSK header on pushes: newline (documented since 2026), concatenated "
        "(before) or off.",
    )
    cdr_attempts: int = Field(7, ge=1, description="Attempts at a CDR push: the first and six more.")
    cdr_interval: Seconds = Field(3600, description="Seconds between attempts at a CDR push.")
    cdr_batch: int = Field(50, ge=1, le=50, description="CDRs in one push at most.")
    attempts_days: Annotated[float, Field(gt=0)] = Field(
        14, description="Days for which every attempt at a push is kept."
    )
    disable_after_days: Annotated[float, Field(gt=0)] = Field(
        5, description="Days of nothing but failures after which an endpoint is sent nothing more."
    )


class RecordingSettings(_Section):
    """How recordings are kept."""

    keep_days: Annotated[float, Field(gt=0)] = Field(7, description="Days until a recording is purged.")
    link_minutes: Annotated[float, Field(gt=0)] = Field(
        30, description="Minutes that a link to a recording is good for."
    )
    inspection_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        5,
        description="Percent of the recordings of an app that consents to quality inspection which are drawn "
        "for it, at random: the operator may listen to these, and both parties hear a hint of its own.",
    )


class DetailSettings(_Section):
    """How call details are kept."""

    keep_days: Annotated[float, Field(gt=0)] = Field(
        92,
        description="Days, from its end on, until a call is purged with all that is known of it; not less "
        "than recordings.keep_days.",
    )
    mask_digits: bool = Field(
        False, description="Whether call details hide the keys that were pressed; pushes and CDRs have them."
    )


class CaptureSettings(_Section):
    """SIP and RTCP of calls, which Asterisk sends as HEP: for call details (hep.conf)."""

    enabled: bool = Field(True, description="Whether what legs say in SIP and RTCP is taken and kept.")
    address: Annotated[str, AfterValidator(_one_address)] = Field(
        "127.0.0.1",
        description="Address to listen on, by UDP; `capture_address` in hep.conf. Whoever reaches it can "
        "make messages up: loopback, or a network that only Asterisk is in.",
    )
    port: Port = Field(9060, description="Port to listen on; 0 takes a free one.")
    legs_per_second: Annotated[float, Field(gt=0)] = Field(
        20, description="Legs whose messages are kept; of more that begin in a second nothing is kept."
    )
    keep_days: Annotated[float, Field(gt=0)] = Field(14, description="Days for which messages are kept.")
    megabytes: int = Field(
        256,
        ge=1,
        description="What kept messages may take on disk; the oldest go first. A leg takes about 2 kB.",
    )


class AgiSettings(_Section):
    """The dialplan's door: FastAGI scripts for calls that come in and for an operator's own dialplan."""

    enabled: bool = Field(True, description="Whether the dialplan can ask the controller anything.")
    address: Annotated[str, AfterValidator(_one_address)] = Field(
        "127.0.0.1",
        description="Address to listen on, and under which Asterisk finds it. Whoever reaches it can start "
        "calls: loopback, or a network that only Asterisk is in.",
    )
    port: Port = Field(4573, description="Port to listen on; 0 takes a free one.")
    language: Literal["zh", "en"] = Field(
        "zh", description="Language in which callers are told that a number takes no calls: zh or en."
    )


class SpeechSettings(_Section):
    """How templates and texts are spoken."""

    engine: Literal["auto", "kokoro", "http", "espeak", "off"] = Field(
        "auto",
        description="kokoro: the embedded voice; http: a server with the OpenAI-compatible speech call; "
        "espeak: espeak-ng, hardly intelligible in Chinese; auto: kokoro if its model is there, else espeak "
        "if the program is there; off: requests with speech are refused.",
    )
    model_dir: str = Field(
        "{data_dir}/speech-models",
        description="The embedded voice's model; `voicecall speech fetch` fills it.",
    )
    threads: int = Field(1, ge=1, description="CPU threads of the embedded voice.")
    niceness: int = Field(
        19, ge=0, le=19, description="Of the embedded voice's process; 19 lets everything else go first."
    )
    parallel: int = Field(1, ge=1, description="Sentences that are synthesised at the same time.")
    waiting: int = Field(
        64,
        ge=1,
        description="Prompts under way or waiting at most; a call that needs one more fails at once.",
    )
    timeout: Seconds = Field(60, description="Seconds that one sentence may take once it is its turn.")
    cache_megabytes: int = Field(512, ge=1, description="What synthesised prompts may take on disk.")
    cache_days: Annotated[float, Field(gt=0)] = Field(
        30, description="Days after which a prompt that nobody was played is dropped."
    )
    http_url: str = Field(
        "", description="Address of the speech server: what comes before `/v1/audio/speech`."
    )
    http_model: str = Field("", description="Name of the model there.")
    http_voice_zh: str = Field("", description="Name of the voice there for Chinese.")
    http_voice_en: str = Field("", description="Name of the voice there for English.")
    http_api_key: SecretStr = Field(SecretStr(""), description="Key for the server, sent as a bearer token.")


class ManagementSettings(_Section):
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
    session_hours: Annotated[float, Field(gt=0)] = Field(12, description="Hours until a login ends.")
    login_attempts: int = Field(
        10,
        ge=1,
        description="Wrong passwords after which an address is locked; a user after four times as many.",
    )
    login_lock_minutes: Annotated[float, Field(gt=0)] = Field(
        15, description="Minutes in which they are counted, and for which it is locked."
    )
    max_apps: int = Field(
        5, ge=0, description="Applications that an account may have, unless the account says otherwise."
    )

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if 0 < len(self.administrator_password.get_secret_value()) < 12:
            raise ValueError("administrator_password must have at least 12 characters")
        return self


class Settings(BaseSettings):
    """Everything that can be set. The environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="VOICECALL_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host_name: str = Field(
        "callenabler1.voicecall.example",
        pattern=r"[A-Za-z0-9.-]{1,128}",
        description="The part of every sessionId after the @; controllers that share a database "
        "may share it.",
    )
    name: str = Field(
        "",
        pattern=r"[A-Za-z0-9-]{0,64}",
        description="Name of this controller among those that share its database, and the end of its Stasis "
        "application's name; empty: there is no other one, and it goes by host_name.",
    )
    data_dir: Path = Field(Path("var"), description="Folder of everything that this controller keeps.")
    http: HttpSettings = HttpSettings()
    authentication: AuthenticationSettings = AuthenticationSettings()
    database: DatabaseSettings = DatabaseSettings()
    asterisk: AsteriskSettings = AsteriskSettings()
    calls: CallSettings = CallSettings()
    phone: PhoneSettings = PhoneSettings()
    dialling: DiallingSettings = DiallingSettings()
    limits: LimitSettings = LimitSettings()
    pushes: PushSettings = PushSettings()
    recordings: RecordingSettings = RecordingSettings()
    billing: BillingSettings = BillingSettings()
    alarms: AlarmSettings = AlarmSettings()
    details: DetailSettings = DetailSettings()
    agi: AgiSettings = AgiSettings()
    capture: CaptureSettings = CaptureSettings()
    speech: SpeechSettings = SpeechSettings()
    management: ManagementSettings = ManagementSettings()
    sounds: SoundSettings = SoundSettings()
    mail: MailSettings = MailSettings()
    metrics: MetricSettings = MetricSettings()
    traces: TraceSettings = TraceSettings()

    @model_validator(mode="after")
    def _details_outlive_recordings(self) -> Self:
        if self.details.keep_days < self.recordings.keep_days:
            raise ValueError(
                f"details.keep_days {self.details.keep_days:g} is less than recordings.keep_days "
                f"{self.recordings.keep_days:g}: without its call nobody finds a recording"
            )
        return self

    @model_validator(mode="after")
    def _calls_outlive_windows(self) -> Self:
        windows = [] if self.limits.callee_frequency == "off" else self.limits.callee_windows
        for text in windows:
            if window(text).length > timedelta(days=self.details.keep_days):
                raise ValueError(
                    f"limits.callee_windows: {text} counts calls for longer than they are kept "
                    f"(details.keep_days, {self.details.keep_days:g})"
                )
        return self

    @model_validator(mode="after")
    def _prefixes_apart(self) -> Self:
        simulated, phones = self.calls.simulated_prefix, self.phone.prefix
        if simulated and phones and (simulated.startswith(phones) or phones.startswith(simulated)):
            raise ValueError(f"phone.prefix {phones} and calls.simulated_prefix {simulated} overlap")
        return self

    @property
    def reserved_prefixes(self) -> dict[str, str]:
        """Beginnings of numbers that no trunk sees, by setting."""
        both = {"calls.simulated_prefix": self.calls.simulated_prefix, "phone.prefix": self.phone.prefix}
        return {name: prefix for name, prefix in both.items() if prefix}

    def is_free(self, number: str) -> bool:
        """Whether calling a number (E.164 text) costs nothing, as no trunk sees it."""
        return number.startswith(tuple(self.reserved_prefixes.values()))

    @property
    def database_url(self) -> str:
        return self._placed(self.database.url)

    @property
    def secret_key_file(self) -> Path:
        """The key that seals secrets in the database, unless `database.secret_key` is set."""
        return self.data_dir.absolute() / "secrets.key"

    @property
    def speech_model_dir(self) -> Path:
        """The model of the embedded voice."""
        return Path(self._placed(self.speech.model_dir)).absolute()

    @property
    def speech_dir(self) -> Path:
        """Prompts that were synthesised."""
        return self.data_dir.absolute() / "speech"

    @property
    def prompt_dir(self) -> Path:
        """Prompts in the form that Asterisk plays."""
        return self.data_dir.absolute() / "prompts"

    @property
    def draft_dir(self) -> Path:
        """Sound files that were uploaded and not approved yet; no node reads them."""
        return self.data_dir.absolute() / "drafts"

    @property
    def upload_dir(self) -> Path:
        """Uploads under way."""
        return self.data_dir.absolute() / "uploads"

    @property
    def controller(self) -> str:
        """The name under which this controller has its calls."""
        return self.name or self.host_name

    @property
    def own_asterisk(self) -> AsteriskSettings:
        """The node, with the Stasis application that is this controller's alone."""
        if not self.name:
            return self.asterisk
        own = f"{self.asterisk.application}-{self.name}"
        return self.asterisk.model_copy(update={"application": own})

    @property
    def recording_dir(self) -> Path:
        """Recordings that were fetched from their nodes."""
        return self.data_dir.absolute() / "recordings"

    @property
    def call_index(self) -> Path:
        """What call details are searched by; made anew when it is missing."""
        return self.data_dir.absolute() / (f"call-index-{self.name}.db" if self.name else "call-index.db")

    @property
    def capture_file(self) -> Path:
        """SIP and RTCP of calls; begun anew when it is missing."""
        return self.data_dir.absolute() / "capture.db"

    @property
    def recording_key(self) -> Path:
        """The key that signs links to recordings and hides which prompts a code is read with."""
        return self.data_dir.absolute() / "recording-links.key"

    @property
    def cdr_file_dir(self) -> Path:
        """CDRs that could not be pushed."""
        return self.data_dir.absolute() / "cdr"

    def _placed(self, text: str) -> str:
        return text.replace("{data_dir}", str(self.data_dir.absolute()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read `path`, else VOICECALL_CONFIG, else ./voicecall.toml if there is one, and the environment.

    Raises FileNotFoundError for a named file that isn't there, and pydantic's ValidationError, which names
    every wrong setting.
    """
    named = path or (Path(os.environ["VOICECALL_CONFIG"]) if "VOICECALL_CONFIG" in os.environ else None)
    file = named or Path("voicecall.toml")
    if not file.exists():
        if named is not None:
            raise FileNotFoundError(f"{named}: no such file")
        return Settings()

    class _WithFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    return _WithFile()
