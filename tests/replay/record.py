"""`make record-replays`: makes the calls of the corpus on a real Asterisk with real softphones."""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from controller.calls.call import CallRequest
from controller.prompts import wav
from controller.store.limits import Limits
from controller.store.tables import Account, App, Cdr, Number, Service, TimelineEntry
from controller.wiring import running_controller
from replay.story import ACCOUNT, APP, CALL, FIRST, SECOND, Step, Story, outcome_of, path_of, request_of
from testbed.ari_recorder import AriRecorder, Frame, recording_ari
from testbed.asterisk import obtain_asterisk
from testbed.platform import Platform, platform
from testbed.softphone import Softphone
from testbed.softphone_plan import Answer, Digits, EarlyMedia, Plan, Reject, RingOnly, Silent, Tone
from testbed.sounds import distinct_prompt

from integration.support import QUICK  # isort: skip

PROMPTS = {"one": 1.0, "two": 0.6, "long": 5.0, "1": 0.3, "2": 0.3}
"""Name -> seconds."""


def _notification(*items: dict[str, Any]) -> dict[str, Any]:
    return {"service": "notification", "items": list(items) or [{"prompt": "one"}]}


def _verification(times: int = 1, **more: Any) -> dict[str, Any]:
    return {"service": "verification", "pre": "one", "digits": ["1", "2", "1"], "times": times, **more}


def _callback(**more: Any) -> dict[str, Any]:
    return {"service": "callback", **more}


_KEYS = (Digits("12#", 1.2),)
CALLS: dict[str, tuple[dict[str, Any], Plan, Plan | None]] = {
    "notification_heard": (_notification(), Answer(after=0.3), None),
    "notification_two_items": (_notification({"prompt": "one"}, {"prompt": "two"}), Answer(), None),
    "notification_keys": (_notification({"prompt": "one", "collect": 4}), Answer(digits=_KEYS), None),
    "notification_no_key": (_notification({"prompt": "two", "collect": 2}), Answer(), None),
    "notification_again": (
        _notification({"prompt": "two", "collect": 1, "replay": "1"}),
        Answer(digits=(Digits("1", 0.8), Digits("2", 1.5))),
        None,
    ),
    "notification_hung_up": (_notification({"prompt": "long"}), Answer(hang_up_after=0.6), None),
    "notification_busy": (_notification(), Reject(486), None),
    "notification_declined": (_notification(), Reject(603, after=0.3, ring=True), None),
    "notification_unknown": (_notification(), Reject(404), None),
    "notification_carrier_fails": (_notification(), Reject(503), None),
    "notification_not_answered": (_notification(), RingOnly(), None),
    "notification_silent": (_notification(), Silent(), None),
    "notification_announcement": (_notification(), EarlyMedia(Tone(900), Reject(480), seconds=0.4), None),
    "notification_missing": (_notification({"prompt": "missing"}), Answer(), None),
    "verification_heard": (_verification(), Answer(after=0.2), None),
    "verification_twice": (_verification(2, post="two"), Answer(), None),
    "verification_hung_up": (_verification(0), Answer(hang_up_after=2.5), None),
    "verification_busy": (_verification(), Reject(486), None),
    "callback_talked": (_callback(), Answer(), Answer(after=0.4, hang_up_after=1.5)),
    "callback_first_hangs_up": (_callback(wait="long"), Answer(hang_up_after=2.5), Answer(after=0.5)),
    "callback_first_busy": (_callback(), Reject(486), None),
    "callback_second_busy": (_callback(pre="two"), Answer(), Reject(486, after=0.3, ring=True)),
    "callback_second_not_answered": (_callback(wait="one"), Answer(), RingOnly()),
    "callback_first_gives_up": (_callback(), Answer(hang_up_after=0.8), RingOnly()),
    "callback_out_of_time": (_callback(minutes=1, last="two"), Answer(), Answer()),
    "callback_recorded": (_callback(record=True), Answer(), Answer(hang_up_after=4.0)),
}
"""Name -> what is asked for, what the first phone does, and the second."""


def _is_keepers(method: str, path: str, before: list[Step]) -> bool:
    """Whether it is asked by who fetches recordings when a call is over: he stops them too, to be sure."""
    if "recordings/stored" in path:
        return True
    ended = any(step.method == "DELETE" and step.path.startswith("bridges/") for step in before)
    return ended and method == "POST" and path.startswith("recordings/live/")


