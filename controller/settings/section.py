"""What the sections of the settings are made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from controller.phone_number import check_prefix


def _prefix_or_off(text: str) -> str:
    return check_prefix(text) if text else text


def _one_address(text: str) -> str:
    if text in ("", "0.0.0.0", "::"):  # noqa: S104 - refused here
        raise ValueError("must be one address that Asterisk can connect to, not all of this machine's")
    return text


Positive = Annotated[float, Field(gt=0)]
Seconds = Positive
Port = Annotated[int, Field(ge=0, le=65535)]
Prefix = Annotated[str, AfterValidator(_prefix_or_off)]
"""Of numbers, in E.164; empty: none."""
OneAddress = Annotated[str, AfterValidator(_one_address)]
"""To listen on, and under which Asterisk finds it."""


class Section(BaseModel):
    """A section: nothing but what it has, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
