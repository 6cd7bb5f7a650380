"""All settings, of one file (`voicecall.toml`) and the environment (`VOICECALL_HTTP__PORT=8080`)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from controller.rules.windows import window
from controller.settings.api import AuthenticationSettings, HttpSettings, ManagementSettings
from controller.settings.asterisk import AgiSettings, AsteriskSettings, CaptureSettings
from controller.settings.billing import AlarmSettings, BillingSettings
from controller.settings.calls import CallSettings, PhoneSettings
from controller.settings.content import MailSettings, SoundSettings
from controller.settings.limits import DiallingSettings, LimitSettings
from controller.settings.observability import MetricSettings, TraceSettings
from controller.settings.pushes import PushSettings
from controller.settings.records import DatabaseSettings, DetailSettings, RecordingSettings
from controller.settings.speech import SpeechSettings


class Settings(BaseSettings):
    """Everything that can be set. The environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="VOICECALL_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host_name: str = Field(
        "callenabler1.voicecall.example",
        pattern=r"^[A-Za-z0-9.-]{1,128}$",
        description="The part of every sessionId after the @; controllers that share a database "
        "may share it.",
    )
    name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
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
    def application(self) -> str:
        """The Stasis application that is this controller's alone, on every node."""
        return f"{self.asterisk.application}-{self.name}" if self.name else self.asterisk.application

    @property
    def nodes(self) -> tuple[AsteriskSettings, ...]:
        """The Asterisk nodes, one at least, with that application."""
        nodes = self.asterisk.nodes or (self.asterisk,)
        return tuple(node.model_copy(update={"application": self.application}) for node in nodes)

    @property
    def recording_dir(self) -> Path:
        """Recordings that were fetched from their nodes."""
        return self.data_dir.absolute() / "recordings"

    @property
    def call_index(self) -> Path:
        """What call details are searched by; made anew when it is missing."""
        return self._own("call-index")

    @property
    def capture_file(self) -> Path:
        """SIP and RTCP of calls; begun anew when it is missing."""
        return self._own("capture")

    @property
    def recording_key(self) -> Path:
        """The key that signs links to recordings, and hides what prompts say from those who see names."""
        return self.data_dir.absolute() / "recording-links.key"

    @property
    def cdr_file_dir(self) -> Path:
        """CDRs that could not be pushed."""
        return self.data_dir.absolute() / "cdr"

    def _own(self, what: str) -> Path:
        """A file of this controller's alone in the folder that several may have."""
        return self.data_dir.absolute() / (f"{what}-{self.name}.db" if self.name else f"{what}.db")

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

    Raises FileNotFoundError for a named file that isn't there, pydantic's ValidationError, which names
    every wrong setting, and ValueError for a file that is no TOML.
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

    try:
        return _WithFile()
    except RecursionError:
        raise ValueError(f"{file}: it is nested too deeply") from None
