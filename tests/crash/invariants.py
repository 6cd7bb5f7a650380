"""What must hold once all that went wrong is mended, whatever it was."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.crash.world import CODE, LIMIT, PATHS, SECOND_SHOWN, SHOWN, World

_WAITING = {
    "live calls": "select id from call where ended_at is null",
    "CDRs not pushed": "select call_id from cdr_push where delivered_at is null and filed_at is null",
    "status pushes behind": "select call_id from call_push where given_up_at is null",
    "recordings not fetched": "select call_id from recording where state in "
    "('pending', 'fetched', 'discard')",
}

WRITTEN_AT_A_TIME = 4.3
"""Seconds of sound that Asterisk keeps before it writes any of a recording: what a killed one loses."""


async def quiet(world: World, timeout: float = 90) -> None:
    """Wait until everything has come to its end. Raises AssertionError that names what has not."""
    deadline = time.monotonic() + timeout
    while left := await _left(world):
        assert time.monotonic() < deadline, f"{timeout} s after the last fault: {left}"
        await asyncio.sleep(0.1)


async def _left(world: World) -> dict[str, list[str]]:
    found = {what: [str(row[0]) for row in world.sql(query)] for what, query in _WAITING.items()}
    for what in ("channels", "bridges"):
        found[f"{what} on Asterisk"] = await world.on_asterisk(what)
    spool = world.home.settings.asterisk.recording_dir
    found["recordings on Asterisk"] = [path.name for path in spool.iterdir()] if spool.is_dir() else []
    return {what: ids for what, ids in found.items() if ids}


def faults(world: World) -> list[str]:
    """What does not hold, in words; nothing is under way any more."""
    rows = world.sql("select session_id, id, ended_at, state_code from call")
    cdrs = defaultdict(list)
    for call, record in world.sql("select call_id, record from cdr"):
        cdrs[call].append(record if isinstance(record, dict) else json.loads(record))
    entries = defaultdict(list)
    for call, sequence, kind, leg in world.sql("select call_id, sequence, kind, leg from timeline_entry"):
        entries[call].append((sequence, kind, leg))
    sessions = {row[0] for row in rows}
    wrong = [
        f"{what} was accepted and is not known" for s, what in world.accepted.items() if s not in sessions
    ]
    wrong += _pushes_of_nobody(world, sessions)
    recordings = {row[0]: row[1:] for row in world.sql("select call_id, state, seconds from recording")}
    for session, call, ended_at, state_code in rows:
        found = [
            *_end(ended_at, state_code, cdrs[call], entries[call]),
            *_told(world, session),
            *_recording(world, call, cdrs[call], recordings.get(call)),
        ]
        wrong += [f"{world.accepted.get(session, 'not answered')} ({call}): {fault}" for fault in found]
    return [*wrong, *_log(world)]


def _end(ended_at: object, state_code: object, cdrs: list[dict], entries: list[tuple]) -> Iterable[str]:
    """One final state, one CDR, and the CDR bills what happened."""
    if ended_at is None or state_code is None:
        yield "it has no final state"
    if len(cdrs) != 1:
        yield f"it has {len(cdrs)} CDRs"
        return
    (cdr,) = cdrs
    if cdr["state_code"] != state_code:
        yield f"its CDR says {cdr['state_code']}, its row {state_code}"
    kinds = [kind for _sequence, kind, _leg in sorted(entries, key=lambda entry: entry[0])]
    if kinds.count("disconnect") != 1 or kinds[-1] != "disconnect":
        yield f"its timeline is {kinds}"
    for leg, key in (("a", "first_leg"), ("b", "second_leg")):
        answered = any(kind == "answer" and own == leg for _sequence, kind, own in entries)
        if answered != (cdr[key]["answered"] is not None):
            yield f"leg {leg} {'was' if answered else 'was not'} answered, and its CDR says otherwise"


def _told(world: World, session: str) -> Iterable[str]:
    """At most one `disconnect`, nothing after it, numbers that rise; one CDR, however often it is pushed."""
    statuses = world.receiver.statuses(session)
    kinds = [status.event_type for status in statuses]
    if kinds.count("disconnect") > 1:
        yield f"{kinds.count('disconnect')} disconnect pushes"
    if "disconnect" in kinds[:-1]:
        yield f"told of after its end: {kinds}"
    numbers = [int(status.push.header("X-Call-Sequence") or -1) for status in statuses]
    if numbers != sorted(set(numbers)):
        yield f"numbers of status pushes don't rise: {numbers}"
    pushed = world.receiver.cdrs(session)
    filed = world.sql(
        "select filed_at from cdr_push where call_id = ? and filed_at is not null", session.partition("@")[0]
    )
    if not pushed and not filed:
        yield "its CDR reached nobody"
    if any(cdr != pushed[0] for cdr in pushed):
        yield "its CDR was pushed in different forms"


def _pushes_of_nobody(world: World, sessions: set[str]) -> list[str]:
    told = {str(status.info.get("sessionId")) for status in world.receiver.statuses()}
    billed = {str(cdr.get("sessionId")) for cdr in world.receiver.cdrs()}
    return [
        f"pushes of a call that is not known: {session}" for session in sorted((told | billed) - sessions)
    ]


def _recording(world: World, call: str, cdrs: list[dict], row: tuple | None) -> Iterable[str]:
    """What a CDR names is there, unless Asterisk was killed before it had written any of it."""
    named = bool(cdrs) and cdrs[0]["recording_name"] is not None
    if not named:
        if row is not None and row[0] not in ("discarded",):
            yield f"its recording is {row[0]}, and its CDR names none"
        return
    assert row is not None, "a CDR names a recording that has no row"
    state, seconds = row
    files = list(world.home.settings.recording_dir.rglob(f"*{call}*"))
    if state == "stored":
        if not seconds or len(files) != 1 or files[0].stat().st_size < 8000 * (seconds - 0.5):
            yield f"of its recording of {seconds} s there is {[(f.name, f.stat().st_size) for f in files]}"
    elif not world.asterisk_deaths:
        yield f"its recording is {state}"


def _log(world: World) -> Iterable[str]:
    """No number and no code in the log, no error that nobody looked at, and JSON alone."""
    for line in world.log.read_text("utf-8", "replace").splitlines():
        if not line.startswith('{"time":'):
            yield f"a log line is not JSON: {line}"
        if any(secret in line for secret in (CODE, SHOWN, SECOND_SHOWN, "+99901")):
            yield f"a log line has a number or a code: {line}"
        if "never retrieved" in line or "never awaited" in line:
            yield f"an error was lost: {line}"


async def next_calls_work(world: World) -> list[str]:
    """Of each service one call: made as usual, with the whole quota free."""
    found = await asyncio.gather(*(_next_call_works(world, service) for service in PATHS))
    return [fault for faults in found for fault in faults]


async def _next_call_works(world: World, service: str) -> list[str]:
    wrong = []
    # A code that is read in short time.
    answer = await world.ask_patiently(service, **({"verifyCode": "47"} if service == "verification" else {}))
    if answer.code != "0":
        return [f"the next {service} is refused: {answer.text}"]
    world.accepted[answer.session_id] = f"next {service}"
    if answer.body["idlePort"] != LIMIT - 1:
        wrong.append(f"{LIMIT - 1 - answer.body['idlePort']} places of {service} are not free")
    disconnect = await world.receiver.wait_status(answer.session_id, "disconnect", 30)
    if disconnect.info["stateCode"] != 0:
        wrong.append(f"the next {service} ended with {disconnect.info['stateCode']}")
    return wrong


def database_files(world: World) -> Path:
    """The folder in which the database is."""
    return Path(world.home.settings.database_url.removeprefix("sqlite:///")).parent
