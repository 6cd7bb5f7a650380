"""Calls as tests need them: going on or over, at a time before the world's now."""

from datetime import datetime, timedelta
from typing import Any

from service.management.world import ALPHA, World
from sqlmodel import Session

from controller.store.calls import add_entries, end_call
from controller.store.tables import App, Call, Service

NUMBERS = iter(range(1, 10_000))


async def made_call(
    world: World,
    account: str = ALPHA,
    *,
    service: Service = Service.NOTIFICATION,
    ago: float = 0.0,
    ended: int | None = None,
    answered: bool = False,
    steps: tuple[tuple[str, str | None], ...] = (),
) -> str:
    """A call accepted `ago` seconds ago, and has ended at once if a code is given."""
    at = world.clock.now() - timedelta(seconds=ago)
    number = next(NUMBERS)
    call_id = f"1200_{number}"

    def write(session: Session) -> None:
        app = f"{service}-{account}"
        if session.get(App, app) is None:
            session.add(App(key=app, account_id=account, service=service, secret="12345678"))
            session.flush()
        session.add(
            Call(
                id=call_id,
                session_id=f"{call_id}@host.example",
                account_id=account,
                app_key=app,
                service=service,
                controller="host.example",
                node="node1",
                display_number="+8657126880001",
                callee=f"+861390000{number:04}",
                addressee=f"+861390009{number:04}",
                accepted_at=at,
            )
        )
        session.flush()
        rows = [
            {"call_id": call_id, "sequence": 1 + index, "at": at, "kind": kind, "leg": leg, "detail": None}
            for index, (kind, leg) in enumerate(steps)
        ]
        add_entries(session, rows)
        if ended is not None:
            _end(session, call_id, app, at, ended, service, answered)

    await world.write(write)
    return call_id


def _end(
    session: Session, call_id: str, app: str, at: datetime, code: int, service: Service, answered: bool
) -> None:
    # The first phone of a callback has answered in any case: it isn't whom the call is for.
    first = {"dialled": None, "ringing": None, "answered": "2026-11-24T08:00:00Z"}
    other = {**first, "answered": first["answered"] if answered else None}
    legs = (first, other) if service is Service.CALLBACK else (other, {**first, "answered": None})
    entry: dict[str, Any] = {
        "call_id": call_id,
        "sequence": 50,
        "at": at,
        "kind": "disconnect",
        "leg": None,
        "detail": {"state_code": code, "text": "", "cut_point": 0, "party": None},
    }
    end_call(
        session,
        call_id,
        ended_at=at,
        state_code=code,
        last_entry=entry,
        cdr={"first_leg": legs[0], "second_leg": legs[1]},
        app_key=app,
        delivery=None,
    )
