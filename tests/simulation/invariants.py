"""What must hold in every world, whatever goes wrong in it."""

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from controller.calls.outcome import INTERRUPTED
from tests.simulation.receivers import CALL_ID, Received
from tests.simulation.world import World

_WRITTEN_AFTER = 0.06
"""Seconds after which an answer stands in the database: one that is not gathered with others."""


_MEETING = timedelta(seconds=0.1)

_TIME = re.compile(r'"time":"[^"]*"')
"""Of a log line: a code may be digits of it."""

_READ_LATE = ("Asterisk hangs", "packets held up", "a second controller takes the application")
"""Faults by which what was asked for in time comes to an application that has nobody any more."""

_SLOW = ("Asterisk hangs", "packets held up", "answers up to")
"""Faults by which everything may take its time."""

_UNTOLD = (" lost", " answered ")
"""Faults by which the controller isn't told what happened."""

_TOLD_LATE = ("ChannelDestroyed after the next",)
"""Faults by which it is told of an end when something else happens, which may take seconds."""

_VAGUE = ("clock steps", "after the next", "second controller", "killed", "restarted", "socket closed")
"""Faults by which it isn't known when something happened."""

_BILLED_FROM = 0.5
"""Seconds that the answer of a CDR may be from the one of the phone."""

_OUTLIVED = 4.0
"""Seconds in which a call is over whose phones are all gone; the time-outs that end it anyway are longer."""

_ANSWERED = 1.0
"""Seconds in which an Asterisk that is not slow answers."""

_GIVEN_UP = 12.0
"""Seconds after which the calls of an Asterisk that stays away are over: 8, and time to write that down."""


async def watch(world: World) -> None:
    """What can be looked at while the world runs."""
    alone_since = 0.0
    asked_since: dict[str, float] = {}
    silent_since: dict[str, float] = {}
    while True:
        await asyncio.sleep(0.25)
        if fault := _outlived(world, silent_since):
            world.wrong.append(fault)
            return
        now, rows = world.loop.time(), world.live_rows()
        in_vain = _waiting_in_vain(world)
        asked_since = {request: asked_since.get(request, now) for request in in_vain}
        if any(now - since > _ANSWERED for since in asked_since.values()):
            world.wrong.append(f"requests wait for {_ANSWERED} s and more for answers that do not come")
            return
        if rows > world.limit:
            world.wrong.append(f"{rows} calls are live, {world.limit} are allowed")
            return
        troubled = now < world.database_troubled_until + 5
        if world.asterisk.connections or world.controller is None or troubled:
            alone_since = now
        elif (run := world.controller.calls.live_ids) and now - alone_since > _GIVEN_UP:
            world.wrong.append(f"{len(run)} calls run {_GIVEN_UP} s after their Asterisk was lost")
            return


def _outlived(world: World, silent_since: dict[str, float]) -> str:
    """A call of which Asterisk has no channel any more ends at once, also if that happened in a gap.

    :param silent_since: since when a running call has none, where nothing else keeps it from its end.
    """
    controller, now = world.controller, world.loop.time()
    excused = (*_SLOW, *_UNTOLD, *_TOLD_LATE)
    if controller is None or any(slow in fault for _, fault in world.faults for slow in excused):
        silent_since.clear()
        return ""
    on_phones = {channel.rpartition(".")[0] for channel in world.asterisk.left["channels"]}
    connected = world.asterisk.connections and now >= world.database_troubled_until + 5
    running = {call for call in controller.calls.live_ids if connected and call not in on_phones}
    for call in silent_since.keys() - running:
        del silent_since[call]
    for call in sorted(running):
        if now - silent_since.setdefault(call, now) > _OUTLIVED:
            return f"{call} runs {_OUTLIVED} s after its last phone was gone"
    return ""


def _waiting_in_vain(world: World) -> Iterable[str]:
    """The requests under way over a socket that is gone, or to an Asterisk that answers at once."""
    if world.controller is None:
        return ()
    connection = world.controller.node.ari._connection
    slow = any(slow in fault for _, fault in world.faults for slow in _SLOW)
    return () if slow and connection.connected else connection._answers


def is_quiet(world: World) -> bool:
    """Everything has come to its end."""
    return not list(_unfinished(world))


def _unfinished(world: World) -> Iterable[str]:
    if world.controller is None:
        yield "no controller runs"
        return
    if world.controller.calls.live_ids:
        yield f"calls run: {sorted(world.controller.calls.live_ids)}"
    if rows := world.live_rows():
        yield f"{rows} rows are live"
    for kind, left in world.asterisk.left.items():
        if left:
            yield f"left on Asterisk: {kind} {sorted(left)}"
    for what, query in (
        ("CDRs wait", "select call_id from cdr_push where delivered_at is null and filed_at is null"),
        ("status pushes wait", "select call_id from call_push where given_up_at is null"),
        ("recordings wait", "select call_id from recording where state in ('pending', 'fetched', 'discard')"),
    ):
        if found := world.sql.execute(query).fetchall():
            yield f"{what}: {found}"


