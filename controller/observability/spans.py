"""A span of a call's trace, as it is kept until it is sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

ROOT: Final = "call"
"""The part that all others of a call hang under."""

Attributes = Mapping[str, str | int | bool]


class Span(NamedTuple):
    """A part of a call's trace, that is over. Its ids follow from the call's and the part's (`trace_ids`)."""

    call_id: str
    part: str
    name: str
    begin: datetime
    end: datetime
    attributes: Attributes
    failed: bool = False
    client: bool = False
