"""Metrics in Prometheus's form. Base units; no label ever holds a number, a session or a text of a customer.

Counters and histograms are fed as things happen; gauges look at the parts of the controller at each scrape.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery

_Kind = TypeVar("_Kind", Counter, Histogram)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LAG_INTERVAL: Final = 0.5
"""Seconds between two looks at how late the event loop is."""
_SETUP: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RINGING: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60)
_TALKING: Final = (5, 15, 30, 60, 120, 300, 600, 1800, 3600)
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_PUSH_LAG: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 60, 3600)
_HTTP: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_SPEECH: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True)
class Sample:
    """One value of a gauge, with its labels."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """A gauge, or a counter that somebody else counts, that is looked at when somebody scrapes."""

    name: str
    text: str
    values: Callable[[], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    family: type[GaugeMetricFamily | CounterMetricFamily] = GaugeMetricFamily


class _Looks(Collector):
    def __init__(self) -> None:
        self.looks: list[Look] = []

    def collect(self) -> Iterable[Metric]:
        for look in self.looks:
            family = look.family(look.name, look.text, labels=look.labels)
            for sample in look.values():
                family.add_metric([sample.labels[label] for label in look.labels], sample.value)
            yield family


class Metrics:
    """All metrics of one controller."""

    def __init__(self, controller: str) -> None:
        self.registry = CollectorRegistry()
        self._looks = _Looks()
        self.registry.register(self._looks)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self.registry)
        more: dict[str, Any] = {"registry": self.registry}
        build = Gauge(
            "voicecall_build_info", "The program that runs here.", ("version", "controller"), **more
        )
        build.labels(version("voicecall"), controller).set(1)
        self._ready = Gauge(
            "voicecall_ready",
            "Whether calls can be taken, part by part, as /readyz judges.",
            ("part",),
            **more,
        )
        self._ended = _children(Counter)(
            "voicecall_calls_ended", "Calls that are over.", ("service", "state_code"), **more
        )
        self._answered = _children(Counter)(
            "voicecall_legs_answered", "Phones that answered.", ("service", "leg"), **more
        )
        self._setup = _children(Histogram)(
            "voicecall_call_setup_seconds",
            "From the acceptance of a call, or from when its texts were speech, to dialling its first phone.",
            ("service",),
            buckets=_SETUP,
            **more,
        )
        self._speech = _children(Histogram)(
            "voicecall_call_speech_seconds",
            "From the acceptance of a call that says texts to when all of them were speech.",
            ("service",),
            buckets=_SPEECH,
            **more,
        )
        self._ringing = _children(Histogram)(
            "voicecall_leg_answer_seconds",
            "From dialling a phone to its answer.",
            ("service", "leg"),
            buckets=_RINGING,
            **more,
        )
        self._talk = _children(Histogram)(
            "voicecall_call_talk_seconds",
            "From the answer of whom it is for to the end of a call.",
            ("service",),
            buckets=_TALKING,
            **more,
        )
        self._failovers = _children(Counter)(
            "voicecall_trunk_failovers", "Legs that went over another trunk.", ("failed_to",), **more
        )
        self._pushes = _children(Counter)(
            "voicecall_push_attempts", "Attempts at pushes.", ("event", "outcome"), **more
        )
        self._push_seconds = _children(Histogram)(
            "voicecall_push_seconds",
            "From connecting to a receiver to its answer.",
            ("event",),
            buckets=_PUSH_LAG,
            **more,
        )
        self._push_lag = _children(Histogram)(
            "voicecall_push_lag_seconds",
            "From when a push was due at first to the answer of its receiver, who took it.",
            ("event",),
            buckets=_PUSH_LAG,
            **more,
        )
        self._requests = _children(Histogram)(
            "voicecall_http_request_seconds",
            "Requests and how long they took.",
            ("route", "method", "status"),
            buckets=_HTTP,
            **more,
        )
        self._lag = Histogram(
            "voicecall_event_loop_lag_seconds",
            "How late the event loop wakes who sleeps.",
            buckets=_LAG,
            **more,
        )

    def look_at(
        self,
        name: str,
        text: str,
        values: Callable[[], Iterable[Sample]],
        labels: tuple[str, ...] = (),
        *,
        counts: bool = False,
    ) -> None:
        """Have a gauge looked at by every scrape; with `counts` it is a counter, whose name gets `_total`."""
        family = CounterMetricFamily if counts else GaugeMetricFamily
        self._looks.looks.append(Look(name, text, values, labels, family))

    def judged(self, parts: Mapping[str, bool]) -> None:
        """Whether calls can be taken now, part by part."""
        for part, is_ready in parts.items():
            self._ready.labels(part).set(is_ready)

    def exposition(self) -> bytes:
        """All of them, as a scraper reads them."""
        return generate_latest(self.registry)

    # What happens

    def tell(self, call: LiveCall, entry: Entry, after: "asyncio.Future[None] | None" = None) -> None:
        """Something happened in a call."""
        del after
        service = call.request.service.value
        if entry.kind is Kind.CALLOUT and entry.leg == "a":
            spoken = (past.at for past in call.timeline.entries if past.kind is Kind.SPEECH)
            self._setup(service).observe(_seconds(next(spoken, call.accepted_at), entry.at))
        elif entry.kind is Kind.SPEECH:
            self._speech(service).observe(_seconds(call.accepted_at, entry.at))
        elif entry.kind is Kind.ANSWER and entry.leg is not None:
            self._answered(service, entry.leg).inc()
            dialled = call.timeline.leg(entry.leg).dialled
            if dialled is not None:
                self._ringing(service, entry.leg).observe(_seconds(dialled, entry.at))
        elif entry.kind is Kind.FAILOVER:
            self._failovers(str(entry.detail.get("trunk"))).inc()
        elif entry.kind is Kind.DISCONNECT:
            self._ended(service, str(entry.detail["state_code"])).inc()
            answered = call.timeline.leg("b" if "b" in call.legs else "a").answered
            if answered is not None:
                self._talk(service).observe(_seconds(answered, entry.at))

    def pushed(self, push: Push, delivery: Delivery, at: datetime) -> None:
        """An attempt at a push was made."""
        event = push.event_type
        outcome = "accepted" if delivery.accepted else str(delivery.failure)
        self._pushes(event, outcome).inc()
        took = delivery.latency_ms / 1000
        self._push_seconds(event).observe(took)
        if delivery.accepted and push.first_due_at is not None:
            self._push_lag(event).observe(max(0.0, _seconds(push.first_due_at, at) + took))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests(route, method, str(status)).observe(seconds)

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL
            await asyncio.sleep(_LAG_INTERVAL)
            self._lag.observe(max(0.0, loop.time() - due))


def _children(kind: type[_Kind]) -> Callable[..., Callable[..., _Kind]]:
    """Makes a metric and gives what finds its children: by a memory, as `labels` takes ten times as long."""

    def make(*args: Any, **more: Any) -> Callable[..., _Kind]:
        return lru_cache(maxsize=4096)(kind(*args, **more).labels)

    return make


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())
