"""What happened in a call, in words: timeline and pushes on one axis."""

from collections.abc import Callable, Mapping
from typing import Any

from controller.calls.timeline import Entry, Kind, Timeline
from controller.details.report import Step
from controller.details.words import q850, sip
from controller.store.call_detail import StoredCall
from controller.store.tables import PushAttempt, Service

MASK = "•"


def steps_of(stored: StoredCall, timeline: Timeline, *, digits: bool) -> list[Step]:
    """All steps in order; `digits`: whether keys that were pressed may be seen."""
    begin = stored.call.accepted_at
    callback = stored.call.service == Service.CALLBACK
    made = [Step(at=begin, seconds=0.0, kind=Kind.ACCEPTED, leg=None, text="the request is accepted")]
    made += [
        Step(
            at=entry.at,
            seconds=round((entry.at - begin).total_seconds(), 3),
            kind=entry.kind,
            leg=entry.leg,
            text=_TEXTS[entry.kind](entry.detail, _who(entry, callback), digits),
        )
        for entry in timeline.entries
        # That it was accepted is in the call's own row.
        if entry.kind is not Kind.ACCEPTED
    ]
    made += [
        Step(
            at=attempt.at,
            seconds=round((attempt.at - begin).total_seconds(), 3),
            kind="push",
            leg=None,
            text=_push(attempt),
        )
        for attempt in stored.attempts
    ]
    return sorted(made, key=lambda step: step.at)


def _who(entry: Entry, callback: bool) -> str:
    if entry.leg is None:
        return "both" if callback else "the callee"
    return entry.leg.upper() if callback else "the callee"


def failover(detail: Mapping[str, Any], who: str) -> str:
    """A trunk that failed, in words."""
    failed = detail["failed"]
    why = "took no call"
    if failed["sip_status"] == 408:
        why = "said nothing"
    elif failed["sip_status"]:
        why = f"answered {failed['sip_status']} {sip(failed['sip_status'])}".rstrip()
    elif failed["cause"]:
        why = f"took no call ({q850(failed['cause'])})"
    return f"trunk {failed['trunk']} {why}; {who} is called over {detail['trunk']}"


def _callout(detail: Mapping[str, Any], who: str, _digits: bool) -> str:
    return f"{who} is called over {detail['trunk']}" if detail.get("trunk") else f"{who} is called"


def _prompt(detail: Mapping[str, Any], who: str, _digits: bool) -> str:
    text = f"{who} {'hear' if who == 'both' else 'hears'} {detail['prompt']}"
    if detail.get("spoken"):
        text += " (spoken)"
    if detail.get("last_minute"):
        text += ": one minute is left"
    if detail.get("collects"):
        text += f"; up to {detail['collects']} digits are asked for"
    return text


def _collected(detail: Mapping[str, Any], who: str, digits: bool) -> str:
    pressed = str(detail["digits"])
    return f"{who} pressed {pressed if digits else MASK * len(pressed)}"


def _disconnect(detail: Mapping[str, Any], _who: str, _digits: bool) -> str:
    party = detail.get("party")
    by = f"leg {party}" if party else "the platform"
    return f"the call is over (stateCode {detail['state_code']}, by {by}): {detail['text']}"


_TEXTS: dict[Kind, Callable[[Mapping[str, Any], str, bool], str]] = {
    Kind.TOO_OFTEN: lambda detail, *_: f"the callee has had {' and '.join(detail['windows'])} calls",
    Kind.SPEECH: lambda detail, *_: f"what is to be said is synthesised ({detail['seconds']} s)",
    Kind.CALLOUT: _callout,
    Kind.FAILOVER: lambda detail, who, _digits: failover(detail, who),
    Kind.ALERTING: lambda _detail, who, _digits: f"{who} rings",
    Kind.ANSWER: lambda _detail, who, _digits: f"{who} answers",
    Kind.PROMPT: _prompt,
    Kind.COLLECTED: _collected,
    Kind.RECORDING: lambda *_: "the recording begins",
    Kind.DISCONNECT: _disconnect,
}


def _push(attempt: PushAttempt) -> str:
    answered = f"{attempt.status}" if attempt.status is not None else attempt.failure or "no answer"
    again = f", attempt {attempt.attempt}" if attempt.attempt > 1 else ""
    return f"push of {attempt.event_type}{again}: {answered} after {attempt.latency_ms} ms"
