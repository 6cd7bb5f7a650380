"""Settings of how calls and the phones in browsers behave: sections `calls` and `phone`."""

from typing import Annotated

from pydantic import Field

from controller.settings.section import Prefix, Seconds, Section


class CallSettings(Section):
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
    simulated_prefix: Prefix = Field(
        "+999",
        description="Numbers that begin so are callees without a phone, no trunk sees them; empty: none.",
    )
    drain_timeout: Seconds = Field(10, description="Seconds that calls may go on after SIGTERM or Ctrl-C.")
    hand_over: bool = Field(
        True,
        description="Whether callbacks whose phones talk longer than that go on after SIGTERM, for the next "
        "controller to take over; Ctrl-C ends them.",
    )


class PhoneSettings(Section):
    """The phone in the browser."""

    prefix: Prefix = Field(
        "+990",
        description="Test numbers of phones in browsers begin so, no trunk sees them; empty: there are none.",
    )
    minutes: Annotated[float, Field(gt=0, le=1440)] = Field(
        120, description="Minutes until a phone that was switched on is switched off by itself."
    )
