"""How a call went, in a sentence."""

from controller.calls.timeline import Kind, Timeline
from controller.details.report import LegReport
from controller.details.words import end, q850, sip
from controller.store.call_detail import StoredCall
from controller.store.tables import Service

_BY_THE_PLATFORM = frozenset({7108, 8000, 8003, 8005, 8006, 8007, 8008, 8009, 8010, 8017})
"""Ends for which no carrier sent anything, whatever the CDR says for the customer."""


def verdict(stored: StoredCall, timeline: Timeline, legs: list[LegReport]) -> str:
    """One sentence, the most important thing first."""
    if stored.record is None:
        return f"The call goes on: {_goes_on(stored, legs)}."
    state_code = stored.call.state_code or 0
    leg = _leg_of_end(timeline, legs)
    if state_code == 0:
        return f"{_normal(stored, timeline, legs)}; {_who_hung_up(stored, timeline)}."
    said = end(state_code, _name(stored, leg))
    details = _details(stored, leg, state_code)
    return f"{said}: {', '.join(details)}." if details else f"{said}."


def _name(stored: StoredCall, leg: LegReport) -> str:
    if stored.call.service == Service.CALLBACK:
        return leg.name.upper()
    return "the callee"


def _goes_on(stored: StoredCall, legs: list[LegReport]) -> str:
    latest = next((leg for leg in reversed(legs) if leg.dialled is not None), None)
    if latest is None:
        return "nobody was dialled yet"
    name = _name(stored, latest)
    if latest.answered is not None:
        return "both talk" if latest.name == "b" else f"{name} has answered"
    return f"{name} rings" if latest.ringing is not None else f"{name} is being dialled"


def _leg_of_end(timeline: Timeline, legs: list[LegReport]) -> LegReport:
    last = timeline.entries[-1]
    party = last.detail.get("party") if last.kind is Kind.DISCONNECT else None
    return next((leg for leg in legs if leg.name == party), legs[0])


def _who_hung_up(stored: StoredCall, timeline: Timeline) -> str:
    party = timeline.entries[-1].detail.get("party")
    if party is None:
        return "the platform ended it"
    return f"{party.upper() if stored.call.service == Service.CALLBACK else 'the callee'} hung up"


def _normal(stored: StoredCall, timeline: Timeline, legs: list[LegReport]) -> str:
    last = legs[-1]
    rang = f" after {_seconds(last.ring_seconds)} of ringing" if last.ring_seconds else ""
    if last.name == "b":
        if last.answered is None:
            return "A answered and B was not called"
        return f"B answered{rang}, both talked for {_seconds(last.talk_seconds or 0.0)}"
    heard = sum(entry.kind is Kind.PROMPT for entry in timeline.entries)
    pressed = sum(len(digits) for digits in timeline.collected)
    parts = [f"The callee answered{rang}"]
    if heard:
        parts.append(f"heard {_count(heard, 'prompt')}")
    if pressed:
        parts.append(f"pressed {_count(pressed, 'key')}")
    text = ", ".join(parts)
    return f"{text} and stayed for {_seconds(last.talk_seconds or 0.0)}"


def _details(stored: StoredCall, leg: LegReport, state_code: int) -> list[str]:
    record = stored.record or {}
    details: list[str] = []
    if leg.answered is not None and leg.talk_seconds is not None:
        details.append(f"{_seconds(leg.talk_seconds)} after {_name(stored, leg)} answered")
    elif leg.ring_seconds is not None:
        details.append(f"rang {_seconds(leg.ring_seconds)}")
    elif leg.dialled is not None:
        details.append("never rang")
    if state_code in _BY_THE_PLATFORM:
        return details
    status, cause = record.get("sip_status", 0), leg.cause
    silent = record.get("cut_point") == 513
    if silent:
        details.append("the carrier said nothing")
    elif status:
        details.append(f"the carrier sent {_explained(status, sip(status))}")
    if cause and not silent:
        details.append(f"Q.850 {_explained(cause, q850(cause))}")
    if leg.trunk is not None:
        details.append(f"over {leg.trunk}")
    return details


def _explained(number: int, words: str) -> str:
    return f"{number} ({words})" if words else str(number)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _seconds(seconds: float) -> str:
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
