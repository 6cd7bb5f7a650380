"""Traces in OpenTelemetry's form: one for each call, made of its timeline when it ends, and of its pushes.

The ids of a call's trace follow from the call's id. So a span can be sent when it is over, by whichever
controller it was, and no trace has to be kept in memory while a call runs. Numbers, digits, codes and texts
are in no attribute.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.clock import Clock, SystemClock
from controller.observability.spans import ROOT, Attributes, Span
from controller.observability.trace_ids import span_id, trace_id
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery

_SAMPLING_SPACE: Final = 2**64
_HEADER: Final = "traceparent"
_LASTING: Final = (Kind.PROMPT, Kind.SPEECH)


class Tracing:
    """Makes spans of what happens, and hands them over."""

    def __init__(
        self,
        send: Callable[[Span], None],
        sample: float = 1.0,
        clock: Clock = SystemClock(),  # noqa: B008  # has no state
    ) -> None:
        self._send = send
        self._sample = sample
        self._clock = clock

    def traceparent(self, push: Push) -> dict[str, str]:
        """The header by which the receiver of a push continues the trace of its call (W3C)."""
        call_id = push.call_ids[0]
        if not self._is_sampled(call_id):
            return {}
        span = span_id(call_id, _push_part(push))
        return {_HEADER: f"00-{trace_id(call_id).hex()}-{span.hex()}-01"}

    def answered(self, session_id: str, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered that started a call: its trace begins here."""
        call_id = session_id.partition("@")[0]
        if self._is_sampled(call_id):
            now = self._clock.now()
            attributes: Attributes = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
            began = now - timedelta(seconds=seconds)
            name = f"{method} {route}"
            self._send(Span(call_id, "request", name, began, now, attributes))

    def tell(self, call: LiveCall, entry: Entry, after: asyncio.Future[None] | None = None) -> None:
        """Something happened; at the end of a call its spans are sent."""
        del after
        if entry.kind is Kind.DISCONNECT and self._is_sampled(call.id):
            for span in _spans_of(call, entry):
                self._send(span)

    def pushed(self, push: Push, delivery: Delivery, at: datetime) -> None:
        """An attempt at a push was made."""
        for call_id in push.call_ids:
            if not self._is_sampled(call_id):
                continue
            attributes: dict[str, str | int | bool] = {
                "voice.push.event": push.event_type,
                "voice.push.attempt": push.attempt,
                "http.request.method": "POST",
                "url.full": push.endpoint.url,
            }
            if delivery.status is not None:
                attributes["http.response.status_code"] = delivery.status
            if not delivery.accepted:
                attributes["error.type"] = str(delivery.failure)
            end = at + timedelta(milliseconds=delivery.latency_ms)
            self._send(
                Span(
                    call_id,
                    _push_part(push),
                    f"push {push.event_type}",
                    at,
                    end,
                    attributes,
                    failed=not delivery.accepted,
                    client=True,
                )
            )

    def _is_sampled(self, call_id: str) -> bool:
        if self._sample >= 1:
            return True
        place = int.from_bytes(trace_id(call_id)[8:])
        return place < self._sample * _SAMPLING_SPACE


def _spans_of(call: LiveCall, last: Entry) -> Iterator[Span]:
    request = call.request
    yield Span(
        call.id,
        ROOT,
        f"call {request.service.value}",
        call.accepted_at,
        last.at,
        {
            "voice.session_id": call.session_id,
            "voice.service": request.service.value,
            "voice.account": request.account_id,
            "voice.app": request.app_key,
            "voice.state_code": last.detail["state_code"],
        },
    )
    for name in call.timeline.legs:
        times = call.timeline.leg(name)
        if times.dialled is None:
            continue
        attributes = {"voice.leg": name, "voice.trunk": times.trunk or ""}
        dialled: Attributes = {**attributes, "voice.answered": times.answered is not None}
        yield Span(call.id, f"dial {name}", f"dial {name}", times.dialled, times.answered or last.at, dialled)
        if times.answered is not None:
            yield Span(call.id, f"talk {name}", f"talk {name}", times.answered, last.at, attributes)
    for begun, end in _lasting(call, last):
        part = f"{begun.kind} {begun.sequence}"
        yield Span(call.id, part, begun.kind.value, begun.at, end, {"voice.leg": begun.leg or ""})


def _lasting(call: LiveCall, last: Entry) -> Iterator[tuple[Entry, datetime]]:
    """What was played, with when the next entry at its leg came: its own end is no entry."""
    entries = [*call.timeline.entries, last]
    for index, entry in enumerate(entries):
        if entry.kind in _LASTING:
            following = (later.at for later in entries[index + 1 :] if later.leg in (entry.leg, None))
            yield entry, next(following, last.at)


def _push_part(push: Push) -> str:
    return f"push {push.message_id} {push.attempt}"
