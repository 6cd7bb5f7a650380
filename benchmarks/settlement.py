"""Settlement of many calls, and what it costs calls that are made meanwhile. Prints one JSON line.

The database is given 100,000 calls of a prepaid account that end within the minute before a settlement, so
that those before it don't see them, however long it takes to write them. Notifications at an even rate, from
the request to the INVITE: before and after, and those that were asked for while the settlement ran.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import func, insert, select
from sqlmodel import Session, col

from benchmarks.load import milliseconds, run
from benchmarks.product import Product, Use, product
from benchmarks.services import NOTIFICATION, SHOWN
from controller.billing import ledger
from controller.calls.cdr import CallDetailRecord
from controller.calls.timeline import LegTimes
from controller.settings import BillingSettings
from controller.store.billing_tables import Price, RatedCall, Settlement
from controller.store.database import Database
from controller.store.tables import Account, Call, Cdr
from testbed.asterisk import obtain_asterisk

_CALLS = 100_000
_AT_ONCE = 2000
"""Rows written in one transaction."""
_CALL_RATE, _QUIET_SECONDS, _SETTLING_SECONDS = 30.0, 15.0, 45.0
_LEAD = 1.0
"""Seconds for which calls are asked for before the settlement begins."""
_FILL_SECONDS = 150.0
"""For writing the calls and the first block, also on a machine that has more to do."""
_ACCOUNT, _APP = "bench", f"bench-{NOTIFICATION.name}"


def ended_calls(count: int, until: datetime) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of calls of a minute, and their records: half are callbacks, three in four were answered."""
    dice = random.Random(8)
    for number in range(count):
        ended_at = until - timedelta(seconds=50 * (count - number) / count)
        answered = ended_at - timedelta(seconds=dice.expovariate(1 / 45)) if dice.random() < 0.75 else None
        both = number % 2 == 0
        identity = f"1200_{number}_{dice.getrandbits(32)}_bench"
        callee = f"+8613{dice.randrange(10**9):09}"
        record = CallDetailRecord(
            record_id=f"CAE-{identity}",
            session_id=f"{identity}@bench",
            account_id=_ACCOUNT,
            app_key=_APP,
            service="callback" if both else "notification",
            host_name="bench",
            display_number=SHOWN,
            callee=callee,
            second_display_number=SHOWN if both else None,
            second_callee=callee if both else None,
            first_leg=LegTimes(answered, answered, answered),
            second_leg=LegTimes(answered, answered, answered) if both else LegTimes(),
            ended_at=ended_at,
            state_code=0,
            cut_point=0,
            sip_status=0,
            first_leg_cause=0,
            second_leg_cause=0,
            collection_started_at=None,
            keys="",
            tts_plays=0,
            recording_name=None,
            recording_started_at=None,
            user_data=None,
        )
        call = {
            "id": identity,
            "session_id": f"{identity}@bench",
            "account_id": _ACCOUNT,
            "app_key": _APP,
            "service": "notification",
            "controller": "elsewhere",
            "node": "node1",
            "display_number": SHOWN,
            "callee": callee,
            "addressee": callee,
            "push_profile": "compat",
            "accepted_at": ended_at,
            "ended_at": ended_at,
            "state_code": 0,
        }
        yield call, {"call_id": identity, "app_key": _APP, "ended_at": ended_at, "record": record.to_json()}


async def fill(database: Database, count: int, until: datetime) -> None:
    """Write calls that end before a moment, a piece at a time."""
    made = list(ended_calls(count, until))
    for start in range(0, count, _AT_ONCE):
        piece = made[start : start + _AT_ONCE]

        def write(session: Session, piece: list[tuple[dict[str, Any], dict[str, Any]]] = piece) -> None:
            connection = session.connection()
            connection.execute(insert(Call), [call for call, _cdr in piece])
            connection.execute(insert(Cdr), [cdr for _call, cdr in piece])

        await database.write(write)


def rich(session: Session) -> None:
    """Have the account charged, also for calls from before this platform had prices; let it have enough."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    session.add(Price(valid_from=yesterday, minute=Decimal("0.18"), number_month=Decimal(30)))
    account = session.get_one(Account, _ACCOUNT)
    account.prepaid = True
    posting = ledger.top_up(_ACCOUNT, Decimal(10**9), "", "bench")
    ledger.post(session, posting, datetime.now(UTC), Decimal(0))


async def measure(directory: Path) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    settings = {"billing": BillingSettings(settle_minutes=1)}
    use = Use(NOTIFICATION, traced=True)
    async with (
        product(directory / "product", program, [use], sections=settings) as (side,),
        Database(side.database_url) as database,
    ):
        await database.write(rich)
        await side.warm_up(20)
        settles_at = (time.time() + _FILL_SECONDS) // 60 * 60 + 60
        await fill(database, _CALLS, datetime.fromtimestamp(settles_at, UTC))
        quiet = [delay for _asked_at, delay in await _block(side, _QUIET_SECONDS)]
        left = settles_at - _LEAD - time.time()
        assert left > 0, "the calls took too long to write: the settlement has begun"
        await asyncio.sleep(left)
        beside = await _block(side, _SETTLING_SECONDS)
        quiet += [delay for _asked_at, delay in await _block(side, _QUIET_SECONDS)]
        settlement, calls = await database.read(_largest)
    assert settlement.posted_at is not None
    began, ended = settlement.started_at.timestamp(), settlement.posted_at.timestamp()
    busy = [delay for asked_at, delay in beside if began <= asked_at <= ended]
    return {
        "bench": "settlement",
        "calls": calls,
        "seconds": round(ended - began, 1),
        "calls_beside": len(busy),
        **milliseconds("invite", quiet),
        **milliseconds("invite_settling", busy),
        "ratio": round(_p99(busy) / _p99(quiet), 2),
    }


async def _block(side: Product, seconds: float) -> list[tuple[float, float]]:
    """(when it was asked for, seconds to its INVITE) of each call in a block."""
    trial = await run(side, _CALL_RATE, seconds)
    print(trial, file=sys.stderr, flush=True)
    return side.invites()


def _largest(session: Session) -> tuple[Settlement, int]:
    """The settlement of most calls, which must be done."""
    size = func.count()
    wanted = select(col(RatedCall.settlement_id), size).group_by(col(RatedCall.settlement_id))
    number, calls = session.execute(wanted.order_by(size.desc()).limit(1)).one()
    found = session.get_one(Settlement, number)
    assert calls >= _CALLS, f"the settlement has {calls} calls alone"
    assert found.posted_at is not None, "the settlement takes longer than the calls beside it"
    return found, calls


def _p99(delays: list[float]) -> float:
    return sorted(delays)[len(delays) * 99 // 100]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-settlement-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary)))))
