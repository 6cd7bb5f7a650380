"""Limits and rules through the whole product: over HTTP and from the dialplan, with simulated callees."""

import asyncio
import logging
import signal
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from integration.support import (
    APP_KEY,
    LOGIN_PASSWORD,
    LOGIN_USER,
    QUICK,
    SECOND_SHOWN,
    SECRET,
    SHOWN,
    Bench,
    StartBench,
)
from sqlalchemy import func, select

from controller.clock import SystemClock
from controller.settings import DiallingSettings
from controller.store.tables import Call, TimelineEntry
from testbed.client import Answer
from testbed.platform import PLENTY

TALKS, BUSY = "+999016000000", "+99901700000"
"""One that answers and stays until the platform hangs up, one that is busy at once; any digits may follow."""

LONG = {"notifyVoice": "long.wav"}
CALLEES = count(10)


def somebody(kind: str = TALKS) -> str:
    """A simulated callee that nobody else has called."""
    return f"{kind}{next(CALLEES)}"


async def declare(b: Bench, account: str = "", app: str = "", numbers: str = "") -> None:
    """The account of the tests, with `account` and `app` lines, and numbers of its own."""
    text = f"""
[[accounts]]
id = "test"
{account}
numbers = [{numbers or f'"{SHOWN}", "{SECOND_SHOWN}"'}]

[[accounts.apps]]
key = "{APP_KEY}"
secret = "{SECRET}"
service = "notification"
login = {{ user = "{LOGIN_USER}", password = "{LOGIN_PASSWORD}" }}
{app}
"""
    await b.home.declare(text)
    await b.controller.directory.refresh()


async def ask(b: Bench, callee: str = "", **more: Any) -> Answer:
    return await b.client.notify({**b.request(LONG, callee=callee or somebody()), **more})


async def ask_back(b: Bench, **more: Any) -> Answer:
    return await b.ask_call_back(callerNbr=somebody(), calleeNbr=somebody(), **more)


async def calls_made(b: Bench) -> int:
    return await b.controller.database.read(
        lambda session: session.execute(select(func.count()).select_from(Call)).scalar_one()
    )


async def refused(b: Bench, answer: Answer, code: str, wait: int | None = None) -> None:
    """The answer is this refusal, and no call was made of it."""
    assert (answer.status, answer.code) == (403, code), answer.text
    assert ("Retry-After" in answer.headers) == (wait is not None)
    if wait is not None:
        assert 0 < int(answer.headers["Retry-After"]) <= wait


class ShiftedClock(SystemClock):
    """The machine's clock, some time later."""

    def __init__(self, shift: timedelta) -> None:
        self.shift = shift

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_an_account_for_two_calls_when_two_apps_share_it_then_the_third_is_1013001(
    bench: StartBench,
) -> None:
    b = await bench()
    await declare(b, "max_calls = 2")

    one, two = await ask(b), await ask_back(b)
    await refused(b, await ask(b), "1013001")
    await refused(b, await ask_back(b), "1013001")
    assert await calls_made(b) == 2
    await b.stop(one.session_id, APP_KEY)
    await b.over(one.session_id)

    assert (await ask(b)).code == two.code == "0"


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_a_number_for_one_call_when_a_callback_shows_it_to_b_then_others_get_1013003(
    bench: StartBench,
) -> None:
    b = await bench()
    await declare(b, numbers=f'"{SHOWN}", {{ number = "{SECOND_SHOWN}", max_calls = 1 }}')

    talking = await ask_back(b)
    await refused(b, await ask(b, displayNbr=SECOND_SHOWN), "1013003")
    await refused(b, await ask_back(b), "1013003")
    assert (await ask(b)).code == "0"
    await b.stop(talking.session_id)
    await b.over(talking.session_id)

    assert (await ask(b, displayNbr=SECOND_SHOWN)).code == "0"


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize(
    ("account", "app", "platform", "code"),
    [
        ("", "calls_per_second = 3", 0, "1013002"),
        ("calls_per_second = 3", "", 0, "1013001"),
        ("", "", 3, "1010010"),
    ],
)
async def test_A4_4_given_three_calls_a_second_when_ten_are_asked_for_at_once_then_the_others_may_try_later(
    bench: StartBench, account: str, app: str, platform: int, code: str
) -> None:
    b = await bench(sections={"limits": PLENTY.model_copy(update={"calls_per_second": platform})})
    await declare(b, account, app)

    answers = await asyncio.gather(*(ask(b, somebody(BUSY)) for _ in range(10)))

    accepted = [answer for answer in answers if answer.code == "0"]
    moments = await b.controller.database.read(
        lambda session: sorted(session.execute(select(Call.accepted_at)).scalars())  # type: ignore[call-overload]
    )
    assert len(moments) == len(accepted) >= 3
    for moment in moments:
        assert sum(moment - timedelta(seconds=1) < other <= moment for other in moments) <= 3
    for answer in answers:
        if answer not in accepted:
            await refused(b, answer, code, 1)


