"""What a handler works with: who asks, about whose things, and the transaction of its change."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from sqlalchemy import Select
from sqlmodel import Session, SQLModel

from controller.accounts.directory import LiveDirectory
from controller.asterisk.fleet import Fleet
from controller.billing.calendar import Calendar
from controller.billing.spending import Spending
from controller.clock import Clock
from controller.details.figures import CallFigures
from controller.details.one_call import CallDetails
from controller.details.search import CallSearch
from controller.management.idempotency import Attempt
from controller.management.models import Page, PageQuery
from controller.management.operations import PREFIX, Operation
from controller.management.paging import paged
from controller.management.passwords import Passwords
from controller.management.problems import ChangedMeanwhile, NotFound, VersionMissing, wrong_field
from controller.management.roles import Actor
from controller.management.throttle import Throttle
from controller.notices.contacts import Contacts
from controller.pushes.resending import Resender
from controller.review.queue import ReviewQueue
from controller.settings import Settings
from controller.sounds.room import Content
from controller.store.audit import Deed, append
from controller.store.database import Database
from controller.store.directory import count_change
from controller.wording import Say, english

T = TypeVar("T")
Item = TypeVar("Item")
Table = TypeVar("Table", bound=SQLModel)


@dataclass(frozen=True)
class Services:
    """The parts of the controller that handlers work with."""

    settings: Settings
    database: Database
    clock: Clock
    directory: LiveDirectory
    fleet: Fleet
    spending: Spending
    passwords: Passwords
    throttle: Throttle
    content: Content
    reviews: ReviewQueue
    contacts: Contacts
    search: CallSearch
    details: CallDetails
    figures: CallFigures
    hang_up: Callable[[str, str], Awaitable[bool]]
    """Ends a call (session id, key of its app); False if it is not under way."""
    resender: Resender

    @property
    def calendar(self) -> Calendar:
        """The days and months of bills."""
        return Calendar(self.settings.billing.zone_info)


def management_services(
    settings: Settings,
    database: Database,
    clock: Clock,
    directory: LiveDirectory,
    fleet: Fleet,
    spending: Spending,
    content: Content,
    reviews: ReviewQueue,
    search: CallSearch,
    details: CallDetails,
    hang_up: Callable[[str, str], Awaitable[bool]],
    resender: Resender,
) -> Services:
    """The services, with those that the management API has for itself."""
    management = settings.management
    throttle = Throttle(clock, management.login_attempts, timedelta(minutes=management.login_lock_minutes))
    return Services(
        settings,
        database,
        clock,
        directory,
        fleet,
        spending,
        Passwords(),
        throttle,
        content,
        reviews,
        Contacts(database, clock),
        search,
        details,
        CallFigures(database, clock),
        hang_up,
        resender,
    )


@dataclass
class Context:
    """A request whose sender may make it."""

    operation: Operation
    services: Services
    actor: Actor | None
    """None: nobody who is known, as some operations are open."""
    path: Mapping[str, str]
    """The path's parameters."""
    account_id: str | None
    """The account that it is about; None: all that there are, or the operator."""
    address: str
    request_id: str
    if_match: str | None = None
    attempt: Attempt | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    """Of the query, without the cursor: what the next page's address repeats."""
    new_session: str | None = None
    """A session to give to the browser; "" ends the one it has."""
    say: Say = english
    """In the language of who reads the answer; requests over HTTP are answered in English."""
    kept: Any = None
    """The answer that was kept for a repeated request."""
    recorded: bool = False
    claimed: str = ""
    """The login of a user whom somebody says they are, who hasn't shown it."""

    @property
    def user(self) -> Actor:
        """Who asks; only where nobody unknown may ask."""
        assert self.actor is not None
        return self.actor

    @property
    def account(self) -> str:
        """The account that a new thing is for. Raises Invalid if the operator's user named none."""
        if self.account_id is None:
            raise wrong_field("account_id", "is missing")
        return self.account_id

    def expect(self, present: BaseModel) -> None:
        """Raise VersionMissing or ChangedMeanwhile unless If-Match names this, which is what there is now."""
        if self.if_match is None:
            raise VersionMissing
        tags = [tag.strip() for tag in self.if_match.split(",")]
        if etag(present) not in tags and tags != ["*"]:
            raise ChangedMeanwhile

    async def read(self, work: Callable[[Session], T]) -> T:
        """Read from the database."""
        return await self.services.database.read(work)

    def following(self, cursor: str) -> str:
        """Address of the next page of a list that has cursors of its own."""
        params = urlencode({**self.params, "cursor": cursor}, doseq=True)
        return f"{PREFIX}{self.operation.path}?{params}"

    async def page(
        self,
        statement: Select[Any],
        keys: list[Any],
        query: PageQuery,
        view: Callable[[Any], Item],
        *,
        account: Any = None,
        descending: bool = False,
    ) -> Page[Item]:
        """A page of a list; `account` is the column that narrows it to the account that is asked about."""
        if self.operation.names_account and account is None:
            raise RuntimeError(
                f"{self.operation.name} lists what belongs to accounts and does not say to which"
            )
        if account is not None and self.account_id is not None:
            statement = statement.where(account == self.account_id)
        place = PREFIX + self.operation.path.format(**self.path)
        params = urlencode(dict(self.params), doseq=True)
        return await self.read(
            lambda session: paged(
                session, statement, keys, query, place, view, descending=descending, params=params
            )
        )

    async def change(self, work: "Callable[[Change], T]") -> T:
        """Do `work` in a transaction, together with what the audit trail says of it.

        `work` returns what is answered; it may run twice, so it has no effect but on the session.
        """

        def whole(session: Session) -> tuple[T, bool]:
            if self.attempt is not None:
                # Again, as two may come at once.
                self.attempt.check(session, self.services.clock.now())
            change = Change(session, self)
            answer = work(change)
            change.finish(answer)
            return answer, change.touches_directory

        answer, touches_directory = await self.services.database.write(whole)
        self.kept, self.recorded = answer, True
        if touches_directory:
            await self.services.directory.refresh()
        return answer

    async def note(
        self,
        kind: str,
        target: str,
        *,
        action: str | None = None,
        account_id: str | None = None,
        before: BaseModel | None = None,
        after: BaseModel | None = None,
        outcome: str = "done",
    ) -> None:
        """Have the audit trail say what was done outside of `change`, or read."""
        deed = self.deed(
            kind,
            target,
            action=action,
            account_id=account_id,
            before=_plain(before),
            after=_plain(after),
            outcome=outcome,
        )
        await self.services.database.write(lambda session: append(session, deed))
        self.recorded = True

    def deed(
        self, kind: str, target: str, *, action: str | None = None, account_id: str | None = None, **more: Any
    ) -> Deed:
        """What is done here."""
        return Deed(
            at=self.services.clock.now(),
            request_id=self.request_id,
            actor=self.actor.user_id if self.actor else None,
            login=self.actor.login if self.actor else self.claimed,
            address=self.address,
            action=action or self.operation.name,
            kind=kind,
            target=target,
            account_id=account_id if account_id is not None else self.account_id,
            **more,
        )


