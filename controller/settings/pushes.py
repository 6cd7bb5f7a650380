"""Settings of how the customer is told: section `pushes`."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field

from controller.settings.section import Positive, Seconds, Section


class PushSettings(Section):
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
    attempts_days: Positive = Field(14, description="Days for which every attempt at a push is kept.")
    disable_after_days: Positive = Field(
        5, description="Days of nothing but failures after which an endpoint is sent nothing more."
    )
