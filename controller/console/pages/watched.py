"""Whose calls are watched: an account's users their own, the operator's everybody's or one account's."""

from typing import Final
from urllib.parse import quote

from controller.console.forms import Form, Sent
from controller.console.listing import ACCOUNT, for_whom
from controller.console.visit import Visit

WHOSE: Final = Form((ACCOUNT,))


def watched_account(visit: Visit) -> str | None:
    """The account that the address asks for; None: all that the user sees."""
    return visit.request.query.get(ACCOUNT.name, "").strip() or None if visit.user.is_operators else None


def account_query(visit: Visit) -> dict[str, str]:
    """What an operation is asked with."""
    account_id = watched_account(visit)
    return {} if account_id is None else {ACCOUNT.name: account_id}


def account_part(visit: Visit) -> str:
    """What is added to an address, so that the same account's are shown there."""
    account_id = watched_account(visit)
    return "" if account_id is None else f"?{ACCOUNT.name}={quote(account_id, safe='')}"


async def whose(visit: Visit) -> Sent:
    """The filter, for those who may choose."""
    return Sent(await for_whom(visit, WHOSE), visit, {ACCOUNT.name: watched_account(visit) or ""})
