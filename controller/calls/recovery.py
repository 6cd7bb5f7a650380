"""After a start or a lost connection: nothing is left behind on a node.

A snapshot says which channels Asterisk has; their ids say of which call. Of the calls that the database has
as live and nobody runs, callbacks whose phones talk go on and the others are closed. Channels of calls that
nobody runs are hung up.

What ended while no controller was there ended at a time that nobody knows: after the last sign of life of
whoever had it. That is what its record says, so that nobody pays for an outage.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Container, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from controller import ari
from controller.asterisk.node import Node
from controller.calls.at_once import each
from controller.calls.call import (
    Callback,
    CalleeMedia,
    CallRequest,
    LiveCall,
    restored_plan,
    unknown_fields,
)
from controller.calls.conversation import bridge_id, call_of_bridge
from controller.calls.line import call_of_channel, insist
from controller.calls.outcome import INTERRUPTED
from controller.calls.service import CallService
from controller.calls.timeline import Entry, Kind, Timeline
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.store import calls as rows
from controller.store import controllers
from controller.store.database import Database
from controller.store.tables import Call, PushProfile, Service, TimelineEntry

log = logging.getLogger(__name__)

UNWRITTEN = 20
"""Entries of a call, at most, that a controller that went away has told of and not written."""

_ASKED_AT_ONCE = 8
"""Asterisk has had trouble with many at once after a reconnect."""

_CLOSED_AT_ONCE = 50
"""Ends that are committed together; more would keep other writes waiting."""


class Recovery:
    """Puts the database and a node in order again; the same path after every kind of trouble."""

    def __init__(
        self, database: Database, node: Node, service: CallService, clock: Clock, controller: str
    ) -> None:
        """`controller`: whose calls in the database these are."""
        self._database = database
        self._node = node
        self._service = service
        self._clock = clock
        self._controller = controller
        self._estates: dict[str, None] = {}
        """Applications of controllers that are gone, to be taken from them if they are not."""
        self._turn = asyncio.Lock()
        self._turn_elsewhere = asyncio.Lock()

    async def __call__(self, snapshot: ari.Snapshot) -> None:
        """Bring everything up to date with what Asterisk has."""
        async with self._turn:
            await self._recover(snapshot)

    async def take_over(self, application: str) -> None:
        """Go on with what a controller left that is gone, whose calls are ours in the database already.

        Waits until the node is there. Whatever goes wrong then is made good after the next connect.
        """
        self._estates[application] = None
        if self._node.given_up:
            await self.give_up()
        with suppress(Exception):
            # Given up for good it has lost these calls too.
            await self._node.ari.wait_ready()
        if self._node.available:
            try:
                async with self._turn:
                    # What was done after a connect meanwhile may have begun before these calls were ours.
                    if application in self._estates:
                        await self._recover(await self._node.ari.snapshot())
            except ari.AriError as error:
                log.warning("A takeover begins again after a reconnect", extra={"error": str(error)})
                await self._node.ari.reconnect()

    async def give_up(self) -> None:
        """Close what was left behind on the node, which stays away."""
        async with self._turn:
            await self._close_all(await self._left_behind())

    async def close_elsewhere(self, known: Collection[str]) -> None:
        """Close what was left behind on other nodes than those that this controller knows."""
        async with self._turn_elsewhere:
            left = await self._left_behind_at(lambda node: node not in known)
            if left:
                nodes = sorted({call.node for call in left})
                log.error(
                    "Calls are closed whose node this controller doesn't know",
                    extra={"nodes": nodes, "calls": len(left)},
                )
            await self._close_all(left)

    async def _close_all(self, calls: Collection[LiveCall]) -> None:
        """Close calls of which nothing can be seen."""
        await each(
            calls,
            lambda call: self._service.close(call, INTERRUPTED, call.left_at),
            at_once=_CLOSED_AT_ONCE,
        )

    async def _recover(self, snapshot: ari.Snapshot) -> None:
        estates = list(self._estates)
        for application in estates:
            # One that is back, as after a restart while the node was away, must not lose its new calls.
            if not await self._database.read(partial(controllers.is_there, application=application)):
                # It may only have been paused: it must hear that it lost its calls, and not hear of them.
                await self._node.ari.applications.take(application)
        left = await self._left_behind()
        await self._go_on([call for call in left if talks(call, snapshot)])
        ids = frozenset(call.id for call in left)
        await self._hang_up_left_behind(snapshot, ids)
        await self._destroy_left_behind(snapshot, ids)
        over = [call for call in left if call.id not in self._service.live_ids]
        await each(over, partial(self._close, snapshot), at_once=_CLOSED_AT_ONCE)
        for application in estates:
            self._estates.pop(application, None)

    async def _go_on(self, talking: Collection[LiveCall]) -> None:
        if not talking:
            return
        # Before: what another crash leaves behind of them is known until that one.
        await self._database.write(partial(rows.go_on, call_ids=[call.id for call in talking]))

        # What another application had is not heard of yet: a gone controller's, or ours under another name.
        # Whose that was need not be known here: who is killed in taking calls over forgets it.
        ours = await self._node.ari.applications.get()
        heard = {*ours.channel_ids, *ours.bridge_ids}

        async def go_on(call: LiveCall) -> None:
            if await self._hears_of(call, heard):
                self._service.resume(call)

        await each(talking, go_on, at_once=_ASKED_AT_ONCE)

    async def _hears_of(self, call: LiveCall, heard: Container[str]) -> bool:
        """Have the events of a call come to us that are not `heard`; False if it ended just now."""
        parts = {"channel": (f"{call.id}.a", f"{call.id}.b"), "bridge": (bridge_id(call.id),)}
        sources = [f"{kind}:{part}" for kind, ids in parts.items() for part in ids if part not in heard]
        if not sources:
            return True
        try:
            await self._node.ari.applications.subscribe(*sources)
        except ari.ResponseError:
            return False
        return True

    async def _hang_up_left_behind(self, snapshot: ari.Snapshot, left: Collection[str]) -> None:
        found = {
            channel.id: call_id
            for channel in snapshot.channels.values()
            if (call_id := call_of_channel(channel)) is not None
        }
        orphans = await self._orphans(found, left)

        async def hang_up(channel_id: str) -> None:
            call_id = orphans[channel_id]
            log.warning("A channel was left behind and is hung up", extra={"call": call_id})
            # One that Asterisk can't end all the same must not keep the node from taking calls.
            await insist(partial(self._node.ari.channels.hang_up, channel_id), call_id)

        await each(orphans, hang_up, at_once=_ASKED_AT_ONCE)

    async def _destroy_left_behind(self, snapshot: ari.Snapshot, left: Collection[str]) -> None:
        # Also of calls that were closed: they may have ended while Asterisk could not be told.
        found = {
            bridge: call_id for bridge in snapshot.bridges if (call_id := call_of_bridge(bridge)) is not None
        }
        bridges = snapshot.bridges.values()
        orphans = await self._orphans(found, left, bridges)

        async def destroy(bridge: str) -> None:
            call_id = orphans[bridge]
            log.warning("A bridge was left behind and is destroyed", extra={"call": call_id})
            await insist(partial(self._node.ari.bridges.destroy, bridge), call_id)

        await each(orphans, destroy, at_once=_ASKED_AT_ONCE)

    async def _orphans(
        self, found: Mapping[str, str], left: Collection[str], bridges: Collection[ari.Bridge] = ()
    ) -> dict[str, str]:
        """Of these channels or bridges with their calls those that nobody runs.

        What goes on at another controller is that one's. What became ours after it was looked for what was
        `left` may go on here: its takeover sees to that. A call that the database doesn't know is ours if it
        is in our application: else it is another platform's on the same Asterisk.
        """
        idle = {key: call_id for key, call_id in found.items() if call_id not in self._service.running_ids}
        if not idle:
            return {}
        owners = await self._database.read(lambda session: rows.owners(session, set(idle.values())))
        if idle.values() - owners.keys():
            application = await self._node.ari.applications.get()
            # A bridge leaves its application with its last channel.
            empty = (bridge.id for bridge in bridges if not bridge.channels)
            ours = {*application.channel_ids, *application.bridge_ids, *empty}
            idle = {key: call_id for key, call_id in idle.items() if call_id in owners or key in ours}
        service = self._service
        known = {*left, *service.live_ids, *service.closing_ids}
        return {
            key: call_id
            for key, call_id in idle.items()
            if (owner := owners.get(call_id)) is None or (owner == self._controller and call_id in known)
            if call_id not in service.running_ids
        }

    async def _left_behind(self) -> list[LiveCall]:
        """What the database has as live on this node and nobody runs."""
        return await self._left_behind_at(lambda node: node == self._node.name)

    async def _left_behind_at(self, is_meant: Callable[[str], bool]) -> list[LiveCall]:
        # Asked first: what ends while it is looked for is still live in what is found. And who was cancelled
        # in closing a call left its end to be written all the same.
        known = self._service.live_ids | self._service.closing_ids
        found = await self._database.read(
            lambda session: [
                (call, rows.timeline(session, call.id))
                for call in rows.live_calls(session, self._controller)
                if is_meant(call.node)
            ]
        )
        known |= self._service.live_ids | self._service.handed_over_ids
        calls = [self._restored(row, entries) for row, entries in found if row.id not in known]
        return [call for call in calls if call is not None]

    def _restored(self, row: Call, entries: list[TimelineEntry]) -> LiveCall | None:
        """None if not even its record can be made: it must not keep the others from being gone on with."""
        try:
            return restored(row, entries, self._clock)
        except NotRestored:
            log.exception("A call can't be gone on with as it is written down", extra={"call": row.id})
        try:
            return restored(row, entries, self._clock, whole=False)
        except NotRestored:
            log.exception(
                "A call stays open, with its places: a controller of the version that wrote it can end it",
                extra={"call": row.id},
            )
        return None

    async def _close(self, snapshot: ari.Snapshot, call: LiveCall) -> None:
        log.warning("A call was left behind and is closed", extra={"call": call.id})
        await self._find_recording(call)
        # What had a phone still has ended just now.
        had_phone = any(f"{call.id}.{leg}" in snapshot.channels for leg in ("a", "b"))
        await self._service.close(call, INTERRUPTED, None if had_phone else call.left_at)

    async def _find_recording(self, call: LiveCall) -> None:
        """What was recorded is kept, also if the controller went away before it could write that down."""
        plan, timeline = call.request.plan, call.timeline
        answered = timeline.leg("b").answered
        if not isinstance(plan, Callback) or not plan.record or answered is None:
            return
        if timeline.recording_started is None and await self._node.ari.recordings.exists(call.id):
            timeline.add(Entry(timeline.next_sequence, answered, Kind.RECORDING, None, {"name": call.id}))


def talks(call: LiveCall, snapshot: ari.Snapshot) -> bool:
    """Whether both phones of a callback have answered and are still in its bridge."""
    legs = {f"{call.id}.a", f"{call.id}.b"}
    up = {leg for leg in legs if leg in snapshot.channels and snapshot.channels[leg].state == "Up"}
    bridge = snapshot.bridges.get(bridge_id(call.id))
    answered = call.timeline.leg("b").answered is not None
    return call.whole and answered and up == legs and bridge is not None and legs <= set(bridge.channels)


class NotRestored(Exception):
    """What is written down of a call makes no sense to this version."""


_RECORDED = (Kind.CALLOUT, Kind.ALERTING, Kind.ANSWER, Kind.RECORDING)
"""What a record, and so a bill, can't do without: of these the time is enough."""


