"""What must hold between the numbers and apps of an account, however they are changed."""

from collections.abc import Iterator

from sqlmodel import Session

from controller.store import directory as rows
from controller.store.tables import App, Number


class NumberRuleBroken(ValueError):
    """Numbers and apps don't fit together; the text says which."""


def check_numbers(session: Session, account_id: str | None = None) -> None:
    """Raise NumberRuleBroken unless all is well with the numbers of an account, or of all accounts."""
    for fault in number_faults(session, account_id):
        raise NumberRuleBroken(fault)


def number_faults(session: Session, account_id: str | None = None) -> Iterator[str]:
    """What is not well with the numbers of an account, or of all accounts.

    A bind number is a number of the account, one app's alone, and that app may show it. Apps that may show
    a number are the account's.
    """
    owners: dict[str, str] = {}
    apps = rows.bound_apps(session, account_id)
    numbers = rows.allotted_numbers(session, (app.bind_number for app in apps if app.bind_number))
    for app in apps:
        assert app.bind_number is not None
        yield from _bind_number_faults(app, app.bind_number, numbers.get(app.bind_number))
        owner = owners.setdefault(app.bind_number, app.key)
        if owner != app.key:
            yield f"number {app.bind_number} can't be the bind number of two apps, {owner} and {app.key}"
    restricted = rows.numbers_for_some_apps(session, account_id)
    accounts = rows.owners_of_apps(session, (key for number in restricted for key in number.app_keys or ()))
    for number in restricted:
        for key in number.app_keys or ():
            if accounts.get(key) != number.account_id:
                yield f"number {number.number}: account {number.account_id} has no app {key}"


def _bind_number_faults(app: App, number: str, found: Number | None) -> Iterator[str]:
    if found is None or found.account_id != app.account_id:
        yield f"app {app.key}: bind number {number} is not a number of account {app.account_id}"
    elif found.app_keys is not None and app.key not in found.app_keys:
        yield f"app {app.key}: bind number {number} may not be shown by this app"
