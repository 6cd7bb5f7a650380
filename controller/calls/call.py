"""A call: what was asked for, its identity, and what has happened to it."""

from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, ClassVar, Protocol

from controller.calls.collection import NO_REPLAY, ReplayRule
from controller.calls.timeline import Entry, Kind, Timeline
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.prompts.library import is_gone
from controller.prompts.reading import Passage
from controller.store.tables import PushProfile, Service


@dataclass(frozen=True)
class Prompt:
    """A sound that every node can play: `media` is for Asterisk, `name` is the customer's."""

    name: str
    media: str
    seconds: float = 0.0
    spoken: bool = False
    """It was synthesised."""


@dataclass(frozen=True)
class Spoken:
    """Words to be said: a template with its values ("name" is its id), or a text. They never print."""

    name: str
    passages: tuple[Passage, ...] = field(repr=False)


@dataclass(frozen=True)
class PlayItem:
    """One item of a notification: a prompt, how many digits to collect after it, and when to repeat it.

    Words are made a prompt before the phone is dialled.
    """

    prompt: Prompt | Spoken
    collect: int = 0
    replay: ReplayRule = NO_REPLAY


@dataclass(frozen=True)
class Notification:
    """Play one to five items to one phone."""

    items: tuple[PlayItem, ...]

    service: ClassVar[Service] = Service.NOTIFICATION


@dataclass(frozen=True)
class Verification:
    """Read a code to one phone. The code is nowhere but in `digits`, which never print."""

    pre_tone: Prompt
    digits: tuple[Prompt, ...] = field(repr=False)
    post_tone: Prompt | None
    times: int
    """How often the code is read; 0: until the phone hangs up."""

    service: ClassVar[Service] = Service.VERIFICATION


class CalleeMedia(StrEnum):
    """What of the callee's early media reaches the caller."""

    ALL = "all"
    NONE = "none"
    FAIL = "fail"


@dataclass(frozen=True)
class Callback:
    """Call A (the request's callee), then B, and join them."""

    callee: PhoneNumber
    """B."""
    display_number: PhoneNumber
    """Shown to B."""
    pre_voice: Prompt | None = None
    wait_voice: Prompt | None = None
    callee_media: CalleeMedia = CalleeMedia.ALL
    max_minutes: int = 0
    last_minute_voice: Prompt | None = None
    last_minute_to: frozenset[str] = frozenset({"a", "b"})
    record: bool = False
    hint_tone: Prompt | None = None
    inspection_tone: Prompt | None = None
    """Tells both that somebody may listen; there if the recording is drawn for quality inspection."""
    tells_party: bool = False
    """Whether the customer is told who hung up."""

    service: ClassVar[Service] = Service.CALLBACK


Plan = Notification | Verification | Callback


def media_of(plan: Plan) -> set[str]:
    """What Asterisk is told to play in a call, as far as it was a file when the call was asked for."""
    prompts: list[Prompt | Spoken | None]
    match plan:
        case Notification():
            prompts = [item.prompt for item in plan.items]
        case Verification():
            prompts = [plan.pre_tone, plan.post_tone]
        case Callback():
            prompts = [getattr(plan, name) for name in _VOICES]
    return {prompt.media for prompt in prompts if isinstance(prompt, Prompt)}


def is_inspected(plan: Plan) -> bool:
    """Whether the call's recording is drawn for quality inspection, and both could be told so."""
    tone = plan.inspection_tone if isinstance(plan, Callback) else None
    return tone is not None and not is_gone(tone.media)


def kept_plan(plan: Plan) -> dict[str, Any] | None:
    """What of a plan is written down, so that a talking callback outlives its controller.

    The other two are not resumed, and of a verification nothing may be kept.
    """
    if not isinstance(plan, Callback):
        return None
    voices = {name: asdict(voice) if (voice := getattr(plan, name)) else None for name in _VOICES}
    return {
        **voices,
        "callee": plan.callee.e164,
        "display_number": plan.display_number.e164,
        "callee_media": plan.callee_media,
        "max_minutes": plan.max_minutes,
        "last_minute_to": sorted(plan.last_minute_to),
        "record": plan.record,
        "tells_party": plan.tells_party,
    }


_VOICES = ("pre_voice", "wait_voice", "last_minute_voice", "hint_tone", "inspection_tone")


def restored_plan(service: Service, kept: dict[str, Any] | None) -> Plan:
    """The plan of a call as far as it was written down, and this version knows what was."""
    if service is Service.NOTIFICATION:
        return Notification(())
    if service is Service.VERIFICATION:
        return Verification(Prompt("", ""), (), None, 1)
    values = _known(Callback, kept or {})
    voices = {
        name: Prompt(**_known(Prompt, voice)) if (voice := values.pop(name, None)) else None
        for name in _VOICES
    }
    return Callback(
        **{
            **values,
            **voices,
            "callee": PhoneNumber(values["callee"]),
            "display_number": PhoneNumber(values["display_number"]),
            "callee_media": CalleeMedia(values["callee_media"]),
            "last_minute_to": frozenset(values["last_minute_to"]),
        }
    )


