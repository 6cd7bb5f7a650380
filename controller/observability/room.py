"""The room of observability, put together: what the rest of the house tells, and what it is asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from controller.calls.call import LiveCall, StatusTeller
from controller.calls.timeline import Entry
from controller.observability.metrics import Metrics, Sample
from controller.observability.tracing import Tracing
from controller.pushes.push import Endpoint, Push
from controller.pushes.receiver import Delivery
from controller.settings import Settings, TraceSettings
from controller.store.tables import Service

if TYPE_CHECKING:
    from controller.observability.span_sending import SpanSender

Number = Callable[[], float]

_COUNTED_PROMPTS = ("prompts_made", "prompts_reused")
"""Figures of speech that only grow."""


class TracingUnavailable(Exception):
    """The settings ask for traces, and the packages for that aren't installed."""


@dataclass(frozen=True)
class Observability:
    """Metrics, if they are wanted, and traces, if they are."""

    metrics: Metrics | None
    tracing: Tracing | None
    sender: "SpanSender | None" = None

    def headers(self, push: Push) -> Mapping[str, str]:
        """What goes along with a push."""
        return {} if self.tracing is None else self.tracing.traceparent(push)

    def pushed(self, push: Push, delivery: Delivery, at: datetime) -> None:
        """An attempt at a push was made."""
        for watcher in self._watchers:
            watcher.pushed(push, delivery, at)

    def telling(self, statuses: StatusTeller) -> StatusTeller:
        """A teller that tells the customer, and us."""
        return _Tellers((statuses, *self._watchers))

    def answered(
        self, route: str, method: str, status: int, seconds: float, session_id: str | None = None
    ) -> None:
        """A request was answered, and perhaps started a call."""
        if self.metrics is not None:
            self.metrics.answered(route, method, status, seconds)
        if self.tracing is not None and session_id is not None:
            self.tracing.answered(session_id, route, method, status, seconds)

    async def run(self) -> None:
        """What has to be done all the time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.metrics is not None:
                group.create_task(self.metrics.watch_loop())
            if self.sender is not None:
                group.create_task(self.sender.run())

    def look_at(
        self,
        *,
        live_calls: Callable[[], Iterable[LiveCall]],
        app_limit: Callable[[str], int | None],
        account_limit: Callable[[str], int | None],
        nodes: Callable[[], Mapping[str, bool]],
        nodes_draining: Callable[[], Mapping[str, bool]],
        node_calls: Callable[[], Mapping[str, int]],
        trunks: Callable[[], Mapping[str, bool]],
        commands_in_flight: Number,
        writes_waiting: Number,
        pushes_inside: Number,
        cdrs_waiting: Number,
        recordings_waiting: Callable[[], Mapping[str, int]],
        endpoints_disabled: Callable[[], Iterable[Endpoint]],
        clock_ahead: Callable[[], float | None],
        speech: Mapping[str, Number],
    ) -> None:
        """These are the parts that gauges look at."""
        if self.metrics is None:
            return
        look_at = self.metrics.look_at
        look_at(
            "voicecall_live_calls", "Calls under way here.", lambda: _by_service(live_calls()), ("service",)
        )
        look_at(
            "voicecall_app_calls",
            "Calls under way here, of each application: what its limit of calls at a time is used for.",
            lambda: _counted("app", (call.request.app_key for call in live_calls())),
            ("app",),
        )
        look_at(
            "voicecall_app_calls_limit",
            "Calls at a time that each application with calls under way here may have, at all controllers.",
            lambda: _limits("app", app_limit, {call.request.app_key for call in live_calls()}),
            ("app",),
        )
        look_at(
            "voicecall_account_calls",
            "Calls under way here, of each account: what its limit of calls at a time is used for.",
            lambda: _counted("account", (call.request.account_id for call in live_calls())),
            ("account",),
        )
        look_at(
            "voicecall_account_calls_limit",
            "Calls at a time that each account with calls under way here may have, if it has such a limit.",
            lambda: _limits("account", account_limit, {call.request.account_id for call in live_calls()}),
            ("account",),
        )
        look_at(
            "voicecall_push_endpoints_disabled",
            "Endpoints that are sent nothing, as they did nothing but fail, of each application.",
            lambda: _counted("app", (endpoint.app_key for endpoint in endpoints_disabled())),
            ("app",),
        )
        look_at(
            "voicecall_node_up",
            "Whether the node can take calls, drained or not.",
            lambda: _states("node", nodes()),
            ("node",),
        )
        look_at(
            "voicecall_node_draining",
            "Whether the node gets no new calls, as it is drained.",
            lambda: _states("node", nodes_draining()),
            ("node",),
        )
        look_at(
            "voicecall_node_calls",
            "Calls under way here, on each node.",
            lambda: _states("node", node_calls()),
            ("node",),
        )
        look_at(
            "voicecall_trunk_up",
            "Whether nothing is known against a trunk.",
            lambda: _states("trunk", trunks()),
            ("trunk",),
        )
        look_at(
            "voicecall_recordings_waiting",
            "Recordings that a node has not given 5 minutes after the end of their call, of all controllers.",
            lambda: _states("node", recordings_waiting()),
            ("node",),
        )
        look_at(
            "voicecall_clock_ahead_seconds",
            "By how much this machine's clock is ahead of the database server's; negative: behind.",
            lambda: [] if (ahead := clock_ahead()) is None else [Sample(ahead)],
        )
        for name, text, number in (
            (
                "voicecall_ari_requests_in_flight",
                "Requests to Asterisk without an answer.",
                commands_in_flight,
            ),
            ("voicecall_database_writes_waiting", "Writes that wait for the next group.", writes_waiting),
            ("voicecall_tasks", "Tasks of the event loop.", lambda: len(asyncio.all_tasks())),
            ("voicecall_pushes_in_flight", "Pushes under way, or waiting for a receiver.", pushes_inside),
            (
                "voicecall_cdr_pushes_waiting",
                "CDRs that are to be pushed, now or later, of all controllers.",
                cdrs_waiting,
            ),
        ):
            look_at(name, text, _one(number))
        for name, number in speech.items():
            look_at(
                f"voicecall_speech_{name}",
                f"Synthesised prompts: {name.replace('_', ' ')}.",
                _one(number),
                counts=name in _COUNTED_PROMPTS,
            )

    @cached_property
    def _watchers(self) -> tuple[Metrics | Tracing, ...]:
        return tuple(watcher for watcher in (self.metrics, self.tracing) if watcher is not None)


@asynccontextmanager
async def opened_observability(settings: Settings) -> AsyncIterator[Observability]:
    """The room, open until the end of the block. Raises TracingUnavailable."""
    metrics = Metrics(settings.controller) if settings.metrics.enabled else None
    sender = _opened_sender(settings.traces, settings.controller)
    tracing = None if sender is None else Tracing(sender.send, settings.traces.sample)
    try:
        yield Observability(metrics, tracing, sender)
    finally:
        if sender is not None:
            await asyncio.to_thread(sender.close)


def _opened_sender(settings: TraceSettings, controller: str) -> "SpanSender | None":
    if not settings.endpoint:
        return None
    try:
        from controller.observability.span_encoding import opened_exporter
        from controller.observability.span_sending import SpanSender
    except ImportError as error:
        raise TracingUnavailable(
            f"traces.endpoint is set, but {error.name} isn't installed: pip install --editable '.[traces]'"
        ) from None
    return SpanSender(opened_exporter(settings.endpoint, controller))


class _Tellers:
    def __init__(self, tellers: Iterable[StatusTeller]) -> None:
        self._tellers = tuple(tellers)

    def tell(self, call: LiveCall, entry: Entry, after: "asyncio.Future[None] | None" = None) -> None:
        for teller in self._tellers:
            teller.tell(call, entry, after)


def _one(number: Number) -> Callable[[], Iterable[Sample]]:
    return lambda: [Sample(number())]


def _states(label: str, states: Mapping[str, float]) -> Iterable[Sample]:
    return [Sample(float(up), {label: name}) for name, up in states.items()]


def _by_service(calls: Iterable[LiveCall]) -> Iterable[Sample]:
    counted = Counter(call.request.service for call in calls)
    return [Sample(counted[service], {"service": service.value}) for service in Service]


def _limits(label: str, limit: Callable[[str], int | None], names: Iterable[str]) -> Iterable[Sample]:
    found = ((name, limit(name)) for name in sorted(names))
    return [Sample(value, {label: name}) for name, value in found if value is not None]


def _counted(label: str, names: Iterable[str]) -> Iterable[Sample]:
    return [Sample(count, {label: name}) for name, count in Counter(names).items()]
