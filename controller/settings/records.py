"""Settings of what is kept of calls, and where: sections `database`, `recordings` and `details`."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from controller.settings.section import Positive, Section


class DatabaseSettings(Section):
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


class RecordingSettings(Section):
    """How recordings are kept."""

    keep_days: Positive = Field(7, description="Days until a recording is purged.")
    link_minutes: Positive = Field(30, description="Minutes that a link to a recording is good for.")
    inspection_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        5,
        description="Percent of the recordings of an app that consents to quality inspection which are drawn "
        "for it, at random: the operator may listen to these, and both parties hear a hint of its own.",
    )


class DetailSettings(Section):
    """How call details are kept."""

    keep_days: Positive = Field(
        92,
        description="Days, from its end on, until a call is purged with all that is known of it; not less "
        "than recordings.keep_days.",
    )
    mask_digits: bool = Field(
        False, description="Whether call details hide the keys that were pressed; pushes and CDRs have them."
    )