@pytest.mark.requirement("A4.4", "E4")
async def test_A4_4_given_a_full_account_when_its_controller_is_killed_then_the_next_has_all_places_again(
    bench: StartBench,
) -> None:
    b = await bench(controller=False)
    await b.home.declare(f"""
[[accounts]]
id = "test"
max_calls = 3
numbers = [{{ number = "{SHOWN}", max_calls = 3 }}]
""")
    async with b.killed(signal.SIGKILL):
        answers = await asyncio.gather(*(ask(b) for _ in range(9)))
        assert sorted(answer.code for answer in answers) == ["0"] * 3 + ["1013001"] * 6

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        for answer in answers:
            if answer.code == "0":
                await b.over(answer.session_id)
        again = await asyncio.gather(*(ask(b) for _ in range(9)))

    assert sorted(answer.code for answer in again) == ["0"] * 3 + ["1013001"] * 6


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_two_calls_a_day_when_the_same_callee_is_called_again_then_1013117_until_they_pass(
    bench: StartBench,
) -> None:
    policy = PLENTY.model_copy(update={"callee_frequency": "refuse", "callee_windows": ["2/24h"]})
    b = await bench(sections={"limits": policy}, controller=False)
    callee = somebody(BUSY)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        for _ in range(2):
            await b.over((await ask(b, callee)).session_id)
        await refused(b, await ask(b, callee), "1013117", 24 * 3600)
        await refused(b, await b.ask_call_back(callerNbr=somebody(), calleeNbr=callee), "1013117", 24 * 3600)
        assert (await ask(b, somebody(BUSY))).code == "0"
        assert await calls_made(b) == 3
    tomorrow = ShiftedClock(timedelta(hours=24))
    async with b.home.serving(APP_KEY, SECRET, clock=tomorrow) as (b.controller, b.client):
        # With a token: the time in X-AKSK would be a day old.
        assert (await ask_by_token(b, callee)).code == "0"


async def ask_by_token(b: Bench, callee: str) -> Answer:
    headers: dict[str, str | None] = {"Authorization": LOGIN_PASSWORD, "X-AKSK": None}
    login = await b.client.post(f"/rest/fastlogin/v1.0?app_key={APP_KEY}&username={LOGIN_USER}", b"", headers)
    token = login.body["access_token"]
    path = f"/rest/httpsessions/callnotify/v2.0?access_token={token}"
    return await b.client.post(path, b.request(callee=callee), {"Authorization": None, "X-AKSK": None})


