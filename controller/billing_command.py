"""`voicecall billing`, `stop-calls` and `resume-calls`: money and spending.

They work on the database; a running controller notices within a second.
"""

import asyncio
import getpass
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.errors import BillingError
from controller.billing.kill_switch import resume_calls, stop_calls
from controller.billing.overview import standings
from controller.billing.prices import OwnTariff, read_prices, set_price
from controller.billing.rent import charge_all_rents
from controller.billing.settlement import Settled, Settling
from controller.billing.statements import rated_calls_csv, statement_csv, statement_of
from controller.clock import SystemClock
from controller.command import (
    TIMES,
    AccountArgument,
    ConfigOption,
    JsonOption,
    T,
    failure,
    in_utc,
    read_database,
    read_settings,
    record,
    show,
    with_database,
    write_database,
)
from controller.faults import in_words
from controller.rules.amounts import Amount, Payment, Price, amount_text
from controller.settings import Settings
from controller.store import ratings
from controller.store.alarms import alarms_page
from controller.store.billing_tables import EVERYTHING
from controller.store.database import Database
from controller.store.holds import holds, holds_of
from controller.store.ledger import transfers_page

app = typer.Typer(help="Prices, balances, payments, statements, usage, alarms.", no_args_is_help=True)

MonthArgument = Annotated[str, typer.Argument(help="A month, such as 2026-11.")]
TextOption = Annotated[str, typer.Option("--text", help="What it is for.")]
ReferenceOption = Annotated[
    str | None,
    typer.Option("--reference", help="The payer's or the bank's: posted again, it counts once."),
]
LimitOption = Annotated[int, typer.Option(help="How many at most.", min=1, max=10000)]


def _amount(kind: Any, name: str, text: str) -> Decimal:
    try:
        amount: Decimal = TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise failure(f"{name} {in_words(error.errors()[0])}") from None
    return amount


def _done(work: Callable[[], T]) -> T:
    try:
        return work()
    except BillingError as error:
        raise failure(str(error)) from None


def _now() -> datetime:
    return SystemClock().now()


def _user() -> str:
    return f"command:{getpass.getuser()}"


def _is_free(settings: Settings) -> Callable[[str], bool]:
    return settings.is_free


