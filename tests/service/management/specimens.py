"""One thing of each kind, as account alpha has it. Whoever declares a new kind adds its specimen here.

The tests of tenancy and roles go through every operation; they need something that others must not get.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from service.management.world import ALPHA, SILENCE, Clock, user_id
from sqlmodel import Session

from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.enterprise_tables import Enterprise
from controller.store.management_tables import ApiToken, User
from controller.store.recordings import RecordingState
from controller.store.reviews import ReviewKind, submit
from controller.store.tables import (
    Account,
    App,
    Call,
    Contact,
    Number,
    NumberState,
    PushAttempt,
    Recording,
    ReviewState,
    Route,
    Service,
    SoundFile,
    Template,
    Trunk,
)

_numbers = count(1)
_NOW = Clock().now()


def _account(session: Session) -> str:
    assert session.get(Account, ALPHA)
    return ALPHA


def _user(session: Session) -> str:
    name = f"usr_specimen{next(_numbers)}"
    session.add(
        User(id=name, login=name, role=Role.VIEWER, account_id=ALPHA, password_hash="", created_at=_NOW)
    )
    return name


def _token(session: Session) -> str:
    name = f"tok_specimen{next(_numbers)}"
    session.add(
        ApiToken(
            id=name,
            user_id=user_id(Role.ADMINISTRATOR, ALPHA),
            name=name,
            role=Role.VIEWER,
            digest=digest(name),
            created_at=_NOW,
            expires_at=_NOW + timedelta(days=1),
        )
    )
    return name


def _enterprise(session: Session) -> str:
    name = f"ent_specimen{next(_numbers)}"
    session.add(Enterprise(id=name, account_id=ALPHA, full_name=name))
    return name


def _application(session: Session) -> str:
    name = f"app_specimen{next(_numbers)}"
    session.add(App(key=name, account_id=ALPHA, service=Service.CALLBACK, secret="specimen's own"))
    return name


def _number(session: Session) -> str:
    name = f"+8657126{next(_numbers):06}"
    session.add(Number(number=name, account_id=ALPHA, state=NumberState.ORDERED))
    return name


def _sound(session: Session) -> str:
    name = f"specimen{next(_numbers)}.wav"
    session.add(
        SoundFile(account_id=ALPHA, name=name, digest=hashlib.sha256(SILENCE).hexdigest(), duration_ms=1000)
    )
    return f"{ALPHA}:{name}"


def _template(session: Session) -> str:
    name = f"specimen{next(_numbers)}"
    session.add(Template(account_id=ALPHA, id=name, text="您好。"))
    return f"{ALPHA}:{name}"


def _review(session: Session) -> str:
    name = _template(session).partition(":")[2]
    template = session.get_one(Template, (ALPHA, name))
    template.state = ReviewState.SUBMITTED
    digest = hashlib.sha256(template.text.encode()).hexdigest()
    row = submit(session, ALPHA, ReviewKind.TEMPLATE, name, version=digest, by="test", now=_NOW)
    return f"rev-{row.id}"


def _contact(session: Session) -> str:
    name = f"ct-specimen{next(_numbers)}"
    session.add(Contact(id=name, account_id=ALPHA, email="test@example.com"))
    return name


def _call(session: Session) -> str:
    app = f"app_of_{ALPHA}"
    if session.get(App, app) is None:
        session.add(App(key=app, account_id=ALPHA, service=Service.NOTIFICATION, secret="specimen's own"))
        session.flush()
    name = f"1200_live{next(_numbers)}"
    session.add(
        Call(
            id=name,
            session_id=f"{name}@host.example",
            account_id=ALPHA,
            app_key=app,
            service=Service.NOTIFICATION,
            controller="host.example",
            node="node1",
            display_number="+8657126880001",
            callee="+8613900001111",
            addressee="+8613900001111",
            accepted_at=_NOW,
        )
    )
    session.flush()
    session.add(
        Recording(
            call_id=name,
            account_id=ALPHA,
            name=f"{name}.wav",
            node="node1",
            state=RecordingState.STORED,
            started_at=_NOW,
        )
    )
    return name


def _attempt(session: Session) -> str:
    row = PushAttempt(
        id=987_650_000 + next(_numbers),
        call_id=_call(session),
        message_id="specimen",
        app_key=f"app_of_{ALPHA}",
        url="https://customer.example/",
        event_type="callout",
        sequence=0,
        attempt=1,
        at=_NOW,
        latency_ms=1,
    )
    session.add(row)
    session.flush()
    return str(row.id)


def _inspected(session: Session) -> str:
    name = _call(session)
    session.flush()
    session.get_one(App, f"app_of_{ALPHA}").quality_inspection = True
    session.get_one(Recording, name).inspected = True
    return name


def _trunk(session: Session) -> str:
    name = f"specimen{next(_numbers)}"
    session.add(Trunk(name=name, host="192.0.2.7"))
    return name


def _route(session: Session) -> str:
    prefix = f"+86{next(_numbers)}"
    session.add(Route(prefix=prefix, contact="sip:{number}@127.0.0.1:5070"))
    return prefix


SPECIMENS: dict[str, Callable[[Session], str]] = {
    "account_id": _account,
    "user_id": _user,
    "token_id": _token,
    "enterprise_id": _enterprise,
    "app_key": _application,
    "number": _number,
    "sound_id": _sound,
    "template_id": _template,
    "review_id": _review,
    "contact_id": _contact,
    "call_id": _call,
    "inspected_id": _inspected,
    "attempt_id": _attempt,
    "trunk_name": _trunk,
    "prefix": _route,
    "node_name": lambda _session: "node1",
}
"""Path parameter -> makes a new specimen in alpha's name and returns its id."""

MISSING = {
    "account_id": "nowhere",
    "number": "+8657129999999",
    "sound_id": "alpha:nowhere.wav",
    "template_id": "alpha:nowhere",
    "review_id": "rev-999999",
    "prefix": "+990",
    "attempt_id": "999999",
}
"""An id that could be one but is none; where it is not here, "none0" is one."""