def check(world: World) -> list[str]:
    """What is wrong, in words, once the world is quiet."""
    wrong = [*world.wrong, *_unfinished(world)]
    rows = world.sql.execute("select session_id, id, ended_at, push_profile from call").fetchall()
    cdrs = {call: json.loads(text) for call, text in world.sql.execute("select call_id, record from cdr")}
    sessions = {session for session, *_ in rows}
    wrong += [f"accepted and not known: {session}" for session in world.accepted if session not in sessions]
    pushes = defaultdict[str, list[Received]](list)
    for push in world.receivers.received:
        pushes[push.session].append(push)
    wrong += [f"pushes of no call: {session}" for session in pushes if session not in sessions]
    for session, call, ended_at, profile in rows:
        if ended_at is None or call not in cdrs:
            wrong.append(f"{call} has no CDR")
            continue
        told = [push for push in pushes[session] if push.kind != "fee"]
        found = [*_pushes(world, told, profile), *_answers(world, session, cdrs[call], told)]
        if not any(push.kind == "fee" and push.accepted for push in pushes[session]) and not _filed(
            world, call
        ):
            found.append("its CDR was pushed to nobody")
        wrong += [f"{call}: {fault}" for fault in found]
    if not any(fault in _READ_LATE for _, fault in world.faults):
        wrong += [f"asked for while nobody listened: {channel}" for channel in world.asterisk.unheard]
    wrong += _taken_for_left_behind(world, cdrs)
    wrong += _secrets(world)
    return wrong


def _filed(world: World, call: str) -> bool:
    row = world.sql.execute("select filed_at from cdr_push where call_id = ?", (call,)).fetchone()
    return row is not None and row[0] is not None


def _pushes(world: World, told: list[Received], profile: str) -> Iterable[str]:
    """Status pushes: in order, and one `disconnect`."""
    numbers = [push.sequence for push in told if push.accepted]
    if profile == "compat":
        once = [push.sequence for push in told if push.sequence is not None]
    else:
        once = [number for number, _same in groupby(number for number in numbers if number is not None)]
    # A durable push is repeated when a crash took the note that it was accepted with it.
    repeated = profile == "durable" and world.crashes
    if not repeated and any(later <= earlier for earlier, later in pairwise(once)):
        yield f"numbers of status pushes don't rise: {once}"
    ends = [push for push in told if push.kind == "disconnect"]
    if profile == "compat":
        if len(ends) > 1:
            yield f"{len(ends)} disconnect pushes"
        if not ends and not world.crashes and not world.restarts and not _receivers_failed(world):
            yield "no disconnect push"
    elif not any(push.accepted for push in ends):
        yield "no disconnect push was taken"
    if told and any(push.kind == "disconnect" for push in told[:-1]) and told[-1].kind != "disconnect":
        yield "told of after its end"


def _receivers_failed(world: World) -> bool:
    return any(fault.startswith("receivers") for _, fault in world.faults)


def _answers(world: World, session: str, cdr: dict[str, Any], told: list[Received]) -> Iterable[str]:
    """What is billed is what happened."""
    call = session.partition("@")[0]
    for name, key in (("a", "first_leg"), ("b", "second_leg")):
        at = world.asterisk.answered.get(f"{call}.{name}")
        billed = cdr[key]["answered"]
        if billed is not None and at is None:
            yield f"leg {name} is billed and was not answered"
        elif billed is not None and at is not None and _is_exact(world):
            beside = (datetime.fromisoformat(billed) - world.clock.at(at)).total_seconds()
            if abs(beside) > _BILLED_FROM:
                yield f"leg {name} is billed from {beside:.2f} s after its answer"
        if billed is not None or at is None or _while_it_ended(world, cdr, at):
            continue
        if not _hidden(world, session, at):
            yield f"leg {name} was answered and is not billed"
    answers = len({push.sequence for push in told if push.kind == "answer"})
    billed_legs = sum(cdr[key]["answered"] is not None for key in ("first_leg", "second_leg"))
    if answers > billed_legs and not world.database_failed_at and cdr["state_code"] is not None:
        yield f"{answers} answers were told, {billed_legs} are billed"
    ended = datetime.fromisoformat(cdr["ended_at"])
    for key in ("first_leg", "second_leg"):
        times = [datetime.fromisoformat(at) for at in cdr[key].values() if at is not None]
        if not _clock_stepped(world) and any(at > ended for at in times):
            yield "it ended before something happened in it"


def _is_exact(world: World) -> bool:
    """Whether nothing kept the controller from knowing at once what happened, and when."""
    return not any(vague in fault for _, fault in world.faults for vague in (*_SLOW, *_UNTOLD, *_VAGUE))


def _hidden(world: World, session: str, at: float) -> bool:
    """Whether an answer may have come to nobody's knowledge: a kill before it was noted, or other trouble."""
    accepted = world.accepted.get(session)
    if accepted is None or any(accepted < crash < at + _WRITTEN_AFTER for crash in world.crashes):
        return True
    return any("killed" not in fault and "receivers" not in fault for _, fault in world.faults)


def _while_it_ended(world: World, cdr: dict[str, Any], at: float) -> bool:
    """Whether a phone was picked up just when the other side gave up: the two met on their way."""
    return datetime.fromisoformat(cdr["ended_at"]) - world.clock.at(at) < _MEETING


def _taken_for_left_behind(world: World, cdrs: dict[str, Any]) -> Iterable[str]:
    """Recovery touches no call that somebody runs."""
    for at, call in world.lines.left_behind:
        cdr = cdrs.get(call)
        if cdr is None or _clock_stepped(world) or cdr["state_code"] == INTERRUPTED.state_code:
            continue
        if datetime.fromisoformat(cdr["ended_at"]) > at:
            yield f"{call} was hung up as left behind, and went on"


def _clock_stepped(world: World) -> bool:
    return any(fault.startswith("clock") for _, fault in world.faults)


def _secrets(world: World) -> Iterable[str]:
    for line in world.lines.lines:
        bare = _TIME.sub("", CALL_ID.sub("", line))
        found = [secret for secret in world.workload.secrets if secret in bare]
        if found:
            yield f"a log line has a number or a code: {line}"


def summary(world: World) -> dict[str, Any]:
    """What happened, for statistics."""
    return {
        "calls": len(world.accepted),
        "crashes": len(world.crashes),
        "faults": Counter(fault for _, fault in world.faults),
    }