class Change:
    """A transaction: what is written, and what the audit trail will say of it."""

    def __init__(self, session: Session, context: Context) -> None:
        self.session = session
        self.context = context
        self.touches_directory = False
        self._expected = False
        self._deeds: list[Deed] = []

    def find(self, table: type[Table], *key: Any) -> Table:
        """The row with this key. Raises NotFound, also for a row of another account."""
        found = self.session.get(table, key if len(key) > 1 else key[0])
        account_id = self.context.account_id
        if found is None or (
            account_id is not None and getattr(found, "account_id", account_id) != account_id
        ):
            raise NotFound
        return found

    def expect(self, present: BaseModel) -> None:
        """Raise VersionMissing or ChangedMeanwhile unless If-Match names this, which is what there is now."""
        self._expected = True
        self.context.expect(present)

    def record(
        self,
        kind: str,
        target: str,
        *,
        action: str | None = None,
        account_id: str | None = None,
        before: BaseModel | None = None,
        after: BaseModel | None = None,
    ) -> None:
        """Say what this does to a thing; every change says it of at least one."""
        self._deeds.append(
            self.context.deed(
                kind,
                target,
                action=action,
                account_id=account_id,
                before=_plain(before),
                after=_plain(after),
            )
        )

    def in_force(self) -> None:
        """What is written concerns calls: every running controller takes it within a second."""
        self.touches_directory = True

    def finish(self, answer: Any) -> None:
        """Write what belongs to every change."""
        operation = self.context.operation
        if operation.locked and not self._expected:
            raise RuntimeError(f"{operation.name} changed something without looking at If-Match")
        if not self._deeds:
            raise RuntimeError(f"{operation.name} changed something and told nothing of it")
        for deed in self._deeds:
            append(self.session, deed)
        if self.touches_directory:
            count_change(self.session)
        if self.context.attempt is not None and (answer is None or isinstance(answer, BaseModel)):
            self.context.attempt.keep(self.session, self.context.services.clock.now(), stored(answer))


def etag(view: BaseModel) -> str:
    """The version of a thing: a digest of how it is shown."""
    text = json.dumps(view.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def stored(answer: BaseModel | None) -> dict[str, Any]:
    """An answer as it is kept."""
    return {"body": None if answer is None else answer.model_dump(mode="json")}


def _plain(view: BaseModel | None) -> dict[str, Any] | None:
    return None if view is None else view.model_dump(mode="json")
