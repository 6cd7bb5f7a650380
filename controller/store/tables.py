"""The tables. Times are UTC; numbers are E.164 text; verification codes are never kept."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, ForeignKey, Index, TypeDecorator, text
from sqlmodel import Field, SQLModel

from controller.store.sealing import SealedText, SealedTexts


class UtcDateTime(TypeDecorator[datetime]):
    """Times that come back as they went in: UTC and aware of it, on every engine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite has no zones.
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _time(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


def _live_index(name: str, column: str) -> Index:
    """An index of live calls alone: small, however many calls there have been."""
    live = text("ended_at IS NULL")
    return Index(name, column, sqlite_where=live, postgresql_where=live)


def _undelivered_index(name: str, *columns: str) -> Index:
    """An index of CDRs that customers don't have: nearly all have been delivered."""
    undelivered = text("delivered_at IS NULL")
    return Index(name, *columns, sqlite_where=undelivered, postgresql_where=undelivered)


class Service(StrEnum):
    """The three services."""

    CALLBACK = "callback"
    NOTIFICATION = "notification"
    VERIFICATION = "verification"


class NumberState(StrEnum):
    """How far a number has come; in calls that ask for a suspended one another is shown."""

    ORDERED = "ordered"
    """An account wants it; the operator has not allotted it yet."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RELEASED = "released"
    """Given back for good; whoever orders it next starts anew."""


ALLOTTED = (NumberState.ACTIVE, NumberState.SUSPENDED)
"""States of the numbers that an account has."""


class Account(SQLModel, table=True):
    """A company that has calls made (the cloud's "SP")."""

    id: str = Field(primary_key=True, max_length=32)
    name: str = ""
    active: bool = True
    max_calls: int | None = None
    calls_per_second: int | None = None
    max_apps: int | None = None
    """None: as many as `management.max_apps` says."""
    rules: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Whom it may call and when, and how much it may spend: `AccountRules` of the accounts room."""
    prepaid: bool = False
    """Whether its calls and numbers are charged to a balance that it has paid beforehand."""


class App(SQLModel, table=True):
    """An application of an account; it may use the API of one service."""

    key: str = Field(primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="account.id", index=True)
    name: str = ""
    service: str
    secret: str = Field(sa_type=SealedText)
    previous_secret: str | None = Field(default=None, sa_type=SealedText)
    """Taken beside `secret` until its time, so that programs can be changed over one by one."""
    previous_secret_until: datetime | None = _time(nullable=True)
    active: bool = True
    recording: bool = False
    quality_inspection: bool = False
    """Whether the operator may listen to recordings."""
    max_calls: int = 10
    calls_per_second: int | None = None
    ip_whitelist: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    status_url: str | None = None
    fee_url: str | None = None
    login_user: str | None = None
    login_password: str | None = Field(default=None, sa_type=SealedText)
    bind_number: str | None = Field(default=None, max_length=32)
    push_profile: str = "compat"
    webhook_secrets: list[str] = Field(default_factory=list, sa_column=Column(SealedTexts, nullable=False))


class AccessToken(SQLModel, table=True):
    """The token of an app whose programs log in, as the oldest ones do; only digests of it are kept."""

    __tablename__ = "access_token"

    app_key: str = Field(foreign_key="app.key", primary_key=True)
    access_digest: str = Field(unique=True, max_length=64)
    refresh_digest: str = Field(max_length=64)
    expires_at: datetime = _time()


class PushProfile(StrEnum):
    """How hard it is tried to tell a customer something."""

    COMPAT = "compat"
    """As the cloud does: status pushes once, CDRs seven times an hour apart."""
    DURABLE = "durable"
    """Everything in order and again for three days, on the schedule of Standard Webhooks."""


class Number(SQLModel, table=True):
    """A number that an account may show, has ordered, or had."""

    number: str = Field(primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="account.id", index=True)
    state: str = NumberState.ACTIVE
    max_calls: int | None = None
    app_keys: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """The apps that may show it; None: all of the account."""


class ReviewState(StrEnum):
    """How far a sound file, template or other thing that is reviewed has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"


class SoundFile(SQLModel, table=True):
    """A prompt of an account; its audio is kept under its digest.

    `digest` is what was uploaded last and `state` how far that has come; `usable_digest` is what calls play:
    the same once it was approved and every node can play it, until then what was approved before it.
    """

    account_id: str = Field(foreign_key="account.id", primary_key=True)
    name: str = Field(primary_key=True, max_length=128)
    digest: str
    duration_ms: int
    state: str = ReviewState.DRAFT
    reason: str | None = None
    """Why it was rejected."""
    source: str = ""
    """What it was converted from, in words."""
    usable_digest: str | None = None
    usable_ms: int | None = None
    trouble: str | None = None
    """Why it can't be used although it was approved."""


class Template(SQLModel, table=True):
    """A text with variables that an account may have spoken; `usable_text` is what was approved last."""

    account_id: str = Field(foreign_key="account.id", primary_key=True)
    id: str = Field(primary_key=True, max_length=32)
    name: str = ""
    text: str
    state: str = ReviewState.DRAFT
    reason: str | None = None
    usable_text: str | None = None


class Review(SQLModel, table=True):
    """One submission: waiting in the queue, decided, or withdrawn."""

    __table_args__ = (Index("ix_review_state", "state", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    kind: str
    subject: str
    """Name or id of the thing, unique among those of its kind and account."""
    version: str
    """Digest of what was submitted: nobody approves what has changed meanwhile."""
    state: str = "pending"
    submitted_at: datetime = _time()
    submitted_by: str
    decided_at: datetime | None = _time(nullable=True)
    decided_by: str | None = None
    reason: str | None = None


class Contact(SQLModel, table=True):
    """Who is told what concerns an account: by e-mail, by webhook, or both."""

    id: str = Field(primary_key=True, max_length=32)
    account_id: str = Field(foreign_key="account.id", index=True)
    name: str = ""
    email: str | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = Field(default=None, sa_type=SealedText)


class Notice(SQLModel, table=True):
    """One message to one contact, on its way until delivered or given up."""

    id: int | None = Field(default=None, primary_key=True)
    account_id: str = Field(foreign_key="account.id", index=True)
    contact_id: str = Field(index=True)
    channel: str
    message_id: str
    """The same at every attempt."""
    event: str
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = _time()
    attempts: int = 0
    due_at: datetime | None = _time(nullable=True, index=True)
    delivered_at: datetime | None = _time(nullable=True)
    given_up_at: datetime | None = _time(nullable=True)
    error: str | None = None


class Trunk(SQLModel, table=True):
    """A SIP peer that takes calls."""

    name: str = Field(primary_key=True, max_length=32)
    host: str
    port: int = 5060
    user: str | None = None
    password: str | None = Field(default=None, sa_type=SealedText)
    register_: bool = Field(default=False, sa_column_kwargs={"name": "register"})
    qualify_seconds: int = 30


class Route(SQLModel, table=True):
    """Where numbers with this prefix go: over trunks, or (a test phone) to a fixed contact."""

    prefix: str = Field(primary_key=True, max_length=32)
    trunks: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Names, in the order in which they are tried."""
    contact: str | None = None


class DrainedNode(SQLModel, table=True):
    """An Asterisk node that gets no new calls."""

    __tablename__ = "drained_node"

    name: str = Field(primary_key=True, max_length=128)
    """As in the settings."""
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Revision(SQLModel, table=True):
    """Counts changes, so that a running controller notices them."""

    name: str = Field(primary_key=True)
    number: int = 0


class Call(SQLModel, table=True):
    """One request = one call. Without `ended_at` it is live and holds a place in what is limited."""

    __table_args__ = (
        _live_index("ix_call_live", "app_key"),
        _live_index("ix_call_live_account", "account_id"),
        _live_index("ix_call_live_shown", "display_number"),
        _live_index("ix_call_live_shown_second", "second_display_number"),
        # Has all that calls per second are counted from.
        Index("ix_call_accepted", "accepted_at", "account_id", "app_key"),
        Index("ix_call_addressee", "addressee", "accepted_at"),
    )

    id: str = Field(primary_key=True, max_length=64)
    session_id: str = Field(unique=True, max_length=256)
    account_id: str = Field(sa_column=Column(ForeignKey("account.id"), nullable=False))
    app_key: str = Field(sa_column=Column(ForeignKey("app.key"), nullable=False))
    service: str
    controller: str
    node: str
    display_number: str
    second_display_number: str | None = None
    """Of a callback: what B is shown."""
    bind_number: str | None = None
    callee: str
    addressee: str | None = None
    """Whom the call is for: B of a callback, else the callee; unknown of calls before it was kept."""
    plan: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    user_data: str | None = None
    status_url: str | None = None
    fee_url: str | None = None
    push_profile: str = "compat"
    accepted_at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)
    left_at: datetime | None = _time(nullable=True)
    """The last sign of life of a controller that left it behind, until another one runs it."""
    state_code: int | None = None


class TimelineEntry(SQLModel, table=True):
    """What happened in a call, in order: the source of its details and of its recovery."""

    __tablename__ = "timeline_entry"

    call_id: str = Field(foreign_key="call.id", primary_key=True)
    sequence: int = Field(primary_key=True)
    at: datetime = _time()
    kind: str
    leg: str | None = None
    detail: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))


class Cdr(SQLModel, table=True):
    """The call detail record: written in the transaction that ends the call, never changed."""

    # No number is used twice, also when the last CDR was purged.
    __table_args__ = {"sqlite_autoincrement": True}

    number: int | None = Field(default=None, primary_key=True)
    """Counts up in the order in which calls were ended."""
    call_id: str = Field(foreign_key="call.id", unique=True)
    app_key: str = Field(index=True)
    ended_at: datetime = _time(index=True)
    record: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Recording(SQLModel, table=True):
    """A recording of a call: on its node until fetched, then a file of ours until purged."""

    call_id: str = Field(foreign_key="call.id", primary_key=True)
    account_id: str = Field(index=True)
    name: str = Field(unique=True, max_length=128)
    node: str
    state: str = Field(index=True)
    started_at: datetime = _time()
    seconds: float = 0.0
    purge_at: datetime | None = _time(nullable=True, index=True)
    inspected: bool = False
    """Whether it was drawn for quality inspection: the operator may listen."""


class CdrPush(SQLModel, table=True):
    """A CDR on its way to the customer: in the outbox until delivered or written to the CDR file."""

    __tablename__ = "cdr_push"
    __table_args__ = (_undelivered_index("ix_cdr_push_undelivered", "app_key", "due_at", "filed_at"),)

    call_id: str = Field(foreign_key="cdr.call_id", primary_key=True)
    app_key: str
    url: str
    ended_at: datetime = _time()
    attempts: int = 0
    due_at: datetime | None = _time(nullable=True, index=True)
    message_id: str | None = None
    """Of the push that failed; the records that were in it are pushed together again."""
    delivered_at: datetime | None = _time(nullable=True)
    filed_at: datetime | None = _time(nullable=True)


class CallPush(SQLModel, table=True):
    """How far a durable call's status pushes have come; gone when all of them and the call are over.

    The call's timeline has what is in them: this is a place in it.
    """

    __tablename__ = "call_push"

    call_id: str = Field(foreign_key="call.id", primary_key=True)
    delivered: int = -1
    """Sequence of the last timeline entry that the customer knows."""
    attempts: int = 0
    """That failed, at the next one."""
    due_at: datetime | None = _time(nullable=True, index=True)
    """When it is tried again; None: at once, by the controller that runs the call."""
    given_up_at: datetime | None = _time(nullable=True)


class PushAttempt(SQLModel, table=True):
    """One attempt at a push, once for each call that it told of."""

    __tablename__ = "push_attempt"

    id: int | None = Field(default=None, primary_key=True)
    call_id: str = Field(index=True, max_length=64)
    message_id: str
    app_key: str
    url: str
    event_type: str
    sequence: int | None = None
    attempt: int
    at: datetime = _time()
    latency_ms: int
    status: int | None = None
    failure: str | None = None
    error: str | None = None
    answer: str = ""


class PushEndpoint(SQLModel, table=True):
    """An endpoint that has failed since it last worked; without a row it is well."""

    __tablename__ = "push_endpoint"

    app_key: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    failing_since: datetime = _time()
    failed_at: datetime = _time()
    failures: int
    error: str
    disabled_at: datetime | None = _time(nullable=True)


class UsedNonce(SQLModel, table=True):
    """A nonce that has already started a call; a second request with it is a replay."""

    __tablename__ = "used_nonce"

    app_key: str = Field(primary_key=True)
    nonce: str = Field(primary_key=True, max_length=128)
    expires_at: datetime = _time(index=True)


class StartedOnce(SQLModel, table=True):
    """A call that was asked for with an Idempotency-Key: asking again finds it and starts no other."""

    __tablename__ = "started_once"

    id: str = Field(primary_key=True, max_length=64)
    """Digest of app, path and key."""
    body_digest: str = Field(max_length=64)
    session_id: str
    idle: int
    """Calls that the app could have beside it then."""
    expires_at: datetime = _time(index=True)
