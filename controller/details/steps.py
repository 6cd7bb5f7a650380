"""What happened in a call, in words: timeline and pushes on one axis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.calls.timeline import Entry, Kind, Timeline
from controller.details.report import Step
from controller.details.words import not_pushed, q850, sip
from controller.store.call_detail import StoredCall
from controller.store.tables import PushAttempt, Service
from controller.wording import Say, english, spaced

MASK = "•"


def steps_of(stored: StoredCall, timeline: Timeline, *, digits: bool, say: Say = english) -> list[Step]:
    """All steps in order; `digits`: whether keys that were pressed may be seen."""
    begin = stored.call.accepted_at
    words = _Words(stored.call.service == Service.CALLBACK, digits, say)
    made = [Step(at=begin, seconds=0.0, kind=Kind.ACCEPTED, leg=None, text=say("the request is accepted"))]
    made += [
        Step(
            at=entry.at,
            seconds=round((entry.at - begin).total_seconds(), 3),
            kind=entry.kind,
            leg=entry.leg,
            text=words.of(entry),
        )
        for entry in timeline.entries
        # That it was accepted is in the call's own row.
        if entry.kind not in (Kind.ACCEPTED, Kind.UNKNOWN)
    ]
    made += [
        Step(
            at=attempt.at,
            seconds=round((attempt.at - begin).total_seconds(), 3),
            kind="push",
            leg=None,
            text=_push(attempt, say),
        )
        for attempt in stored.attempts
    ]
    return sorted(made, key=lambda step: step.at)


def failover(detail: Mapping[str, Any], who: str, say: Say = english) -> str:
    """A trunk that failed, in words."""
    failed = detail["failed"]
    why = say("took no call")
    if failed["sip_status"] == 408:
        why = say("said nothing")
    elif failed["sip_status"]:
        answered = f"{failed['sip_status']} {sip(failed['sip_status'])}".rstrip()
        why = say("answered %(what)s") % {"what": answered}
    elif failed["cause"]:
        why = say("took no call (%(why)s)") % {"why": q850(failed["cause"], say)}
    said = {"trunk": failed["trunk"], "why": why, "who": who, "next": detail["trunk"]}
    return say("trunk %(trunk)s %(why)s; %(who)s is called over %(next)s") % said


@dataclass(frozen=True)
class _Words:
    """Entries of one call's timeline in words."""

    callback: bool
    digits: bool
    say: Say

    def of(self, entry: Entry) -> str:
        return spaced(_TEXTS[entry.kind](self, entry.detail, self._who(entry)))

    def _who(self, entry: Entry) -> str:
        if not self.callback:
            return self.say("the callee")
        return self.say("both") if entry.leg is None else entry.leg.upper()

    def _party(self, leg: str) -> str:
        return self.say("leg %(leg)s") % {"leg": leg.upper()} if self.callback else self.say("the callee")

    def _too_often(self, detail: Mapping[str, Any], _who: str) -> str:
        windows = self.say(" and ").join(detail["windows"])
        return self.say("the callee has had %(windows)s calls") % {"windows": windows}

    def _speech(self, detail: Mapping[str, Any], _who: str) -> str:
        return self.say("what is to be said is synthesised (%(seconds)s s)") % {"seconds": detail["seconds"]}

    def _callout(self, detail: Mapping[str, Any], who: str) -> str:
        if detail.get("trunk"):
            return self.say("%(who)s is called over %(trunk)s") % {"who": who, "trunk": detail["trunk"]}
        return self.say("%(who)s is called") % {"who": who}

    def _failover(self, detail: Mapping[str, Any], who: str) -> str:
        return failover(detail, who, self.say)

    def _alerting(self, _detail: Mapping[str, Any], who: str) -> str:
        return self.say("%(who)s rings") % {"who": who}

    def _answer(self, _detail: Mapping[str, Any], who: str) -> str:
        return self.say("%(who)s answers") % {"who": who}

    def _prompt(self, detail: Mapping[str, Any], who: str) -> str:
        say, said = self.say, {"who": who, "prompt": detail["prompt"]}
        both = self.callback and who == say("both")
        text = (say("%(who)s hear %(prompt)s") if both else say("%(who)s hears %(prompt)s")) % said
        if detail.get("spoken"):
            text += say(" (spoken)")
        if detail.get("last_minute"):
            text += say(": one minute is left")
        if detail.get("collects"):
            text += say("; up to %(most)s digits are asked for") % {"most": detail["collects"]}
        return text

    def _collected(self, detail: Mapping[str, Any], who: str) -> str:
        pressed = str(detail["digits"])
        keys = pressed if self.digits else MASK * len(pressed)
        return self.say("%(who)s pressed %(keys)s") % {"who": who, "keys": keys}

    def _recording(self, _detail: Mapping[str, Any], _who: str) -> str:
        return self.say("the recording begins")

    def _disconnect(self, detail: Mapping[str, Any], _who: str) -> str:
        party, say = detail.get("party"), self.say
        by = self._party(party) if party else say("the platform")
        said = {"code": detail["state_code"], "by": by, "text": say(detail["text"])}
        return say("the call is over (stateCode %(code)s, by %(by)s): %(text)s") % said


_TEXTS: dict[Kind, Callable[[_Words, Mapping[str, Any], str], str]] = {
    Kind.TOO_OFTEN: _Words._too_often,
    Kind.SPEECH: _Words._speech,
    Kind.CALLOUT: _Words._callout,
    Kind.FAILOVER: _Words._failover,
    Kind.ALERTING: _Words._alerting,
    Kind.ANSWER: _Words._answer,
    Kind.PROMPT: _Words._prompt,
    Kind.COLLECTED: _Words._collected,
    Kind.RECORDING: _Words._recording,
    Kind.DISCONNECT: _Words._disconnect,
}


def _push(attempt: PushAttempt, say: Say) -> str:
    answered = f"{attempt.status}" if attempt.status is not None else _unanswered(attempt, say)
    said = {"what": attempt.event_type, "answered": answered, "latency": attempt.latency_ms}
    if attempt.attempt > 1:
        again = {**said, "attempt": attempt.attempt}
        return say("push of %(what)s, attempt %(attempt)s: %(answered)s after %(latency)s ms") % again
    return say("push of %(what)s: %(answered)s after %(latency)s ms") % said


def _unanswered(attempt: PushAttempt, say: Say) -> str:
    return not_pushed(attempt.failure, say) if attempt.failure else say("no answer")
