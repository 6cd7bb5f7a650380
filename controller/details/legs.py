"""What happened at each leg, and when: from the timeline."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from controller.calls.timeline import Entry, Kind, Timeline
from controller.details.report import LegReport, Span
from controller.details.words import q850
from controller.store.call_detail import StoredCall
from controller.store.tables import Call, Service
from controller.wording import Say, english


def timeline_of(stored: StoredCall) -> Timeline:
    """The timeline as calls have it."""
    return Timeline(
        [Entry(row.sequence, row.at, Kind(row.kind), row.leg, row.detail or {}) for row in stored.entries]
    )


def leg_names(call: Call) -> tuple[str, ...]:
    """A callback has two legs."""
    return ("a", "b") if call.service == Service.CALLBACK else ("a",)


def numbers(call: Call, leg: str) -> tuple[str, str]:
    """(number, number shown) of a leg."""
    if leg == "b":
        return call.addressee or "", call.second_display_number or ""
    return call.callee, call.display_number


def leg_report(
    stored: StoredCall, timeline: Timeline, name: str, end: datetime, say: Say = english
) -> LegReport:
    """One leg until `end`."""
    times = timeline.leg(name)
    number, shown = numbers(stored.call, name)
    record = stored.record or {}
    cause = record.get("second_leg_cause" if name == "b" else "first_leg_cause", 0)
    rang = None if times.ringing is None else _seconds(times.ringing, times.answered or end)
    return LegReport(
        name="b" if name == "b" else "a",
        number=number,
        shown=shown,
        trunk=times.trunk,
        dialled=times.dialled,
        ringing=times.ringing,
        answered=times.answered,
        ring_seconds=rang,
        talk_seconds=None if times.answered is None else _seconds(times.answered, end),
        cause=cause,
        cause_text=q850(cause, say),
        spans=sorted(_spans(timeline, name, end, say), key=lambda span: span.begins),
    )


def _seconds(begin: datetime, end: datetime) -> float:
    return round(max(0.0, (end - begin).total_seconds()), 3)


def _spans(timeline: Timeline, name: str, end: datetime, say: Say) -> Iterator[Span]:
    times, other = timeline.leg(name), timeline.leg("b" if name == "a" else "a")
    if times.dialled is not None:
        until = times.ringing or times.answered or end
        yield Span(kind="dialling", begins=times.dialled, ends=until, text=say("being dialled"))
    if times.ringing is not None:
        until = times.answered or end
        yield Span(kind="ringing", begins=times.ringing, ends=until, text=say("rings"))
    if times.answered is None:
        return
    prompts = [
        entry
        for entry in timeline.entries
        if entry.kind is Kind.PROMPT and entry.leg == name and not entry.detail.get("last_minute")
    ]
    yield from _prompts(prompts, timeline, end, say)
    if other.dialled is not None and name == "a":
        until = other.answered or end
        yield Span(kind="waiting", begins=other.dialled, ends=until, text=say("waits for B"))
    if other.answered is not None:
        begins = max(times.answered, other.answered)
        yield Span(kind="talking", begins=begins, ends=end, text=say("talks"))
    elif not prompts and name == "a" and other.dialled is None:
        yield Span(kind="listening", begins=times.answered, ends=end, text=say("listens"))


def _prompts(prompts: Sequence[Entry], timeline: Timeline, end: datetime, say: Say) -> Iterator[Span]:
    """Each until the next thing that happens at this leg: how long it played is not kept."""
    for prompt in prompts:
        following = [
            entry.at
            for entry in timeline.entries
            if entry.sequence > prompt.sequence
            and (entry in prompts or entry.kind is Kind.COLLECTED or entry.leg == "b")
        ]
        text = say("hears %(prompt)s") % {"prompt": prompt.detail["prompt"]}
        yield Span(kind="prompt", begins=prompt.at, ends=min([end, *following]), text=text)
