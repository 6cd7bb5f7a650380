"""How a call went, in a sentence."""

from dataclasses import dataclass
from functools import reduce

from controller.calls.timeline import Kind, Timeline
from controller.details.report import LegReport
from controller.details.words import end, q850, sip
from controller.store.call_detail import StoredCall
from controller.store.tables import Service
from controller.wording import N_, Say, english, spaced

_BY_THE_PLATFORM = frozenset({7108, 8000, 8003, 8005, 8006, 8007, 8008, 8009, 8010, 8017})
"""Ends for which no carrier sent anything, whatever the CDR says for the customer."""


def verdict(stored: StoredCall, timeline: Timeline, legs: list[LegReport], say: Say = english) -> str:
    """One sentence, the most important thing first."""
    return spaced(_Verdict(stored, timeline, legs, say).text())


@dataclass(frozen=True)
class _Verdict:
    stored: StoredCall
    timeline: Timeline
    legs: list[LegReport]
    say: Say

    def text(self) -> str:
        say, state_code = self.say, self.stored.call.state_code or 0
        if self.stored.record is None:
            return say("The call goes on: %(how)s.") % {"how": self._goes_on()}
        if state_code == 0:
            return say("%(went)s; %(ended)s.") % {"went": self._normal(), "ended": self._who_hung_up()}
        leg = self._leg_of_end()
        said, details = end(state_code, self._name(leg), say), self._details(leg, state_code)
        if not details:
            return say("%(end)s.") % {"end": said}
        return say("%(end)s: %(details)s.") % {"end": said, "details": _listed(details, say)}

    def _name(self, leg: LegReport) -> str:
        if self.stored.call.service == Service.CALLBACK:
            return leg.name.upper()
        return self.say("the callee")

    def _goes_on(self) -> str:
        say = self.say
        latest = next((leg for leg in reversed(self.legs) if leg.dialled is not None), None)
        if latest is None:
            return say("nobody was dialled yet")
        name = {"who": self._name(latest)}
        if latest.answered is not None:
            return say("both talk") if latest.name == "b" else say("%(who)s has answered") % name
        if latest.ringing is not None:
            return say("%(who)s rings") % name
        return say("%(who)s is being dialled") % name

    def _leg_of_end(self) -> LegReport:
        last = self.timeline.entries[-1]
        party = last.detail.get("party") if last.kind is Kind.DISCONNECT else None
        return next((leg for leg in self.legs if leg.name == party), self.legs[0])

    def _who_hung_up(self) -> str:
        party = self.timeline.entries[-1].detail.get("party")
        if party is None:
            return self.say("the platform ended it")
        callback = self.stored.call.service == Service.CALLBACK
        return self.say("%(who)s hung up") % {"who": party.upper() if callback else self.say("the callee")}

    def _normal(self) -> str:
        say, last = self.say, self.legs[-1]
        ringing = {"seconds": _seconds(last.ring_seconds or 0.0, say)}
        talked = {"seconds": _seconds(last.talk_seconds or 0.0, say)}
        if last.name == "b":
            if last.answered is None:
                return say("A answered and B was not called")
            said = say("B answered after %(seconds)s of ringing") % ringing
            parts = [said if last.ring_seconds else say("B answered")]
            return _listed([*parts, say("both talked for %(seconds)s") % talked], say)
        said = say("The callee answered after %(seconds)s of ringing") % ringing
        parts = [said if last.ring_seconds else say("The callee answered")]
        heard = sum(entry.kind is Kind.PROMPT for entry in self.timeline.entries)
        pressed = sum(len(digits) for digits in self.timeline.collected)
        if heard:
            parts.append(_count(heard, N_("heard %(count)s prompt"), N_("heard %(count)s prompts"), say))
        if pressed:
            parts.append(_count(pressed, N_("pressed %(count)s key"), N_("pressed %(count)s keys"), say))
        return say("%(parts)s and stayed for %(seconds)s") % {**talked, "parts": _listed(parts, say)}

    def _details(self, leg: LegReport, state_code: int) -> list[str]:
        say, record = self.say, self.stored.record or {}
        details: list[str] = []
        if leg.answered is not None and leg.talk_seconds is not None:
            after = {"seconds": _seconds(leg.talk_seconds, say), "who": self._name(leg)}
            details.append(say("%(seconds)s after %(who)s answered") % after)
        elif leg.ring_seconds is not None:
            details.append(say("rang %(seconds)s") % {"seconds": _seconds(leg.ring_seconds, say)})
        elif leg.dialled is not None:
            details.append(say("never rang"))
        if state_code in _BY_THE_PLATFORM:
            return details
        status, cause = record.get("sip_status", 0), leg.cause
        silent = record.get("cut_point") == 513
        if silent:
            details.append(say("the carrier said nothing"))
        elif status:
            sent = {"what": _explained(status, sip(status), say)}
            details.append(say("the carrier sent %(what)s") % sent)
        if cause and not silent:
            details.append(f"Q.850 {_explained(cause, q850(cause, say), say)}")
        if leg.trunk is not None:
            details.append(say("over %(trunk)s") % {"trunk": leg.trunk})
        return details


def _listed(parts: list[str], say: Say) -> str:
    return reduce(lambda one, other: say("%(one)s, %(other)s") % {"one": one, "other": other}, parts)


def _explained(number: int, words: str, say: Say) -> str:
    return say("%(number)s (%(words)s)") % {"number": number, "words": words} if words else str(number)


def _count(number: int, one: str, many: str, say: Say) -> str:
    return say(one if number == 1 else many) % {"count": number}


def _seconds(seconds: float, say: Say) -> str:
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return say("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    number = f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
    return say("%(seconds)s s") % {"seconds": number}
