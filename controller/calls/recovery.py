"""After a start or a lost connection: nothing is left behind.

A snapshot says which channels Asterisk has; their ids, and a variable, say of which call. Of the calls
that the database has as live and nobody runs, callbacks whose phones talk go on and the others are closed.
Channels of calls that nobody runs are hung up.
"""

import asyncio
import logging
from functools import partial

from controller import ari
from controller.asterisk.node import Node
from controller.calls.call import Callback, CallRequest, LiveCall, restored_plan
from controller.calls.conversation import bridge_id, call_of_bridge
from controller.calls.line import call_of_channel, insist
from controller.calls.outcome import INTERRUPTED
from controller.calls.service import CallService
from controller.calls.timeline import Entry, Kind, Timeline
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.store import calls as rows
from controller.store.database import Database
from controller.store.tables import Call, PushProfile, Service, TimelineEntry

log = logging.getLogger(__name__)

UNWRITTEN = 20
"""Entries of a call, at most, that a controller that went away has told of and not written."""


class Recovery:
    """Puts the database and Asterisk in order again; the same path after every kind of trouble."""

    def __init__(
        self, database: Database, node: Node, service: CallService, clock: Clock, host_name: str
    ) -> None:
        self._database = database
        self._node = node
        self._service = service
        self._clock = clock
        self._host_name = host_name

    async def __call__(self, snapshot: ari.Snapshot) -> None:
        """Bring everything up to date with what Asterisk has."""
        left = await self._left_behind()
        for call in left:
            if talks(call, snapshot):
                self._service.resume(call)
        await self._hang_up_left_behind(snapshot)
        await self._destroy_left_behind(snapshot)
        for call in left:
            if call.id not in self._service.live_ids:
                await self._close(call)

    async def _hang_up_left_behind(self, snapshot: ari.Snapshot) -> None:
        # One at a time: Asterisk has had trouble with many at once after a reconnect.
        for channel in snapshot.channels.values():
            call_id = call_of_channel(channel)
            if call_id is None or call_id in self._service.running_ids:
                continue
            log.warning("A channel was left behind and is hung up", extra={"call": call_id})
            # One that Asterisk can't end all the same must not keep the node from taking calls.
            await insist(partial(self._node.ari.channels.hang_up, channel.id))

    async def _destroy_left_behind(self, snapshot: ari.Snapshot) -> None:
        # Also of calls that were closed: they may have ended while Asterisk could not be told.
        for bridge in snapshot.bridges:
            call_id = call_of_bridge(bridge)
            if call_id is None or call_id in self._service.running_ids:
                continue
            log.warning("A bridge was left behind and is destroyed", extra={"call": call_id})
            await insist(partial(self._node.ari.bridges.destroy, bridge))

    async def _left_behind(self) -> list[LiveCall]:
        """What the database has as live and nobody runs."""
        found = await self._database.read(
            lambda session: [
                (call, rows.timeline(session, call.id)) for call in rows.live_calls(session, self._host_name)
            ]
        )
        return [
            restored(row, entries, self._clock)
            for row, entries in found
            if row.id not in self._service.live_ids
        ]

    async def _close(self, call: LiveCall) -> None:
        log.warning("A call was left behind and is closed", extra={"call": call.id})
        await self._find_recording(call)
        # A close that was begun is finished, also when the connection is lost again meanwhile.
        await asyncio.shield(self._service.close(call, INTERRUPTED))

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
    return answered and up == legs and bridge is not None and legs <= set(bridge.channels)


def restored(row: Call, entries: list[TimelineEntry], clock: Clock) -> LiveCall:
    """A call as far as the database knows it."""
    request = CallRequest(
        account_id=row.account_id,
        app_key=row.app_key,
        plan=restored_plan(Service(row.service), row.plan),
        display_number=PhoneNumber(row.display_number),
        bind_number=PhoneNumber(row.bind_number) if row.bind_number else None,
        callee=PhoneNumber(row.callee),
        user_data=row.user_data,
        status_url=row.status_url,
        fee_url=row.fee_url,
        push_profile=PushProfile(row.push_profile),
    )
    timeline = Timeline(
        [
            Entry(entry.sequence, entry.at, Kind(entry.kind), entry.leg, entry.detail or {})
            for entry in entries
        ]
    )
    timeline.skip(UNWRITTEN)
    return LiveCall(row.id, row.session_id, request, clock, lambda _call, _entry: None, timeline)
