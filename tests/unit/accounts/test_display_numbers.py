"""Which number a call shows: the one that was asked for, a substitute, or none."""

from dataclasses import replace
from random import Random

import pytest
from pydantic import SecretStr

from controller.accounts.directory import Application, Directory, DisplayNumber
from controller.accounts.errors import DisplayNumberNotAllotted
from controller.phone_number import PhoneNumber
from controller.store.tables import Service

pytestmark = pytest.mark.requirement("A4.2")

ASKED, SECOND, THIRD, BIND, FOREIGN = (PhoneNumber(f"+865712688000{digit}") for digit in range(1, 6))
NAMES = {"asked": ASKED, "second": SECOND, "third": THIRD, "bind": BIND, "foreign": FOREIGN}

APP = Application(
    key="app-1",
    account_id="acme",
    service=Service.NOTIFICATION,
    active=True,
    recording=False,
    max_calls=10,
    secret=SecretStr("12345678"),
    status_url=None,
    fee_url=None,
    bind_number=BIND,
)
OTHER = replace(APP, key="app-2", bind_number=None)


def directory(states: str, app: Application = APP) -> Directory:
    """Numbers of the account by name, suspended with a - in front; a foreign one is another account's."""
    numbers = {
        NAMES[state.lstrip("-")].e164: DisplayNumber(
            "another" if "foreign" in state else "acme", not state.startswith("-")
        )
        for state in states.split()
    }
    return Directory(applications={it.key: it for it in (app, OTHER)}, numbers=numbers)


def shown(states: str, app: Application = APP, asked: PhoneNumber = ASKED) -> set[PhoneNumber]:
    """Every number that is shown, whatever the dice say; none if it is refused."""
    found = directory(states, app)
    try:
        return {found.number_to_show(app, asked, Random(seed)) for seed in range(50)}
    except DisplayNumberNotAllotted:
        return set()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("asked second", {ASKED}),
        ("asked -second -bind", {ASKED}),
        ("-asked second third bind", {SECOND, THIRD}),
        ("-asked second -third bind", {SECOND}),
        ("-asked -second bind", {BIND}),
        ("-asked foreign bind", {BIND}),
        ("-asked bind", {BIND}),
        ("-asked -second -bind", set()),
        ("-asked foreign -bind", set()),
        ("second bind", set()),
    ],
)
def test_A4_2_given_states_of_the_numbers_when_one_is_asked_for_then_these_may_be_shown(
    states: str, expected: set[PhoneNumber]
) -> None:
    assert shown(states) == expected


def test_A4_2_given_a_number_of_another_account_when_asked_for_then_it_is_refused() -> None:
    assert shown("asked foreign bind", asked=FOREIGN) == set()


def test_A4_2_given_an_app_without_a_bind_number_when_all_are_suspended_then_it_is_refused() -> None:
    assert shown("-asked -second bind", replace(APP, bind_number=None)) == {BIND}
    assert shown("-asked -second -bind", replace(APP, bind_number=None)) == set()


def test_A4_2_given_the_bind_number_of_another_app_when_a_substitute_is_taken_then_it_is_left_alone() -> None:
    found = directory("-asked bind")

    with pytest.raises(DisplayNumberNotAllotted):
        found.number_to_show(OTHER, ASKED, Random(1))


def test_A4_2_given_the_bind_number_is_asked_for_when_it_is_suspended_then_another_is_shown() -> None:
    assert shown("asked -bind", asked=BIND) == {ASKED}


@pytest.mark.parametrize(
    ("states", "expected"),
    [("asked second bind", {BIND}), ("asked -second -bind", {ASKED}), ("-asked -bind", set())],
)
def test_A4_2_given_a_call_that_asks_for_no_number_when_made_then_the_apps_own_is_shown(
    states: str, expected: set[PhoneNumber]
) -> None:
    found = directory(states)
    if not expected:
        with pytest.raises(DisplayNumberNotAllotted):
            found.own_number(APP, Random(1))
        return
    assert {found.own_number(APP, Random(seed)) for seed in range(50)} == expected