def restored(row: Call, entries: list[TimelineEntry], clock: Clock, *, whole: bool = True) -> LiveCall:
    """A call as far as the database knows it, and as this version understands that. Raises NotRestored.

    :param whole: False has only what its record needs.
    """
    plan, profile = row.plan, row.push_profile
    if not whole:
        plan, profile = _plan_of_columns(row), PushProfile.COMPAT
    try:
        request = CallRequest(
            account_id=row.account_id,
            app_key=row.app_key,
            plan=restored_plan(Service(row.service), plan),
            display_number=PhoneNumber(row.display_number),
            bind_number=PhoneNumber(row.bind_number) if row.bind_number else None,
            callee=PhoneNumber(row.callee),
            user_data=row.user_data,
            status_url=row.status_url,
            fee_url=row.fee_url,
            push_profile=PushProfile(profile),
        )
        timeline = Timeline(
            [
                # In the call's own row, and no entry in the database.
                Entry(0, row.accepted_at, Kind.ACCEPTED),
                *(
                    Entry(
                        entry.sequence,
                        entry.at,
                        Kind(entry.kind) if whole or entry.kind in _RECORDED else Kind.UNKNOWN,
                        entry.leg,
                        entry.detail or {},
                    )
                    for entry in entries
                ),
            ]
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotRestored(f"{type(error).__name__}: {error}") from error
    news = unknown_fields(plan) | {entry.kind for entry in entries if Kind(entry.kind) is Kind.UNKNOWN}
    if news:
        log.warning(
            "What a newer version has written of a call is left out",
            extra={"call": row.id, "unknown": sorted(news)},
        )
    timeline.skip(UNWRITTEN)
    return LiveCall(
        row.id,
        row.session_id,
        request,
        clock,
        lambda _call, _entry: None,
        timeline,
        row.node,
        row.left_at,
        whole,
    )


def _plan_of_columns(row: Call) -> dict[str, Any]:
    """Of a callback's plan what is in its row too."""
    return {
        "callee": row.addressee,
        "display_number": row.second_display_number,
        "callee_media": CalleeMedia.ALL,
        "last_minute_to": (),
    }
