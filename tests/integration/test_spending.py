"""Spending under control on real calls: the day's cap, the kill switch, the balance."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from integration.support import QUICK, SECOND, Bench, StartBench
from sqlmodel import select

from controller.billing import ledger
from controller.store.billing_tables import Alarm, Hold, RatedCall
from controller.store.directory import revision
from testbed.client import Answer as ApiAnswer
from testbed.controller_process import write_settings
from testbed.platform import PLENTY
from testbed.softphone_plan import Answer

PRICE = Decimal("0.18")
TALKING = {SECOND: Answer()}
MINUTE = 6.0
"""Seconds: the shortest whose end is looked ahead for as long as that of a real one."""


def capped(cap: str) -> dict[str, Any]:
    return {
        "limits": PLENTY.model_copy(update={"daily_cap": Decimal(cap)}),
        "calls": QUICK.model_copy(update={"minute": MINUTE}),
    }


async def command(b: Bench, *words: str) -> str:
    """Run `voicecall` with the settings of this bench, as an operator does beside the running controller."""
    file = b.home.directory / "voicecall.toml"
    if not file.exists():
        write_settings(b.home.settings, file)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controller",
        *words,
        "--config",
        str(file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _none = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def until_answered(b: Bench, code: str, limit: float) -> float:
    """Ask for calls until one is answered with this code; returns the seconds that took."""
    begin = time.monotonic()
    while True:
        answer = await b.client.notify(b.request())
        if answer.code == code:
            return time.monotonic() - begin
        assert answer.code in ("0", "1010007", "1010001"), answer.text
        if time.monotonic() - begin > limit:
            latest = await b.controller.database.read(revision)
            held = [(hold.scope, hold.reason) for hold in await rows(b, Hold)]
            now = b.controller.directory.now
            pytest.fail(f"{answer.text}; holds {held} at {latest}, in force {now.holds} at {now.revision}")
        await asyncio.sleep(0.05)


async def rows(b: Bench, table: Any) -> list[Any]:
    return await b.controller.database.read(lambda session: list(session.exec(select(table))))


def seconds_to_midnight_in_shanghai() -> int:
    now = datetime.now(UTC)
    return (16 - now.hour) % 24 * 3600 - now.minute * 60 - now.second


_ASKED_BEFORE = 60
"""Seconds that a controller may take to start between the answer and this look at the clock."""


def is_refused_until_tomorrow(answer: ApiAnswer) -> bool:
    said = (answer.status, answer.code, answer.description)
    wait = int(answer.headers["Retry-After"]) - seconds_to_midnight_in_shanghai()
    return said == (403, "1010009", "No more APIs can be invoked.") and wait % 86400 < _ASKED_BEFORE


@pytest.mark.requirement("C8")
async def test_C8_given_a_stolen_secret_when_calls_never_end_then_a_day_costs_its_cap_and_no_more(
    bench: StartBench,
) -> None:
    cap = "0.90"
    b = await bench(Answer(), phones=TALKING, sections=capped(cap))
    session = await b.call_back()
    await b.b_answered(session)

    statuses, cdr = await b.over(session, timeout=40)
    refused = await b.ask_call_back()
    await b.controller.billing.settle()

    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (7108, 7108)
    # Two minutes of both legs can be paid, and a third one of A if it answered a second before B.
    [rated] = await rows(b, RatedCall)
    assert rated.amount in (PRICE * 4, PRICE * 5)
    assert rated.amount <= Decimal(cap)
    assert is_refused_until_tomorrow(refused)
    alarms = [(alarm.kind, alarm.detail["percent"]) for alarm in await rows(b, Alarm)]
    assert ("spending", 50) in alarms
    assert ("spending", 100) in alarms


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_cap_that_is_reached_when_the_controller_starts_again_then_it_still_is(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), sections=capped("0.30"))
    session = await b.notify()
    at_once = await b.client.notify(b.request())
    await b.over(session)
    afterwards = await b.client.notify(b.request())
    await b.close_controller()

    await b.start_controller()
    restarted = await b.client.notify(b.request())

    assert all(map(is_refused_until_tomorrow, (at_once, afterwards, restarted)))


@pytest.mark.requirement("C8")
async def test_C8_given_the_shipped_limits_when_calls_are_asked_for_at_once_then_one_a_second_is_made(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), sections={"limits": PLENTY.model_copy(update={"account_calls_per_second": 1})})

    # At once: one after the other they may take a second.
    answers = await asyncio.gather(*(b.client.notify(b.request()) for _number in range(3)))

    assert sorted(answer.code for answer in answers) == ["0", "1013001", "1013001"]


@pytest.mark.requirement("C8", "C9")
async def test_C8_given_the_kill_switch_when_pulled_by_command_then_no_call_is_made_from_the_next_second_on(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones=TALKING)
    session = await b.call_back()
    await b.b_answered(session)

    await command(b, "stop-calls", "--account", "test")
    assert await until_answered(b, "1010007", limit=10) < 5
    await command(b, "resume-calls", "--account", "test")
    await until_answered(b, "0", limit=10)
    await command(b, "stop-calls", "--hang-up")
    assert await until_answered(b, "1010001", limit=10) < 5
    refused = await b.client.notify(b.request())
    statuses, _cdr = await b.over(session)
    await command(b, "resume-calls")
    await until_answered(b, "0", limit=10)

    assert refused.status == 503
    # The account's own switch let the talking call go on, the one for everything with --hang-up didn't.
    assert statuses[-1].info["stateCode"] == 7108


@pytest.mark.requirement("C8", "C9")
async def test_C8_given_a_prepaid_account_when_used_up_then_it_is_frozen_until_somebody_pays(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await command(b, "billing", "top-up", "test", "60.10", "--text", "bank", "--reference", "INV-1")
    again = await command(b, "billing", "top-up", "test", "60.10", "--reference", "INV-1")
    declaration = b.home.directory / "declaration.toml"
    await b.home.declare(declaration.read_text().replace('id = "test"', 'id = "test"\nprepaid = true'))
    await b.controller.directory.refresh()
    session = await b.notify()
    await b.over(session)

    # Two numbers of 30, and a call of one or two minutes for 0.10.
    await b.controller.billing.settle()
    await b.controller.directory.refresh()
    frozen = await b.client.notify(b.request())
    await command(b, "billing", "top-up", "test", "5")
    await until_answered(b, "0", limit=10)

    assert "was posted before; the balance is 60.10 CNY" in again
    assert (frozen.status, frozen.code) == (403, "1010007")
    [rated] = await rows(b, RatedCall)
    left = await b.controller.database.read(lambda session: ledger.balance(session, "test"))
    assert left == Decimal("65.10") - 60 - rated.amount
    kinds = [alarm.kind for alarm in await rows(b, Alarm)]
    assert [kind for kind in kinds if kind in ("frozen", "thawed")] == ["frozen", "thawed"]
