"""What is told of one call: made from stored rows alone, and only what they hold."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

from controller.rules.amounts import amount_text
from controller.store.tables import Service

Amount = Annotated[Decimal, PlainSerializer(amount_text, return_type=str)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class Request(_Part):
    """What was asked for, as it was accepted. Codes and spoken texts are kept nowhere."""

    service: Service
    """Which service."""
    display_number: str
    """Shown to the first phone; already another one if that asked for was suspended."""
    first_number: str
    """The first phone: A of a callback, else the callee."""
    second_display_number: str | None
    """Of a callback: shown to B."""
    second_number: str | None
    """Of a callback: B."""
    bind_number: str | None
    """The app's business number."""
    options: dict[str, Any] | None
    """Of a callback: voices by name, early media, maximum duration, recording."""
    user_data: str | None
    """As the customer gave it."""
    push_profile: str
    """compat or durable."""


class Decisions(_Part):
    """What the platform decided."""

    controller: str
    """Host name of the controller that ran the call."""
    node: str
    """The Asterisk that it ran on."""
    first_trunk: str | None
    """The trunk that carried the first leg; null: none, as for simulated callees and fixed contacts."""
    second_trunk: str | None
    """The same of B."""
    failovers: list[str]
    """Trunks that failed before, in words."""
    simulated: bool
    """Whether a callee without a phone answers for one of the numbers."""


class Span(_Part):
    """Something that lasts, at one leg."""

    kind: Literal["dialling", "ringing", "prompt", "waiting", "listening", "talking"]
    """waiting: A while B is reached; listening: answered, and nothing else."""
    begins: datetime
    """When."""
    ends: datetime
    """When; of a call that goes on, now."""
    text: str
    """In words."""


class LegReport(_Part):
    """One phone."""

    name: Literal["a", "b"]
    """b: the second phone of a callback."""
    number: str
    """The phone's."""
    shown: str
    """What it sees."""
    trunk: str | None
    """What carried it."""
    dialled: datetime | None
    """When."""
    ringing: datetime | None
    """When it began to."""
    answered: datetime | None
    """When."""
    ring_seconds: float | None
    """Until the answer, or the end."""
    talk_seconds: float | None
    """From the answer to the end."""
    cause: int
    """Q.850 of a leg that failed; 0: none."""
    cause_text: str
    """In words."""
    spans: list[Span]
    """In order of their begin."""


class Step(_Part):
    """Something that happened; of calls, legs and pushes on one axis."""

    at: datetime
    """When."""
    seconds: float
    """Since the call was accepted."""
    kind: str
    """As the timeline has it, or `push`."""
    leg: str | None
    """At which leg."""
    text: str
    """In words."""


class PushReport(_Part):
    """One attempt at a push."""

    id: int
    """Names it among the attempts at pushes."""
    at: datetime
    """When."""
    message_id: str
    """Of the message."""
    event_type: str
    """What it told."""
    sequence: int | None
    """Its number in the call."""
    attempt: int
    """1 is the first."""
    url: str
    """Where it went."""
    latency_ms: int
    """From connecting to the answer."""
    status: int | None
    """Of HTTP; null: no answer."""
    failure: str | None
    """What kind of failure; null: none."""
    error: str | None
    """In words."""
    answer: str
    """Beginning of the receiver's answer."""
    body: str | None
    """What it said, made again from what is kept; of a CDR, this call's alone. null: can't be made."""


class CdrDeliveryReport(_Part):
    """What became of the CDR's push."""

    state: Literal["delivered", "waiting", "held", "filed"]
    """waiting for the next attempt, held for a disabled endpoint, or filed after the last one."""
    attempts: int
    """So far."""
    next_at: datetime | None
    """When the next one is due."""


class Cost(_Part):
    """What the call cost."""

    amount: Amount
    """In the currency of the bills."""
    minute_price: Amount
    """Of each started minute and leg."""
    minutes: int
    """Started ones, of all legs."""
    legs: int
    """That were answered."""


class RecordingReport(_Part):
    """The recording."""

    name: str
    """Its file."""
    state: str
    """How far it has come."""
    seconds: float
    """How long it is; 0 while it isn't fetched."""
    link: str | None
    """Opens it for a while, on this host; null when there is no file."""
    peaks: list[float]
    """Loudest sample of each of as many equal parts, 0 to 1; none without a file."""


class SipReport(_Part):
    """A SIP message that the node sent or received."""

    at: datetime
    """When, by the node's clock."""
    seconds: float
    """Since the call was accepted."""
    leg: Literal["a", "b"]
    """Of which leg."""
    dialog: int
    """Which attempt at the leg, from 1: each trunk that was tried has one of its own."""
    sent: bool
    """By the node; false: by the phone or the carrier."""
    method: str
    """Of the request, or of the one that is answered."""
    status: int | None
    """Of an answer; null: a request."""
    text: str
    """Such as INVITE, or 180 Ringing."""
    repeated: bool
    """Whether it was the same as one before: an answer to it got lost."""
    source: str | None
    """Where it came from, host:port; null: for the operator's users alone."""
    destination: str | None
    """Where it went."""
    message: str | None
    """All of it, without secrets."""


class QualityReport(_Part):
    """Sound in one direction of a leg, from RTCP."""

    leg: Literal["a", "b"]
    """Of which leg."""
    direction: Literal["from_phone", "to_phone"]
    """from_phone: what the phone sends, as the node received it; to_phone: as the phone received it."""
    codec: str
    """As it was agreed on; "": not known."""
    reports: int
    """From how many reports."""
    packets: int
    """Sent so far."""
    lost: int
    """Of them."""
    loss_percent: float
    """Of them."""
    worst_loss_percent: float
    """Between two reports."""
    jitter_ms: float
    """Mean."""
    worst_jitter_ms: float
    """Highest."""
    round_trip_ms: float | None
    """Mean; null: not known."""
    mos: float
    """What people would say of it, 1 to 4.5, by the E-model of ITU-T G.107."""


class CaptureReport(_Part):
    """What the call's legs said in SIP and RTCP."""

    missing: str | None
    """Why there are no messages, or not all; null: nothing is known to be missing."""
    messages: list[SipReport]
    """In order of their time."""
    left_out: int
    """Messages that there was no room for."""
    quality: list[QualityReport]
    """Of each leg and direction that there were reports of."""
    quality_missing: dict[str, str]
    """Why there is none of a leg: by its name, in words."""


class CallReport(_Part):
    """Everything needed to understand one call."""

    verdict: str
    """How it went, in a sentence."""
    request: Request
    """What was asked for."""
    decisions: Decisions
    """What was decided."""
    state_code: int | None
    """How it ended; null while it goes on."""
    cut_point: int | None
    """ulFailReason."""
    sip_status: int
    """What the carrier sent; 0: nothing."""
    sip_text: str
    """In words."""
    legs: list[LegReport]
    """One, or two of a callback."""
    steps: list[Step]
    """All that happened, in order."""
    pushes: list[PushReport]
    """Every attempt that is still kept."""
    cdr_delivery: CdrDeliveryReport | None
    """null: the CDR goes nowhere."""
    cost: Cost | None
    """null until it is rated."""
    recording: RecordingReport | None
    """null: nothing was recorded."""
    capture: CaptureReport
    """SIP and RTCP."""
