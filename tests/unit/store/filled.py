"""A database with something in every table, for migrations to carry over."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlmodel import Session

from controller.store.billing_tables import Alarm, Hold, LedgerTransfer, Price, RatedCall, Settlement
from controller.store.controllers import Controller, StopWish
from controller.store.enterprise_tables import Enterprise, EnterpriseDocument, EnterpriseState
from controller.store.management_tables import ApiToken, AuditEntry, IdempotentAnswer, LoginSession, User
from controller.store.spent import Spent
from controller.store.tables import (
    AccessToken,
    Account,
    App,
    Call,
    CallPush,
    Cdr,
    CdrPush,
    Contact,
    DrainedNode,
    Notice,
    Number,
    NumberState,
    PushAttempt,
    PushEndpoint,
    Recording,
    Review,
    ReviewState,
    Revision,
    Route,
    SoundFile,
    StartedOnce,
    Template,
    TimelineEntry,
    Trunk,
    UsedNonce,
)

AT = datetime(2026, 11, 24, 8, 0, 0, 250_000, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
PURGED = "3_0_0_20261124"
"""A call whose record was purged; what it cost is still known."""
CALLS = ("1_1_7_20261124", "3_1_7_20261124", "2_1_7_20261124")
"""The last to be accepted is live; of the others the second ended before the first."""


def fill(session: Session) -> None:
    """Put rows into all tables, which are empty."""
    _fill_accounts(session)
    _fill_ways_out(session)
    _fill_calls(session)
    _fill_management(session)
    _fill_billing(session)
    session.flush()


def _fill_accounts(session: Session) -> None:
    rules = {"callees": ["+86"], "daily_cap": "12.50"}
    session.add(Account(id="acme", name="Acme", max_calls=5, calls_per_second=2, rules=rules, prepaid=True))
    session.add(Account(id="other", active=False))
    session.flush()
    session.add(
        App(
            key="app-1",
            account_id="acme",
            service="callback",
            secret="12345678",
            previous_secret="87654321",
            previous_secret_until=LATER,
            recording=True,
            quality_inspection=True,
            ip_whitelist=["192.0.2.0/24"],
            status_url="http://customer.test/status",
            login_user="acme",
            login_password="secret",
            bind_number="+8657126880001",
            push_profile="durable",
            webhook_secrets=["whsec_1", "whsec_2"],
        )
    )
    session.flush()
    session.add(AccessToken(app_key="app-1", access_digest="a" * 64, refresh_digest="b" * 64, expires_at=AT))
    for place, state in enumerate(NumberState):
        session.add(
            Number(
                number=f"+865712688000{place}",
                account_id="acme",
                state=state,
                max_calls=place,
                app_keys=["app-1"],
            )
        )
    for state in ReviewState:
        approved = state == ReviewState.APPROVED
        session.add(
            SoundFile(
                account_id="acme",
                name=f"{state}.wav",
                digest="new",
                duration_ms=1200,
                state=state,
                usable_digest="new" if approved else "old",
                usable_ms=1200,
            )
        )
        session.add(Template(account_id="acme", id=state, text="Your code is ${code}", state=state))
    session.add(
        Review(account_id="acme", kind="sound", subject="x", version="new", submitted_at=AT, submitted_by="u")
    )
    session.add(Contact(id="c1", account_id="acme", email="ops@acme.test", webhook_secret="w"))
    session.add(
        Notice(
            account_id="acme",
            contact_id="c1",
            channel="email",
            message_id="m1",
            event="sound.approved",
            data={"name": "x"},
            created_at=AT,
            due_at=LATER,
        )
    )
    session.add(Enterprise(id="e1", account_id="acme", full_name="Acme Ltd", state=EnterpriseState.DRAFT))
    session.flush()
    session.add(EnterpriseDocument(enterprise_id="e1", kind="licence", content=b"%PDF-\x00\xff"))


def _fill_ways_out(session: Session) -> None:
    session.add_all(Trunk(name=name, host=f"{name}.test", qualify_seconds=7) for name in ("one", "two"))
    session.add(Route(prefix="+86", trunks=["two", "one"]))
    # The trunk "gone" was declared without its secret, and left out.
    session.add(Route(prefix="+861", trunks=["gone", "one"]))
    session.add(Route(prefix="+999", contact="sip:{number}@192.0.2.7"))
    session.add(Revision(name="directory", number=12))
    session.add(DrainedNode(name="node2", since=AT))


def _fill_calls(session: Session) -> None:
    for place, call_id in enumerate(CALLS):
        session.add(
            Call(
                id=call_id,
                session_id=f"{call_id}@host",
                account_id="acme",
                app_key="app-1",
                service="callback",
                controller="a",
                node="node1",
                display_number="+8657126880001",
                second_display_number="+8657126880002",
                callee="+8613900001111",
                addressee="+8613900002222",
                plan={"callee": "+8613900002222", "display_number": "+8657126880002"},
                user_data="ours",
                push_profile="durable",
                accepted_at=AT + timedelta(seconds=place),
                left_at=LATER,
            )
        )
    session.flush()
    for call_id in CALLS:
        for sequence, kind in enumerate(("callout", "answer"), 1):
            its = {"call_id": call_id, "sequence": sequence, "at": AT, "kind": kind, "leg": "a"}
            session.add(TimelineEntry(**its, detail={"trunk": "one"} if sequence == 1 else None))
        session.add(CallPush(call_id=call_id, delivered=1, attempts=2, due_at=LATER))
    for ended_at, call_id in ((LATER, CALLS[1]), (LATER + timedelta(seconds=1), CALLS[0])):
        session.get_one(Call, call_id).ended_at = ended_at
        record = {"session_id": f"{call_id}@host", "state_code": 0, "text": "über"}
        session.add(Cdr(call_id=call_id, app_key="app-1", ended_at=ended_at, record=record))
        session.flush()
        session.add(
            CdrPush(
                call_id=call_id,
                app_key="app-1",
                url="http://customer.test/fee",
                ended_at=ended_at,
                attempts=1,
                due_at=LATER,
                message_id="m1",
            )
        )
    session.add(
        Recording(
            call_id=CALLS[0],
            account_id="acme",
            name="r1",
            node="node1",
            state="kept",
            started_at=AT,
            seconds=1.5,
            inspected=True,
        )
    )
    session.add(
        PushAttempt(
            call_id=CALLS[0],
            message_id="m1",
            app_key="app-1",
            url="http://customer.test/fee",
            event_type="fee",
            attempt=1,
            at=AT,
            latency_ms=12,
            status=503,
        )
    )
    session.add(
        PushEndpoint(
            app_key="app-1",
            url="http://customer.test/fee",
            failing_since=AT,
            failed_at=LATER,
            failures=1,
            error="503",
        )
    )
    session.add(UsedNonce(app_key="app-1", nonce="n", expires_at=LATER))
    session.add(StartedOnce(id="d" * 64, body_digest="b" * 64, session_id="s", idle=3, expires_at=LATER))
    session.add(
        Controller(
            name="a",
            epoch=3,
            beat=2**40,
            application="voicecall-a",
            node="node1",
            asterisks={"node1": "02:00:00:00:00:01"},
            started_at=AT,
            alive_at=LATER,
        )
    )
    session.add(StopWish(call_id=CALLS[2], at=LATER))


def _fill_management(session: Session) -> None:
    user = User(
        id="u1", login="admin", role="admin", password_hash="h", created_at=AT, second_factor="JBSWY3DP"
    )
    user.second_factor_since, user.second_factor_step = AT, 59_000_000
    session.add(user)
    session.flush()
    session.add(
        LoginSession(digest="s" * 64, user_id="u1", address="192.0.2.1", expires_at=LATER, began_at=AT)
    )
    session.add(
        ApiToken(
            id="t1", user_id="u1", name="ci", role="admin", digest="t" * 64, created_at=AT, expires_at=LATER
        )
    )
    session.add(IdempotentAnswer(id="i" * 64, body_digest="b" * 64, sealed=b"\x00\xff", expires_at=LATER))
    session.add(
        AuditEntry(
            sequence=1,
            at=AT,
            request_id="r1",
            login="admin",
            address="192.0.2.1",
            action="create",
            kind="account",
            target="acme",
            outcome="done",
            after={"id": "acme"},
            previous="0" * 64,
            hash="1" * 64,
        )
    )


def _fill_billing(session: Session) -> None:
    session.add(Settlement(id=1, started_at=LATER, until=LATER, rated_at=LATER, posted_at=LATER))
    session.add(Price(valid_from=AT, minute=Decimal("0.1250"), number_month=Decimal(3)))
    session.flush()
    for call_id in (PURGED, CALLS[0]):
        session.add(
            RatedCall(
                call_id=call_id,
                settlement_id=1,
                account_id="acme",
                app_key="app-1",
                service="callback",
                ended_at=LATER,
                day="2026-11-24",
                legs=2,
                seconds=61,
                minutes=4,
                minute_price=Decimal("0.1250"),
                amount=Decimal("0.5000"),
            )
        )
    session.add(
        LedgerTransfer(
            account_id="acme",
            at=LATER,
            kind="calls",
            debit="customer:acme",
            credit="revenue",
            amount=Decimal("1.0000"),
            reference="settlement:1:acme",
            settlement_id=1,
        )
    )
    session.add(Hold(scope="acme", reason="exhausted", since=LATER))
    session.add(Alarm(account_id="acme", kind="spending", reference="acme:2026-11-24", at=LATER))
    session.add(
        Spent(account_id="acme", controller="a", day="2026-11-24", ended=Decimal(1), live=Decimal("0.125"))
    )
