"""The fake Asterisk as a test holds it: what happens, what goes wrong, what has happened."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from controller.ari.connection import Address
from controller.ari.fake.faults import Faults
from controller.ari.fake.hub import Hub
from controller.ari.fake.objects import FakeChannel, Json
from controller.ari.fake.phones import ANSWERS, Behaviour, Phones, Sounds
from controller.ari.fake.rest import Request, Rest
from controller.ari.fake.server import Server
from controller.ari.fake.switch import Switch, timestamp

_T = TypeVar("_T")


def _answers_at_once(_endpoint: str, _variables: Mapping[str, str]) -> Behaviour:
    return ANSWERS


def _no_length(_media: str) -> float:
    return 0.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakePhone:
    """A phone that is being called, for a test that says each of its steps."""

    def __init__(self, switch: Switch, channel: FakeChannel) -> None:
        self.channel = channel
        self._switch = switch

    def ring(self) -> None:
        """180."""
        self._switch.ring(self.channel)

    def progress(self) -> None:
        """183."""
        self._switch.progress(self.channel)

    def answer(self) -> None:
        """200."""
        self._switch.answer(self.channel)

    def refuse(self, sip_status: int = 0, cause: int | None = None) -> None:
        """Any final status from 300 on."""
        self._switch.refuse(self.channel, sip_status, cause)

    def press(self, digits: str) -> None:
        """Keys, one right after the other."""
        for digit in digits:
            self._switch.press(self.channel, digit)

    def hang_up(self) -> None:
        """BYE."""
        self._switch.phone_hangs_up(self.channel)


class FakeAsterisk:
    """An Asterisk with one user; it is there for the time of an `async with` block.

    `phones` says what each called phone does, `sounds` how long each prompt lasts, `endpoints` are states
    by name ("PJSIP/trunk-a": "online"). A created channel enters its application `entry_delay` seconds
    later. `random` chooses where Asterisk's order of events varies; without it the order is always the
    same. `now` is for the times in messages only; all waiting is by the running loop's clock. `entity_id`
    is what tells it from other machines' Asterisks.
    """

    def __init__(
        self,
        phones: Phones = _answers_at_once,
        *,
        sounds: Sounds = _no_length,
        endpoints: Mapping[str, str] | None = None,
        user: str = "fake",
        password: str = "fake",  # noqa: S107 - it guards nothing
        entry_delay: float = 0.001,
        random: Random | None = None,
        now: Callable[[], datetime] = _utc_now,
        entity_id: str = "fake",
    ) -> None:
        self.faults = Faults()
        self._now = now
        self._boots = 0
        self._user, self._password = user, password
        self._hub = Hub(self.faults, now, self._has_channels)
        listens = self._hub.listening.__contains__
        self._switch = Switch(self._hub.publish, phones, sounds, now, random, entry_delay, listens)
        self._rest = Rest(
            self._switch, self._hub.applications, endpoints or {}, now, self._hub.publish, entity_id
        )
        self._server = Server(self._hub, self._rest, self.faults, user, password)

    def _has_channels(self, application: str) -> bool:
        return any(channel.app == application for channel in self._switch.channels.values())

    # Where it is and what it has

    @property
    def address(self) -> Address:
        """All that a client needs."""
        return Address(self._server.url, self._user, self._password)

    @property
    def startup_time(self) -> str:
        """As in `/asterisk/info`."""
        return self._rest.startup_time

    @property
    def channels(self) -> Mapping[str, FakeChannel]:
        """The channels there are, by id."""
        return self._switch.channels

    @property
    def left(self) -> dict[str, list[str]]:
        """The ids of everything that there is now, by kind; nothing of it when no call is on."""
        media = self._switch.media
        return {
            "channels": list(self._switch.channels),
            "bridges": list(media.bridges),
            "playbacks": list(media.playbacks),
            "recordings": list(media.recordings),
        }

    @property
    def answered(self) -> Mapping[str, float]:
        """Channel id -> when its phone was picked up, on the loop's clock; also of channels that are gone."""
        return self._switch.answered

    @property
    def unheard(self) -> list[str]:
        """Channels that were asked for while nobody listened to their application; they came to nothing."""
        return self._switch.unheard

    @property
    def global_variables(self) -> dict[str, str]:
        """Variables of the whole dialplan."""
        return self._rest.global_variables

    @property
    def objects(self) -> dict[tuple[str, ...], dict[str, str]]:
        """Configuration that was put in over ARI, by module, kind and name."""
        return self._rest.objects

    @property
    def connections(self) -> int:
        """WebSockets that are open."""
        return len(self._hub.sockets)

    @property
    def stored_recordings(self) -> dict[str, tuple[str, bytes]]:
        """Name -> (format, content); a test may add its own."""
        return self._switch.media.stored

    @property
    def requests(self) -> deque[Request]:
        """What was asked, oldest first; the last 10,000."""
        return self._hub.requests

    @property
    def events(self) -> deque[Json]:
        """What happened, whether anybody was listening or not, oldest first; the last 10,000."""
        return self._hub.events

    @property
    def most_unanswered(self) -> int:
        """How many requests were unanswered at once, at most."""
        return self._server.most_unanswered

    @property
    def phones(self) -> Phones:
        """What called phones do; a test may change it for the calls to come."""
        return self._switch.phones

    @phones.setter
    def phones(self, phones: Phones) -> None:
        self._switch.phones = phones

    @property
    def sounds(self) -> Sounds:
        """How long prompts last; a test may change it for the prompts to come."""
        return self._switch.media.sounds

    @sounds.setter
    def sounds(self, sounds: Sounds) -> None:
        self._switch.media.sounds = sounds

    def phone(self, channel_id: str) -> FakePhone:
        """The phone at the other end of a channel. Raises Refusal."""
        return FakePhone(self._switch, self._switch.channel(channel_id))

    # Waiting

    async def until(self, condition: Callable[[], _T | None], *, limit: float = 5.0) -> _T:
        """Wait until `condition` is true; it is asked again after each request, event and connection.

        Raises TimeoutError after `limit` seconds, with what has happened so far.
        """
        return await self._hub.until(condition, limit)

    async def requested(self, operation: str, count: int = 1, *, limit: float = 5.0) -> Request:
        """Wait for the first (or `count`th) request of this operation, unless it has come already."""
        return await self._hub.until(lambda: self._hub.request(operation, count), limit)

    async def told(self, kind: str, count: int = 1, *, limit: float = 5.0, **fields: Any) -> Json:
        """Wait for the first (or `count`th) event of this type with these fields, unless it was already."""
        return await self._hub.until(lambda: self._hub.event(kind, count, fields), limit)

    # Trouble

    def drop_sockets(self) -> None:
        """Cut every connection. Channels stay; what happens until a new one is made nobody is told."""
        self._hub.drop_sockets()

    def refuse_connections(self, refuse: bool = True) -> None:
        """Cut every new connection at once, or no longer."""
        self._server.refusing = refuse

    def go_deaf(self) -> None:
        """Applications are out of service and sockets go on answering, as when Asterisk mixes up two."""
        self._hub.listening.clear()

    def be_taken_over(self) -> None:
        """Another program takes the applications, and is gone again before anything is asked of it."""
        for name, socket in list(self._hub.listening.items()):
            socket.send(
                json.dumps({"type": "ApplicationReplaced", "application": name, "asterisk_id": "fake"})
            )
        self.go_deaf()

    def go_silent(self) -> None:
        """Hang: sockets stay open, nothing is read or said, pings are not answered."""
        self._server.speaking.clear()

    def speak_again(self) -> None:
        """Wake up: what came meanwhile is done, what happened meanwhile is told to whoever is still there."""
        self._server.speaking.set()

    def kill(self) -> None:
        """Die: every call is gone, nobody is told, connections are refused until `start`."""
        self._server.refusing = True
        self._hub.drop_sockets()
        self._switch.clear()
        self._hub.applications.clear()
        self._rest.global_variables.clear()
        self._rest.objects.clear()
        self._hub.changed()

    def start(self) -> None:
        """Come up again after `kill`, without a channel and with a new time of start."""
        self._boots += 1
        self._rest.startup_time = timestamp(self._now() + timedelta(milliseconds=self._boots))
        self._server.refusing = False

    def restart(self) -> None:
        """`kill` and `start` at once."""
        self.kill()
        self.start()

    def send_raw(self, text: str) -> None:
        """Send a text frame over every socket, whatever it is."""
        for socket in self._hub.sockets:
            socket.send(text)

    def send_event(self, kind: str, **fields: Any) -> None:
        """Send an event to every application, as if it had happened."""
        self._hub.publish(list(self._hub.applications), kind, fields)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._switch.clear()
        await self._server.stop()