def unknown_fields(kept: dict[str, Any] | None) -> set[str]:
    """What of a plan was written down by a newer version, and is nothing to this one."""
    return set(kept or {}) - _known(Callback, kept or {}).keys()


def _known(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    names = {its.name for its in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


@dataclass(frozen=True)
class CallRequest:
    """What an application asked for, checked and resolved. `callee` is the first phone that is called."""

    account_id: str
    app_key: str
    display_number: PhoneNumber
    callee: PhoneNumber
    plan: Plan
    user_data: str | None = None
    status_url: str | None = None
    fee_url: str | None = None
    bind_number: PhoneNumber | None = None
    """The app's business number, if it has one; nobody is shown it for that."""
    push_profile: PushProfile = PushProfile.COMPAT

    @property
    def service(self) -> Service:
        return self.plan.service

    @property
    def addressee(self) -> PhoneNumber:
        """Whom the call is for."""
        return self.plan.callee if isinstance(self.plan, Callback) else self.callee

    @property
    def caller(self) -> PhoneNumber | None:
        """For whom a callback is made."""
        return self.callee if isinstance(self.plan, Callback) else None

    @property
    def second_display_number(self) -> PhoneNumber | None:
        """What B of a callback is shown."""
        return self.plan.display_number if isinstance(self.plan, Callback) else None

    @property
    def shown(self) -> tuple[PhoneNumber, ...]:
        """The numbers that the phones see."""
        second = self.second_display_number
        return (self.display_number,) if second is None else (self.display_number, second)

    def partner_sees(self, leg: str) -> PhoneNumber:
        """The number by which the other leg knows this one."""
        return self.numbers_of("a" if leg == "b" else "b")[0]

    def numbers_of(self, leg: str) -> tuple[PhoneNumber, PhoneNumber]:
        """(number shown, number called) of a leg."""
        if leg == "b" and isinstance(self.plan, Callback):
            return self.plan.display_number, self.plan.callee
        return self.display_number, self.callee


_SERVICE_NUMBERS = {Service.NOTIFICATION: 1200, Service.VERIFICATION: 1201, Service.CALLBACK: 1202}


@dataclass
class Identities:
    """Gives calls their ids: readable, unique over restarts and controllers, safe in URLs and file names.

    The cloud's form is `{number}_{number}_{number}_{yyyyMMddHHmmss}@{host}`; ours has the millisecond, or one
    that is later as there was a call in it, and a random number where the cloud has two of its own. So ids
    come in order, and what is written of a call stands at the end of every index, however many there are.
    """

    host_name: str
    clock: Clock
    random: Random
    latest: int = 0

    def next(self, service: Service) -> tuple[str, str]:
        """(call id, session id) of the next call; the call id is the session id without the host."""
        now = self.clock.now()
        self.latest = max(self.latest + 1, int(now.timestamp() * 1000))
        salt = self.random.getrandbits(32)
        call_id = f"{_SERVICE_NUMBERS[service]}_{self.latest}_{salt}_{now:%Y%m%d%H%M%S}"
        return call_id, f"{call_id}@{self.host_name}"


@dataclass
class LiveCall:
    """A call under way. `on_entry` is told everything that happens, at once and in order."""

    id: str
    session_id: str
    request: CallRequest
    clock: Clock
    on_entry: Callable[["LiveCall", Entry], None]
    timeline: Timeline = field(default_factory=Timeline)
    node: str = ""
    """The name of the Asterisk node that it is on."""
    left_at: datetime | None = None
    """The last sign of life of the controller that left it behind, if that is known."""
    whole: bool = True
    """False: what is known of it is enough for its record, and not for going on with it."""

    def tell(self, kind: Kind, leg: str | None = None, detail: Mapping[str, Any] | None = None) -> Entry:
        """Record that something happened now."""
        entry = Entry(self.timeline.next_sequence, self.clock.now(), kind, leg, dict(detail or {}))
        self.timeline.add(entry)
        self.on_entry(self, entry)
        return entry

    @property
    def legs(self) -> dict[str, tuple[str, datetime | None]]:
        """The number that each leg calls, and when it answered; what a call costs comes from that."""
        names = ("a", "b") if isinstance(self.request.plan, Callback) else ("a",)
        return {
            name: (self.request.numbers_of(name)[1].e164, self.timeline.leg(name).answered) for name in names
        }

    @property
    def accepted_at(self) -> datetime:
        return self.timeline.entries[0].at


class StatusTeller(Protocol):
    """Tells the customer what happens."""

    def tell(self, call: LiveCall, entry: Entry, after: Future[None] | None = None) -> None:
        """Something happened; the customer is told once `after` is done. Must not wait itself."""
        ...