@app.command()
def balances(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every account: balance, prices, what its calls have cost today, what holds it."""
    settings = read_settings(config)
    calendar = Calendar(settings.billing.zone_info)
    found = read_database(settings, lambda session: standings(session, _now(), calendar, _is_free(settings)))
    show(
        (
            {
                "account": its.account_id,
                "prepaid": its.prepaid,
                "balance": amount_text(its.balance),
                "minute_price": amount_text(its.tariff.minute),
                "number_price": amount_text(its.tariff.number_month),
                "spent_today": amount_text(its.spent),
                "currency": settings.billing.currency,
                "held": list(its.held),
            }
            for its in found
        ),
        as_json=as_json,
    )


@app.command("top-up")
def top_up(
    account: AccountArgument,
    amount: Annotated[str, typer.Argument(help="Such as 100 or 99.50.")],
    text: TextOption = "",
    reference: ReferenceOption = None,
    config: ConfigOption = None,
) -> None:
    """Post a payment; an account that was frozen makes calls again."""
    paid = _amount(Payment, "AMOUNT", amount)
    _post(config, "create_top_up", lambda: ledger.top_up(account, paid, text, _user(), reference))


@app.command()
def correct(
    account: AccountArgument,
    amount: Annotated[str, typer.Argument(help="In the account's favour, or negative: -- -5.40")],
    text: Annotated[str, typer.Option("--text", help="What it is for.")],
    reference: ReferenceOption = None,
    config: ConfigOption = None,
) -> None:
    """Put something right: a line of its own, never a change of another."""
    change = _amount(Amount, "AMOUNT", amount)
    _post(config, "create_correction", lambda: ledger.correction(account, change, text, _user(), reference))


def _post(config: Any, action: str, make: Callable[[], ledger.Posting]) -> None:
    settings = read_settings(config)
    posting = _done(make)
    low = settings.billing.low_balance

    def work(session: Session) -> ledger.Posted:
        posted = ledger.post(session, posting, _now(), low)
        if posted.is_new:
            told = posted.transfer.model_dump(include={"kind", "debit", "credit", "text", "reference"})
            told["amount"] = amount_text(posted.transfer.amount)
            target = str(posted.transfer.id)
            record(session, action, "transfer", target, account_id=posting.account_id, after=told)
        return posted

    posted = _done(lambda: write_database(settings, work))
    said = "posted" if posted.is_new else "was posted before"
    typer.echo(f"{said}; the balance is {amount_text(posted.balance)} {settings.billing.currency}")


@app.command()
def prices(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every price that there was, is, and will be; without an account: the platform's."""
    found = read_database(read_settings(config), lambda session: list(ratings.prices(session)))
    show(
        (
            {
                "valid_from": price.valid_from,
                "account": price.account_id,
                "minute_price": None if price.minute is None else amount_text(price.minute),
                "number_price": None if price.number_month is None else amount_text(price.number_month),
            }
            for price in found
        ),
        as_json=as_json,
    )


@app.command("set-price")
def set_account_price(
    account: AccountArgument,
    minute: Annotated[str | None, typer.Option(help="Of each started minute and leg.")] = None,
    number: Annotated[str | None, typer.Option(help="Of each number and month.")] = None,
    begins: Annotated[
        datetime | None,
        typer.Option("--from", help="UTC; else from now on.", formats=TIMES),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Have an account charged a price of its own; what is left out is as the platform charges."""
    tariff = OwnTariff(
        None if minute is None else _amount(Price, "--minute", minute),
        None if number is None else _amount(Price, "--number", number),
    )

    def work(session: Session) -> bool:
        if not set_price(session, account, tariff, _now(), in_utc(begins)):
            return False
        made = ratings.newest_price(session, account)
        told = {
            "valid_from": made.valid_from,
            "minute_price": None if made.minute is None else amount_text(made.minute),
            "number_price": None if made.number_month is None else amount_text(made.number_month),
        }
        record(session, "create_price", "price", str(made.id), account_id=account, after=told)
        return True

    changed = _done(lambda: write_database(read_settings(config), work))
    typer.echo("changed" if changed else "unchanged")


@app.command()
def entries(
    account: AccountArgument,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest transactions of an account."""
    found = read_database(
        read_settings(config), lambda session: list(transfers_page(session, account, limit))
    )
    show(
        (
            {
                "id": row.id,
                "at": row.at,
                "kind": row.kind,
                "debit": row.debit,
                "credit": row.credit,
                "amount": amount_text(row.amount),
                "text": row.text,
                "by": row.posted_by,
            }
            for row in found
        ),
        as_json=as_json,
    )


@app.command()
def statement(
    account: AccountArgument,
    month: MonthArgument,
    calls: Annotated[bool, typer.Option(help="Every call instead of every transaction.")] = False,
    config: ConfigOption = None,
) -> None:
    """The statement of a month, as CSV."""
    settings = read_settings(config)
    calendar = Calendar(settings.billing.zone_info)

    def whole(session: Session) -> str:
        return statement_csv(
            statement_of(session, account, month, calendar, settings.billing.currency), calendar
        )

    async def work(database: Database) -> None:
        if not calls:
            typer.echo(await database.read(whole), nl=False)
            return
        async for piece in await rated_calls_csv(database, account, month, calendar):
            typer.echo(piece, nl=False)

    _done(lambda: with_database(settings, work))


@app.command()
def usage(
    account: AccountArgument,
    since: Annotated[str | None, typer.Option(help="First day; else 30 days ago.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day; else today.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What an account's apps did day by day, as far as it was settled."""
    settings = read_settings(config)
    today = Calendar(settings.billing.zone_info).day(_now())
    first, last = since or (today - timedelta(days=30)).isoformat(), until or today.isoformat()
    found = read_database(settings, lambda session: ratings.usage(session, account, first, last))
    show(({**asdict(row), "amount": amount_text(row.amount)} for row in found), as_json=as_json)


@app.command()
def alarms(
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    limit: LimitOption = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest alarms."""
    found = read_database(read_settings(config), lambda session: list(alarms_page(session, account, limit)))
    show(
        ({"at": row.at, "account": row.account_id, "alarm": row.kind, "detail": row.detail} for row in found),
        as_json=as_json,
    )


@app.command()
def settle(config: ConfigOption = None) -> None:
    """Rate and charge calls and rents now; a running controller does so every hour."""
    settings = read_settings(config)
    book = read_database(settings, read_prices)
    if book.is_empty:
        raise failure("there are no prices yet: start the controller once")
    rents, done = asyncio.run(_settle(settings))
    typer.echo(f"{done.calls} calls rated, {done.accounts} accounts charged; rent of {rents} numbers charged")


async def _settle(settings: Settings) -> tuple[int, Settled]:
    """Numbers that were charged, and what became of calls."""
    minute, billing, clock = timedelta(seconds=settings.calls.minute), settings.billing, SystemClock()
    calendar, low = Calendar(billing.zone_info), billing.low_balance
    async with Database.of(settings) as database:
        rents = await charge_all_rents(database, clock.now(), calendar, low)
        return rents, await Settling(database, clock, billing, _is_free(settings), minute).settle()


ScopeOption = Annotated[str | None, typer.Option("--account", help="Only of this account; else everybody's.")]


def stop(
    account: ScopeOption = None,
    hang_up: Annotated[bool, typer.Option("--hang-up", help="End the calls under way too.")] = False,
    text: TextOption = "",
    config: ConfigOption = None,
) -> None:
    """The kill switch: no new calls from now on, until `resume-calls`."""
    settings = read_settings(config)
    note = text or f"stopped by {_user()}"

    def work(session: Session) -> bool:
        before = _held(session, account)
        changed = stop_calls(session, account, _now(), note, hang_up=hang_up)
        if changed:
            _record_switch(session, "stop", account, before)
        return changed

    changed = _done(lambda: write_database(settings, work))
    typer.echo(f"{_whose(account)} calls are stopped" if changed else "they are stopped already")


def resume(account: ScopeOption = None, config: ConfigOption = None) -> None:
    """Take back `stop-calls`."""

    def work(session: Session) -> bool:
        before = _held(session, account)
        changed = resume_calls(session, account)
        if changed:
            _record_switch(session, "resume", account, before)
        return changed

    changed = _done(lambda: write_database(read_settings(config), work))
    if not changed:
        raise failure(f"{_whose(account)} calls are not stopped")
    typer.echo(f"{_whose(account)} calls are made again")


def _held(session: Session, account: str | None) -> dict[str, Any]:
    found = holds_of(session, EVERYTHING if account is None else account)
    return {"items": [hold.model_dump(exclude={"scope"}) for hold in found]}


def _record_switch(session: Session, what: str, account: str | None, before: dict[str, Any]) -> None:
    session.flush()
    action = f"{what}_all_calls" if account is None else f"{what}_account_calls"
    target = account or "everything"
    after = _held(session, account)
    record(session, action, "kill switch", target, account_id=account, before=before, after=after)


def _whose(account: str | None) -> str:
    return "all" if account is None else f"{account}'s"


@app.command("holds")
def list_holds(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What keeps accounts, or everybody, from making calls."""
    found = read_database(read_settings(config), lambda session: list(holds(session)))
    show(
        (
            {
                "account": "everybody" if row.scope == EVERYTHING else row.scope,
                "reason": row.reason,
                "since": row.since,
                "ends_calls": row.ends_calls,
                "note": row.note,
            }
            for row in found
        ),
        as_json=as_json,
    )
