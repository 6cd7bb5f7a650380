"""One call: how it went, in one picture and in every detail; live while it runs."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from controller.console.pages.call_terms import failure
from controller.console.pages.declared import Pages
from controller.console.pages.terms import SERVICES
from controller.console.pages.waveforms import Picture
from controller.console.visit import Visit
from controller.console.words import N_
from controller.details.ladder_svg import ladder_parts
from controller.details.picture import is_accepted, timeline_svg
from controller.details.report import CallReport, PushReport
from controller.management.operations import Download
from controller.management.problems import Conflict, NotFound, Problem
from controller.management.resources.applications import get_application
from controller.management.resources.calls import (
    CallDetail,
    CallView,
    get_call,
    get_call_capture,
    get_call_ladder,
    get_call_ladder_text,
    get_call_picture,
    hang_up_call,
    list_calls,
)
from controller.management.resources.pushes import push_attempt_again, push_cdrs_again

pages = Pages()

_SETTLES: Final = timedelta(seconds=20)
"""After its end: the CDR is pushed and the recording fetched meanwhile."""
_SIMILAR: Final = 8
_GOOD_MOS, _FAIR_MOS = 4.0, 3.6
"""At and above: most people are satisfied, some are not (ITU-T G.107, appendix I)."""
DIRECTIONS: Final = {"from_phone": N_("phone to platform"), "to_phone": N_("platform to phone")}
DELIVERIES: Final = {
    "delivered": N_("delivered"),
    "waiting": N_("waiting for the next attempt"),
    "held": N_("held: the receiver is disabled"),
    "filed": N_("written to the CDR file after the last attempt"),
}
RECORDINGS: Final = {
    "pending": N_("is being fetched from the node"),
    "fetched": N_("kept"),
    "stored": N_("kept"),
    "purged": N_("its time is over; the file is gone"),
    "failed": N_("could not be fetched"),
    "discard": N_("is being discarded"),
    "discarded": N_("discarded: nobody answered"),
}


@dataclass(frozen=True)
class Mark:
    """A moment in a recording."""

    seconds: float
    x: float
    text: str


@dataclass(frozen=True)
class Wave:
    """A recording as it is drawn."""

    picture: Picture
    marks: list[Mark]


@pages.get("/calls/{call_id}")
async def call_page(visit: Visit) -> web.StreamResponse:
    """The whole page."""
    call = await _read(visit)
    return visit.render("call.html", follows=not _settled(visit, call), **await _values(visit, call))


@pages.get("/calls/{call_id}/live")
async def call_live(visit: Visit) -> web.StreamResponse:
    """What the page shows, again and again until nothing changes any more."""
    # Whoever may not see it gets an answer, not a stream of them.
    await _read(visit)
    settled = False

    async def values() -> Mapping[str, Any] | None:
        nonlocal settled
        if settled:
            return None
        call = await _read(visit)
        settled = _settled(visit, call)
        return await _values(visit, call)

    return await visit.follow("call_part.html", values)


@pages.post("/calls/{call_id}/hang-up")
async def hang_up(visit: Visit) -> web.StreamResponse:
    """End the call."""
    return await _done(visit, hang_up_call, N_("The call is being hung up."))


@pages.post("/calls/{call_id}/push-again")
async def push_again(visit: Visit) -> web.StreamResponse:
    """Push the CDR once more."""
    call = await visit.run(get_call)
    await visit.run(push_cdrs_again, body={"account_id": call.account_id, "call_id": call.id})
    return visit.go(_address(call), "The CDR is pushed again now.")


@pages.post("/calls/{call_id}/pushes/{attempt_id}/again")
async def push_attempt_once_more(visit: Visit) -> web.StreamResponse:
    """Push once more what an attempt told, and tell what became of it."""
    call = await visit.run(get_call)
    try:
        pushed = await visit.run(push_attempt_again)
    except Conflict as conflict:
        return visit.go(_address(call), visit.renderer.fault(visit.look.language, conflict.detail))
    if pushed.failure is None:
        notice = N_("The receiver took it: HTTP %(status)s after %(took)s ms.")
        return visit.go(_address(call), notice, status=pushed.status, took=pushed.latency_ms)
    why = visit.text(failure(pushed.failure))
    return visit.go(_address(call), N_("It was not taken. %(why)s"), why=why)


@pages.get("/calls/{call_id}/recording")
async def recording(visit: Visit) -> web.StreamResponse:
    """Lead to the sound, by a link that is good for a while."""
    report = _report(await _read(visit))
    if report.recording is None or report.recording.link is None:
        raise NotFound
    return web.Response(status=303, headers={"Location": report.recording.link})


@pages.get("/calls/{call_id}/download/timeline.svg")
async def picture(visit: Visit) -> web.StreamResponse:
    """The axis of time as a file."""
    return _file(visit, await visit.run(get_call_picture))


@pages.get("/calls/{call_id}/download/ladder.svg")
async def ladder(visit: Visit) -> web.StreamResponse:
    """The ladder as a file."""
    return _file(visit, await visit.run(get_call_ladder))


@pages.get("/calls/{call_id}/download/ladder.txt")
async def ladder_as_text(visit: Visit) -> web.StreamResponse:
    """The ladder as a text."""
    return _file(visit, await visit.run(get_call_ladder_text))


@pages.get("/calls/{call_id}/download/capture.pcap")
async def capture(visit: Visit) -> web.StreamResponse:
    """The SIP messages as a capture file."""
    return _file(visit, await visit.run(get_call_capture))


@pages.get("/calls/{call_id}/download/bundle.json")
async def bundle(visit: Visit) -> web.StreamResponse:
    """All that is known, as the API tells it."""
    text = (await _read(visit)).model_dump_json(indent=2)
    return _file(visit, Download(text.encode(), "application/json", "bundle.json"))


async def _read(visit: Visit) -> CallDetail:
    """The call with all that is known of it. Raises Problem."""
    return await visit.run(get_call, query={"view": "debug"})


async def _done(visit: Visit, handler: Any, notice: str) -> web.StreamResponse:
    """Do something to the call; what stands against it is shown above the page."""
    call = await visit.run(get_call)
    try:
        await visit.run(handler)
    except Conflict as conflict:
        return visit.go(_address(call), visit.renderer.fault(visit.look.language, conflict.detail))
    return visit.go(_address(call), notice)


async def _values(visit: Visit, call: CallDetail) -> dict[str, Any]:
    report = _report(call)
    head, body = ladder_parts(report, visit.text)
    return {
        "call": call,
        "report": report,
        "state": _state(call),
        "service": SERVICES[call.service],
        "app_name": await _app_name(visit, call),
        "picture": timeline_svg(report, visit.text, titled=False),
        "ladder_head": head,
        "ladder_body": body,
        "pushes": report.pushes,
        "is_accepted": is_accepted,
        "curl": _curl,
        "failure": failure,
        "may_push": visit.allows(push_attempt_again),
        "directions": DIRECTIONS,
        "deliveries": DELIVERIES,
        "recordings": RECORDINGS,
        "mos_kind": _mos_kind,
        "wave": _wave(report),
        "similar": await _similar(visit, call),
        "day_ago": _day_before(visit),
        "over": call.ended_at is not None,
        "same_by_api": _same_by_api(visit, call),
    }


def _report(call: CallDetail) -> CallReport:
    assert call.debug is not None
    return call.debug


def _settled(visit: Visit, call: CallDetail) -> bool:
    if call.ended_at is None:
        return False
    recording = _report(call).recording
    pending = recording is not None and recording.state == "pending"
    passed = visit.services.clock.now() - call.ended_at
    return passed > (10 * _SETTLES if pending else _SETTLES)


def _state(call: CallView) -> tuple[str, str]:
    """A kind of colour and a word."""
    if call.state_code is None:
        return ("progress", N_("goes on"))
    return ("success", N_("ended normally")) if call.state_code == 0 else ("fail", N_("failed"))


async def _app_name(visit: Visit, call: CallView) -> str | None:
    """None: the application is gone."""
    try:
        return (await visit.run(get_application, {"app_key": call.app_key})).name
    except NotFound:
        return None


async def _similar(visit: Visit, call: CallDetail) -> list[CallView]:
    """Calls of the last day that failed in the same way."""
    if not call.state_code:
        return []
    query = {"result": [call.state_code], "since": _day_before(visit), "limit": _SIMILAR + 1}
    try:
        found = await visit.run(list_calls, query=query)
    except Problem:
        # The page is worth more than this part of it.
        return []
    return [other for other in found.items if other.id != call.id][:_SIMILAR]


def _day_before(visit: Visit) -> str:
    """Of the minute, so that the page does not change all the time."""
    now: datetime = visit.services.clock.now()
    return (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:00Z")


def _mos_kind(mos: float) -> str:
    return "success" if mos >= _GOOD_MOS else "warn" if mos >= _FAIR_MOS else "fail"


def _curl(push: PushReport) -> str:
    """The push as a command, without its signature."""
    words = ["curl", "-X", "POST", push.url, "-H", "Content-Type: application/json", "-d", push.body or ""]
    return shlex.join(words)


def _same_by_api(visit: Visit, call: CallView) -> str:
    address = f"{visit.base_url}/api/v1/calls/{call.id}?view=debug"
    return f'curl -sSf -H "Authorization: Bearer $TOKEN" {shlex.quote(address)}'


def _wave(report: CallReport) -> Wave | None:
    """The recording's shape, and what happened while it ran."""
    found = report.recording
    if found is None or not found.peaks or not found.seconds:
        return None
    picture = Picture(tuple(found.peaks), found.seconds)
    begin = next((step.at for step in report.steps if step.kind == "recording"), None)
    marks = []
    for happened in report.steps if begin is not None else ():
        seconds = (happened.at - begin).total_seconds()  # type: ignore[operator]
        if happened.kind in ("answer", "prompt", "collected") and 0 <= seconds <= found.seconds:
            x = round(picture.width * seconds / found.seconds, 1)
            marks.append(Mark(round(seconds, 2), x, happened.text))
    return Wave(picture, marks)


def _address(call: CallView) -> str:
    return f"/calls/{call.id}"


def _file(visit: Visit, download: Download) -> web.Response:
    name = f"{visit.path['call_id'].partition('@')[0]}-{download.file_name}"
    return web.Response(
        body=download.content,
        headers={
            "Content-Type": download.media_type
            + ("; charset=utf-8" if "text/" in download.media_type else ""),
            "Content-Disposition": f'attachment; filename="{name}"',
        },
    )