@pytest.mark.requirement("A4.4", "E3")
async def test_A4_4_given_only_a_warning_when_called_too_often_then_the_call_is_made_and_it_is_written_down(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    policy = PLENTY.model_copy(update={"callee_frequency": "warn", "callee_windows": ["1/24h"]})
    b = await bench(sections={"limits": policy})
    callee = somebody(BUSY)
    await b.over((await ask(b, callee)).session_id)

    with caplog.at_level(logging.WARNING):
        session = (await ask(b, callee)).session_id
        statuses, _cdr = await b.over(session)

    assert [status.event_type for status in statuses] == ["callout", "disconnect"]
    entries = await b.controller.database.read(
        lambda session: [
            (entry.sequence, entry.kind, entry.detail)
            for entry in session.execute(select(TimelineEntry)).scalars()
            if entry.kind == "too_often"
        ]
    )
    assert entries == [(1, "too_often", {"windows": ["1/24h"]})]
    (warning,) = [record for record in caplog.records if "more often" in record.getMessage()]
    assert callee not in str(vars(warning))
    assert vars(warning)["callee"].endswith(callee[-4:])


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_lists_of_the_account_when_called_then_each_has_its_code(bench: StartBench) -> None:
    b = await bench()
    bad, good = somebody(BUSY), somebody(BUSY)
    await declare(
        b,
        f'callee_blacklist = ["{bad}"]\ncallee_whitelist = ["+99901700000X!"]\ncaller_blacklist = ["{bad}"]',
    )

    await refused(b, await ask(b, bad), "1013004")
    await refused(b, await ask(b, TALKS), "1013011")
    await refused(b, await b.ask_call_back(callerNbr=bad, calleeNbr=good), "1013010")
    await refused(b, await b.ask_call_back(callerNbr=good, calleeNbr=bad), "1013004")

    assert await calls_made(b) == 0
    assert (await ask(b, good)).code == "0"


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_hours_that_are_over_when_a_call_is_asked_for_then_1013121_and_when_they_begin(
    bench: StartBench,
) -> None:
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%H}:00" for hours in (2, 3))
    policy = PLENTY.model_copy(update={"hours": [f"{start}-{end}"], "hours_zone": "UTC"})
    b = await bench(sections={"limits": policy})

    await refused(b, await ask(b), "1013121", 2 * 3600)

    assert await calls_made(b) == 0


@pytest.mark.requirement("A4.4", "C1")
async def test_C1_given_an_account_that_is_switched_off_when_asked_then_1010007_and_its_calls_can_be_stopped(
    bench: StartBench,
) -> None:
    b = await bench()
    talking = await ask(b)
    await declare(b, "active = false")

    await refused(b, await ask(b), "1010007")
    await refused(b, await ask_back(b), "1010007")
    stopped = await b.stop(talking.session_id, APP_KEY)
    await b.over(talking.session_id)
    await declare(b)

    assert stopped.code == "0"
    assert (await ask(b)).code == "0"


@pytest.mark.requirement("C3")
async def test_C3_given_an_ip_whitelist_when_asked_from_elsewhere_then_1020166_for_each_way_of_proof(
    bench: StartBench,
) -> None:
    b = await bench()
    await declare(b, app='ip_whitelist = ["192.0.2.0/24"]')

    await refused(b, await ask(b), "1020166")
    headers: dict[str, str | None] = {"Authorization": LOGIN_PASSWORD, "X-AKSK": None}
    login = f"/rest/fastlogin/v1.0?app_key={APP_KEY}&username={LOGIN_USER}"
    await refused(b, await b.client.post(login, b"", headers), "1020166")
    assert await calls_made(b) == 0
    await declare(b, app='ip_whitelist = ["192.0.2.0/24", "127.0.0.1"]')

    assert (await ask(b)).code == (await b.client.post(login, b"", headers)).code == "0"


@pytest.mark.requirement("A4.3")
async def test_A4_3_given_the_shipped_policy_when_a_phone_of_a_callback_is_not_allowed_then_which_is_said(
    bench: StartBench,
) -> None:
    b = await bench()
    hong_kong, service = "+85221234567", "+864008208820"

    await refused(b, await b.ask_call_back(callerNbr=service), "1010024")
    await refused(b, await b.ask_call_back(calleeNbr=service), "1010002")
    await refused(b, await b.ask_call_back(callerNbr=hong_kong), "1013112")
    await refused(b, await b.ask_call_back(calleeNbr=hong_kong), "1013112")

    assert await calls_made(b) == 0


@pytest.mark.requirement("A4.3")
async def test_A4_3_given_a_policy_for_abroad_when_a_number_there_is_called_then_only_the_route_is_missing(
    bench: StartBench,
) -> None:
    b = await bench(sections={"calls": QUICK, "dialling": DiallingSettings(allowed=["+852."])})

    abroad = await ask(b, "+85221234567")
    home = await ask(b, "+8613900001111")

    assert abroad.description == "Invalid request.calleeNbr can't be reached from here"
    assert home.code == "1013112"
