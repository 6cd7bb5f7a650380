"""Whose messages are whose, in memory: bounded, and shedding whole legs when too many begin.

An INVITE comes before the leg is known whose it is, or just after. Dialogs that no leg claims - those of
strangers, and whatever is no call - are forgotten.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from controller.capture import hep
from controller.capture.leg_capture import LegCapture

_UNCLAIMED: Final = 1000
"""Dialogs that wait to be claimed at most."""
_UNCLAIMED_PACKETS: Final = 16
_QUIET: Final = 3.0
"""Seconds after the last message of a dialog that is over; messages are repeated when an answer got lost."""
_SILENT: Final = 900.0
"""Seconds after which a leg of which nothing is heard is put away; its end was lost."""
_MOST_LEGS: Final = 5000
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Of all messages in memory."""
_SHED: Final = 10_000
"""Legs that are remembered as shed."""
_BURST: Final = 2.0
"""Seconds of the rate that may come at once."""


class Gathering:
    """The legs that go on, and those that are over and not put away yet.

    :param rate: legs a second that are kept; what comes faster is shed.
    :param now: seconds that never go back.
    """

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._rate = rate
        self._now = now
        self._tokens = max(1.0, rate * _BURST)
        self._filled_at = now()
        self._unclaimed: OrderedDict[str, list[hep.Packet]] = OrderedDict()
        self._legs: dict[str, LegCapture] = {}
        self._heard_at: dict[str, float] = {}
        self._unread: dict[str, float] = {}
        """Dialogs with messages since they were last seen to go on (to see that, they are read), and when the
        last one came."""
        self._ids: dict[str, list[str]] = {}
        self._shed: OrderedDict[str, str] = OrderedDict()
        """Dialog -> call."""
        self._bytes = 0

    def take(self, packet: hep.Packet) -> None:
        """Take in a packet: to its leg, to those that may be claimed, or nowhere."""
        name = packet.correlation
        leg = self._legs.get(name)
        if leg is not None:
            self._add(leg, packet)
            return
        waiting = self._unclaimed.get(name)
        if waiting is not None:
            if len(waiting) < _UNCLAIMED_PACKETS:
                waiting.append(packet)
        elif packet.protocol == hep.SIP and packet.payload.startswith(b"INVITE ") and name not in self._shed:
            self._unclaimed[name] = [packet]
            if len(self._unclaimed) > _UNCLAIMED:
                self._unclaimed.popitem(last=False)

    def claim(self, call_id: str, leg: str, sip_id: str) -> None:
        """This dialog is this leg's."""
        if sip_id in self._legs:
            return
        waiting = self._unclaimed.pop(sip_id, ())
        if not self._has_room():
            self._shed[sip_id] = call_id
            if len(self._shed) > _SHED:
                self._shed.popitem(last=False)
            return
        made = self._legs[sip_id] = LegCapture(call_id, leg, sip_id)
        self._heard_at[sip_id] = self._now()
        self._ids.setdefault(call_id, []).append(sip_id)
        for packet in waiting:
            self._add(made, packet)

    def of_call(self, call_id: str) -> list[LegCapture]:
        """What is here of a call."""
        return [self._legs[sip_id] for sip_id in self._ids.get(call_id, ())]

    def was_shed(self, call_id: str) -> bool:
        """Whether a leg of this call was shed, as far as that is remembered."""
        return call_id in self._shed.values()

    def finished(self) -> Iterator[LegCapture]:
        """Legs of which nothing more is expected, or which must make room."""
        now = self._now()
        over = len(self._legs) - _MOST_LEGS
        for number, (sip_id, leg) in enumerate(self._legs.items()):
            if number < over or now - self._heard_at[sip_id] > _SILENT or self._is_over(leg, now):
                yield leg

    def _is_over(self, leg: LegCapture, now: float) -> bool:
        said_at = self._unread.get(leg.sip_id)
        if said_at is None or now - said_at <= _QUIET:
            return False
        over = leg.is_over
        if not over:
            # It talks, as a rule for long: of a call's memory its messages would be a third.
            del self._unread[leg.sip_id]
            leg.fold()
        return over

    def all(self) -> list[LegCapture]:
        """Every leg that is here."""
        return list(self._legs.values())

    def drop(self, leg: LegCapture) -> None:
        """The leg was put away."""
        if self._legs.pop(leg.sip_id, None) is None:
            return
        del self._heard_at[leg.sip_id]
        self._unread.pop(leg.sip_id, None)
        self._bytes -= leg.size
        rest = [sip_id for sip_id in self._ids[leg.call_id] if sip_id != leg.sip_id]
        if rest:
            self._ids[leg.call_id] = rest
        else:
            del self._ids[leg.call_id]

    def _add(self, leg: LegCapture, packet: hep.Packet) -> None:
        before, now = leg.size, self._now()
        leg.add(packet)
        if packet.protocol == hep.SIP:
            self._unread[leg.sip_id] = now
        self._bytes += leg.size - before
        self._heard_at[leg.sip_id] = now

    def _has_room(self) -> bool:
        now = self._now()
        full = max(1.0, self._rate * _BURST)
        self._tokens = min(full, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1 or self._bytes > _MOST_BYTES or len(self._legs) >= 2 * _MOST_LEGS:
            return False
        self._tokens -= 1
        return True