def steps_of(frames: list[Frame], call: str, hidden: dict[str, str]) -> list[Step]:
    """What was said of a call; `hidden`: what stands for what."""
    found: list[Step] = []
    serials: dict[str, int] = {}
    began: float | None = None
    for frame in frames:
        said = json.loads(frame.text)
        answers = said["type"] == "RESTResponse"
        if said["request_id"] not in serials if answers else call not in frame.text:
            continue
        if not frame.from_asterisk and _is_keepers(said["method"], path_of(said["uri"]), found):
            continue
        began = frame.at if began is None else began
        text = frame.text
        for shown, stands in hidden.items():
            text = text.replace(shown, stands)
        masked, at = json.loads(text), round(frame.at - began, 4)
        if answers:
            body = masked.get("message_body", "")
            found.append(
                Step(at, "answer", serials[said["request_id"]], status=said["status_code"], body=body)
            )
        elif frame.from_asterisk:
            masked.pop("asterisk_id", None)
            found.append(Step(at, "event", event=masked))
        else:
            serials[said["request_id"]] = len(serials) + 1
            path = path_of(masked["uri"])
            found.append(Step(at, "ask", len(serials), method=masked["method"], path=path))
    return found


def _declared(session: Session) -> None:
    session.merge(Account(id=ACCOUNT))
    session.flush()
    session.merge(App(key=APP, account_id=ACCOUNT, service=Service.NOTIFICATION, secret="12345678"))
    for number in (FIRST, SECOND):
        session.merge(Number(number=number.e164, account_id=ACCOUNT))


async def _one(
    home: Platform,
    recorder: AriRecorder,
    controller: Any,
    name: str,
    request: CallRequest,
    hidden: dict[str, str],
) -> None:
    before = len(recorder.frames)
    accepted = await controller.calls.start(request, None, Limits(10))
    call = accepted.session_id.partition("@")[0]
    deadline = time.monotonic() + 60
    while call in controller.calls.live_ids and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    # The last events of channels that are gone.
    await asyncio.sleep(0.6)

    def kept(session: Session) -> tuple[dict[str, Any], list[str]]:
        record = session.exec(select(Cdr).where(Cdr.call_id == call)).one().record
        rows = session.exec(
            select(TimelineEntry).where(TimelineEntry.call_id == call).order_by(TimelineEntry.sequence)  # type: ignore[arg-type]
        )
        return record, [row.kind for row in rows]

    record, timeline = await controller.database.read(kept)
    steps = steps_of(recorder.frames[before:], call, {**hidden, call: CALL})
    outcome = outcome_of(record)
    Story(name, CALLS[name][0], QUICK.model_dump(mode="json"), outcome, timeline, steps).write()
    print(f"{name}: {outcome['state_code']}/{outcome['cut_point']}, {len(steps)} frames", flush=True)


async def record(only: str) -> None:
    chosen = {name: call for name, call in CALLS.items() if only in name}
    plans: dict[str, list[Plan]] = {
        FIRST.e164: [first for _plan, first, _second in chosen.values()],
        SECOND.e164: [second for _plan, _first, second in chosen.values() if second is not None],
    }
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home = await stack.enter_async_context(platform(folder, obtain_asterisk(), {"calls": QUICK}))
        phones = {
            number: await stack.enter_async_context(
                Softphone.start(plan=its or [Answer()], directory=folder / number[-4:])
            )
            for number, its in plans.items()
        }
        routes = "".join(
            f'[[routes]]\nprefix = "{number}"\n'
            f'contact = "sip:{{number}}@{phone.contact.removeprefix("sip:")}"\n'
            for number, phone in phones.items()
        )
        await home.declare(routes)
        hidden = {str(folder): "/srv"}
        media = {"missing": "sound:/nowhere/missing"}
        for place, (name, seconds) in enumerate(PROMPTS.items()):
            (folder / f"{name}.alaw").write_bytes(wav.read(distinct_prompt(place + 1, seconds)))
            media[name] = f"sound:{folder / name}"
        recorder = await stack.enter_async_context(recording_ari(home.asterisk.ari_url))
        settings = home.settings.model_copy(
            update={"asterisk": home.settings.asterisk.model_copy(update={"ari_url": recorder.url})}
        )
        controller = await stack.enter_async_context(running_controller(settings))
        await controller.database.write(_declared)
        await controller.node.ari.wait_ready()
        for name, (plan, _first, _second) in chosen.items():
            await _one(home, recorder, controller, name, request_of(plan, media), hidden)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1] if len(sys.argv) > 1 else ""))
