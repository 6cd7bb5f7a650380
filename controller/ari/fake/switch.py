"""The channels of a fake Asterisk and what happens to them; no network.

Everything here was seen on Asterisk 22.10.1: the order of events, the states in which a command is refused,
the causes and SIP statuses of each end. Where two orders were seen, the injected randomness chooses.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random

from controller.ari.fake.media import Media
from controller.ari.fake.objects import FakeChannel, Json
from controller.ari.fake.phones import Behaviour, Phones, Sounds, cause_of, cause_text, sip_status_of

Publish = Callable[[Iterable[str], str, Json], None]
"""(applications, type, fields): an event is on its way."""

_NORMAL_CLEARING, _NO_ANSWER = 16, 19
_SOFT_HANGUP = 32
_DECLINED = 603
_DIAL_STATUS_OF_CAUSE = {17: "BUSY", 34: "CONGESTION"}


class Refusal(Exception):
    """A request can't be done: the HTTP status and the message of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


NO_CHANNEL = (404, "Channel not found")
NOT_IN_STASIS = (409, "Channel not in Stasis application")


def timestamp(moment: datetime) -> str:
    """A time as Asterisk writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}{moment:%z}"


class Switch:
    """Channels: created, in Stasis, dialled, ringing, up, gone."""

    def __init__(
        self,
        publish: Publish,
        phones: Phones,
        sounds: Sounds,
        now: Callable[[], datetime],
        random: Random | None,
        entry_delay: float,
        listens: Callable[[str], bool],
    ) -> None:
        self.phones = phones
        self.channels: dict[str, FakeChannel] = {}
        self.answered: dict[str, float] = {}
        """Channel id -> when its phone was picked up, on the loop's clock; also of channels that are gone."""
        self.unheard: list[str] = []
        """Channels that were asked for while nobody listened to their application: Asterisk loses those."""
        self.media = Media(publish, sounds, now)
        self._publish = publish
        self._now = now
        self._random = random
        self._entry_delay = entry_delay
        self._listens = listens
        self._created = 0

    def channel(self, channel_id: str) -> FakeChannel:
        """The channel with this id. Raises Refusal."""
        found = self.channels.get(channel_id)
        if found is None:
            raise Refusal(*NO_CHANNEL)
        return found

    def make(
        self,
        channel_id: str,
        endpoint: str,
        app: str,
        app_args: list[str],
        variables: Json,
        *,
        originated: bool = False,
    ) -> FakeChannel:
        """A channel; it enters its application in a moment, or if `originated` when the phone answers.

        If nobody listens to the application the first kind is lost at once, the second when it is answered.
        """
        technology, _, resource = endpoint.partition("/")
        name = f"{technology}/{resource.split('@')[-1].split('/')[0]}-{self._created:08x}"
        self._created += 1
        channel = FakeChannel(channel_id, name, app, app_args, endpoint, timestamp(self._now()))
        channel.originated = originated
        if not self._listens(app):
            self.unheard.append(channel_id)
        if originated or self._listens(app):
            self.channels[channel_id] = channel
        if not originated and self._listens(app):
            self._later(channel, self._entry_delay, self._enter)
        for variable, value in variables.items():
            reported = isinstance(value, dict) and bool(value.get("report_events"))
            self.set_variable(channel, variable, value["value"] if isinstance(value, dict) else value)
            if reported:
                channel.reported.add(variable)
        return channel

    def set_variable(self, channel: FakeChannel, name: str, value: str) -> None:
        """Set a variable or function; whoever listens to the channel is told."""
        channel.variables[name] = value
        if channel.id not in self.channels:
            return
        if name.startswith("CALLERID"):
            self._tell(channel, "ChannelCallerId", {"caller_presentation": 0})
        else:
            self._tell(channel, "ChannelVarset", {"variable": name, "value": value})

    def _enter(self, channel: FakeChannel) -> None:
        channel.in_stasis = True
        self._tell(channel, "ChannelDialplan", {"dialplan_app": "Stasis", "dialplan_app_data": channel.app})
        self._tell(channel, "StasisStart", {"args": channel.app_args})

    def dial(self, channel: FakeChannel, timeout: float | None) -> None:
        """Have the phone called. Raises Refusal."""
        if not channel.in_stasis:
            raise Refusal(*NOT_IN_STASIS)
        if channel.state != "Down":
            raise Refusal(409, "Channel is not in the 'Down' state")
        if channel.dialled:
            # Seen: a second dial before the phone rings ends the call.
            self._later(channel, 0, lambda it: self._end(it, {}, _NORMAL_CLEARING, 0))
            return
        self.call(channel, timeout)

    def call(self, channel: FakeChannel, timeout: float | None) -> None:
        """Call the phone."""
        channel.dialled = True
        behaviour = self.phones(channel.endpoint, channel.variables)
        dialled = channel.endpoint.partition("/")[2]
        self._later(channel, 0, lambda it: self._tell_dial(it, "", dialled))
        if timeout is not None and timeout >= 0:
            self._later(channel, timeout, self._give_up)
        if behaviour.ring_after is not None:
            ring = self.progress if behaviour.early_media else self.ring
            self._later(channel, behaviour.ring_after, ring)
        if behaviour.answer_after is not None:
            self._later(channel, behaviour.answer_after, lambda it: self._final(it, behaviour))

    def _give_up(self, channel: FakeChannel) -> None:
        if channel.originated:
            self._destroy(channel, _NO_ANSWER, 480)
        else:
            self._soft_hang_up(channel, _NO_ANSWER, 480)

    def _final(self, channel: FakeChannel, behaviour: Behaviour) -> None:
        if behaviour.refuses:
            self.refuse(channel, behaviour.sip_status or 0, behaviour.cause)
        else:
            self.answer(channel, behaviour)

    def ring(self, channel: FakeChannel) -> None:
        """The phone says 180."""

        def changed() -> None:
            channel.state = "Ringing"
            self._tell(channel, "ChannelStateChange")

        self._in_any_order(changed, lambda: self._tell_dial(channel, "RINGING"))

    def progress(self, channel: FakeChannel) -> None:
        """The phone says 183 and sends sound; the state of the channel does not change."""
        self._sounds(channel)
        self._tell_dial(channel, "PROGRESS")

    def answer(self, channel: FakeChannel, behaviour: Behaviour | None = None) -> None:
        """The phone is picked up."""
        channel.cancel_timers()
        self._sounds(channel)
        self.answered[channel.id] = asyncio.get_running_loop().time()
        channel.state = "Up"
        self._tell(channel, "ChannelStateChange")
        self._tell_dial(channel, "ANSWER")
        if channel.originated:
            self._later(
                channel, self._entry_delay, self._enter if self._listens(channel.app) else self._turn_away
            )
        if behaviour is None:
            return
        for after, digit in behaviour.digits:
            self._later(channel, after, functools.partial(self.press, digit=digit))
        if behaviour.hang_up_after is not None:
            self._later(channel, behaviour.hang_up_after, self.phone_hangs_up)

    def _turn_away(self, channel: FakeChannel) -> None:
        """Seen: a phone that answers while nobody listens to the application is hung up."""
        self._destroy(channel, _NORMAL_CLEARING, 0)

    @staticmethod
    def _sounds(channel: FakeChannel) -> None:
        if channel.sounds_since is None:
            channel.sounds_since = asyncio.get_running_loop().time()

    def press(self, channel: FakeChannel, digit: str, duration_ms: int = 120) -> None:
        """A key is pressed and released."""
        self._tell(channel, "ChannelDtmfReceived", {"digit": digit, "duration_ms": duration_ms})

    def refuse(self, channel: FakeChannel, sip_status: int, cause: int | None = None) -> None:
        """The phone (or the network before it) ends the call with a final SIP status."""
        cause = cause_of(sip_status) if cause is None else cause
        request: Json = {"cause": cause}
        if sip_status:
            request["tech_cause"] = sip_status
        self._end(channel, request, cause, sip_status)

    def phone_hangs_up(self, channel: FakeChannel, cause: int = _NORMAL_CLEARING) -> None:
        """The phone says BYE."""
        self._end(channel, {}, cause, 0)

    def hang_up(self, channel: FakeChannel, cause: int | None) -> None:
        """Asterisk ends the call because it was told so."""
        cause = _NORMAL_CLEARING if cause is None else cause
        self._soft_hang_up(channel, cause, sip_status_of(cause) if channel.dialled else _DECLINED)

    def _soft_hang_up(self, channel: FakeChannel, cause: int, sip_status: int) -> None:
        self._end(channel, {"cause": _SOFT_HANGUP, "soft": True}, cause, sip_status)

    def _end(self, channel: FakeChannel, request: Json, cause: int, sip_status: int) -> None:
        self._tell(channel, "ChannelHangupRequest", request)
        if channel.originated and channel.state != "Up":
            self._tell_dial(channel, _DIAL_STATUS_OF_CAUSE.get(cause, "NOANSWER"))
        self._destroy(channel, cause, sip_status)

    def _destroy(self, channel: FakeChannel, cause: int, sip_status: int) -> None:
        channel.cancel_timers()
        self.media.leave(channel)
        if channel.in_stasis:
            channel.in_stasis = False
            self._tell(channel, "StasisEnd")
        end: Json = {"cause": cause, "cause_txt": cause_text(cause)}
        if sip_status:
            end["tech_cause"] = sip_status
        del self.channels[channel.id]
        self._tell(channel, "ChannelDestroyed", end)

    def clear(self) -> None:
        """The process dies: nothing is left and nobody is told."""
        for channel in self.channels.values():
            channel.cancel_timers()
        self.channels.clear()
        self.media.clear()

    def _later(self, channel: FakeChannel, delay: float, step: Callable[[FakeChannel], None]) -> None:
        loop = asyncio.get_running_loop()
        channel.timers.append(loop.call_later(delay, step, channel))

    def _in_any_order(self, first: Callable[[], None], second: Callable[[], None]) -> None:
        if self._random is not None and self._random.random() < 0.5:
            first, second = second, first
        first()
        second()

    def _tell(self, channel: FakeChannel, kind: str, fields: Json | None = None) -> None:
        self._publish((channel.app,), kind, {**(fields or {}), "channel": channel.to_json()})

    def _tell_dial(self, channel: FakeChannel, status: str, dialled: str = "") -> None:
        fields = {"dialstatus": status, "forward": "", "dialstring": dialled, "peer": channel.to_json()}
        self._publish((channel.app,), "Dial", fields)
