"""Settings of what accounts have played and how their contacts are told: sections `sounds` and `mail`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from controller.settings.section import Seconds, Section


class SoundSettings(Section):
    """Sound files that accounts upload."""

    convert_megabytes: int = Field(
        32, ge=1, description="Largest file that is converted; one in the required form has 2 MB at most."
    )
    convert_timeout: Seconds = Field(30, description="Seconds that looking at one uploaded file may take.")
    uploads: int = Field(
        4,
        ge=1,
        description="Uploads at the same time; with the size above this bounds what they take on disk.",
    )
    files_per_account: int = Field(500, ge=1, description="Sound files that an account may have.")


class MailSettings(Section):
    """The mail server through which contacts of accounts are told."""

    host: str = Field("", description="Name of the SMTP server; empty: no mail is sent, it waits for one.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls: the connection turns to TLS, or nothing is sent; tls: it begins with TLS, "
        "usually on port 465; none: for a relay on this machine.",
    )
    ca_file: str = Field(
        "", description="File of certificate authorities to trust beside the system's; empty: none."
    )
    user: str = Field("", description="User to log in as; empty: without login.")
    password: SecretStr = Field(SecretStr(""), description="Password of the user.")
    password_file: str = Field("", description="File that holds the password instead, alone.")
    sender: str = Field("voicecall@localhost", description="Address that mail comes from.")
    timeout: Seconds = Field(20, description="Seconds for one message, from connecting to acceptance.")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password.get_secret_value() and self.password_file:
            raise ValueError("password and password_file exclude each other")
        return self

    def secret(self) -> str:
        """The password in force. Raises OSError."""
        if self.password_file:
            return Path(self.password_file).read_text("utf-8").strip()
        return self.password.get_secret_value()
