"""What the dialplan can ask for: under which rules, and in which words it is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from unit.calls.support import ACCOUNT, APP, CALLEE, SHOWN, House

from controller.accounts.admission import Admission
from controller.accounts.directory import Application, Directory, DisplayNumber
from controller.accounts.rules import terms_of
from controller.agi import Refused
from controller.asterisk.fleet import Fleet
from controller.door import Door
from controller.phone_number import PhoneNumber
from controller.prompts.library import PromptLibrary, StoredPrompt
from controller.prompts.shipped import ShippedPrompts
from controller.settings import DiallingSettings, LimitSettings
from controller.share import shared
from controller.store.tables import Account, Call, Service

APPLICATION = Application(
    APP,
    ACCOUNT,
    Service.NOTIFICATION,
    active=True,
    recording=False,
    max_calls=1,
    secret=SecretStr("12345678"),
    status_url="http://customer.test/status",
    fee_url="http://customer.test/fee",
)
DIRECTORY = Directory(
    applications={APP: APPLICATION},
    numbers={SHOWN.e164: DisplayNumber(ACCOUNT)},
    sounds={(ACCOUNT, "hello.wav"): StoredPrompt("abcd", 1000)},
)

SHIPPED = DiallingSettings()

OpenDoor = Callable[..., Door]


@pytest.fixture
def door(house: House, tmp_path: Path) -> OpenDoor:
    def opened(
        directory: Directory = DIRECTORY,
        language: str = "zh",
        dialling: DiallingSettings = SHIPPED,
    ) -> Door:
        library = PromptLibrary(tmp_path / "prompts")
        admission = Admission(dialling, LimitSettings(), house.clock)
        live: Any = SimpleNamespace(now=directory)
        shipped = ShippedPrompts(library, shared("sounds"))
        return Door(
            live, admission, Fleet([house.node]), house.service, library, shipped, language, Random(1)
        )

    return opened


@pytest.mark.requirement("E1")
@pytest.mark.parametrize(
    ("called", "cause"),
    [(SHOWN.e164, 21), (SHOWN.digits, 21), ("+8657126880009", 1), ("s", 1), ("", 1), ("++8657126880001", 1)],
)
async def test_E1_given_a_number_when_called_then_the_cause_says_whether_it_is_anybodys(
    door: OpenDoor, called: str, cause: int
) -> None:
    announcement = await door().inbound(called, "")

    assert announcement.cause == cause
    assert announcement.sound is not None
    assert Path(f"{announcement.sound}.alaw").is_file()


async def test_given_another_language_when_called_then_the_announcement_is_another_one(
    door: OpenDoor,
) -> None:
    chinese, english = [await door(language=it).inbound(SHOWN.e164, "") for it in ("zh", "en")]

    assert chinese.sound != english.sound


@pytest.mark.requirement("E1")
async def test_E1_given_a_number_without_a_route_when_asked_for_one_then_the_refusal_is_plain_and_masked(
    door: OpenDoor,
) -> None:
    assert (await door().route(CALLEE)).startswith("PJSIP/")
    with pytest.raises(Refused, match=r"no route leads to \+493\*\*\*\*3456"):
        await door(dialling=DiallingSettings(allowed=["+49."])).route(PhoneNumber("+49303123456"))


@pytest.mark.requirement("E1", "E2")
async def test_E1_given_a_node_that_is_drained_when_it_asks_for_a_route_then_its_own_phones_have_one(
    house: House, door: OpenDoor
) -> None:
    house.node.draining = True

    assert (await door().route(CALLEE, house.node.name)).startswith("PJSIP/")
    # Of a door that doesn't say who asks it is what a call of the platform's would get.
    with pytest.raises(Refused, match="takes no calls now"):
        await door().route(CALLEE)


@pytest.mark.requirement("E1")
async def test_E1_given_an_app_when_a_notification_is_started_then_the_call_is_the_apps(
    house: House, door: OpenDoor
) -> None:
    session_id = await door().notify(CALLEE, APP, "hello.wav")

    (row,) = await house.rows(Call)
    assert row.session_id == session_id
    assert (row.app_key, row.account_id, row.callee) == (APP, ACCOUNT, CALLEE.e164)
    assert row.display_number == SHOWN.e164
    assert (row.status_url, row.fee_url) == (APPLICATION.status_url, APPLICATION.fee_url)


def with_app(**changes: Any) -> Directory:
    return replace(DIRECTORY, applications={APP: replace(APPLICATION, **changes)})


REFUSALS: dict[str, tuple[Directory, str]] = {
    "an_unknown_app": (replace(DIRECTORY, applications={}), "no such application"),
    "an_inactive_app": (with_app(active=False), "switched off"),
    "an_app_of_another_service": (with_app(service=Service.CALLBACK), "is for callback"),
    "no_number_to_show": (
        replace(DIRECTORY, numbers={SHOWN.e164: DisplayNumber("another")}),
        "no number to show",
    ),
    "no_approved_sound": (replace(DIRECTORY, sounds={}), "hello.wav does not exist or is not approved"),
    "an_account_that_is_switched_off": (
        replace(DIRECTORY, accounts={ACCOUNT: terms_of(Account(id=ACCOUNT, active=False))}),
        "account is switched off",
    ),
    "a_callee_in_a_blacklist": (
        replace(
            DIRECTORY,
            accounts={ACCOUNT: terms_of(Account(id=ACCOUNT, rules={"callee_blacklist": [CALLEE.e164]}))},
        ),
        "the callee is in a blacklist",
    ),
    "no_place_of_the_account_left": (
        replace(DIRECTORY, accounts={ACCOUNT: terms_of(Account(id=ACCOUNT, max_calls=0))}),
        "calls of the account: 0 of 0 calls are live",
    ),
    "no_place_of_the_number_left": (
        replace(DIRECTORY, numbers={SHOWN.e164: DisplayNumber(ACCOUNT, max_calls=0)}),
        "calls that show the number: 0 of 0 calls are live",
    ),
    "no_place_left": (with_app(max_calls=0), "0 of 0 calls are live"),
}


@pytest.mark.requirement("E1", "A4.4", "A4.5")
@pytest.mark.parametrize("case", REFUSALS)
async def test_E1_given_a_rule_against_it_when_a_notification_is_started_then_it_is_refused(
    house: House, door: OpenDoor, case: str
) -> None:
    directory, said = REFUSALS[case]

    with pytest.raises(Refused, match=said):
        await door(directory).notify(CALLEE, APP, "hello.wav")
    assert await house.rows(Call) == []


@pytest.mark.requirement("A4.3", "E1")
async def test_A4_3_given_the_operators_policy_when_the_dialplan_asks_then_it_holds_there_too(
    house: House, door: OpenDoor
) -> None:
    for asked in (door().route, lambda number: door().notify(number, APP, "hello.wav")):
        with pytest.raises(Refused, match="the number of the callee is not allowed to be called here"):
            await asked(PhoneNumber("+864008208820"))
    assert await house.rows(Call) == []


async def test_given_a_node_that_takes_no_calls_when_a_notification_is_started_then_it_is_refused(
    house: House, door: OpenDoor
) -> None:
    house.asterisk.kill()
    await house.node.ari.wait_lost()

    with pytest.raises(Refused, match="takes no calls now"):
        await door().notify(CALLEE, APP, "hello.wav")


@pytest.mark.requirement("E4")
async def test_E4_given_a_controller_that_drains_when_a_notification_is_started_then_it_is_refused(
    house: House, door: OpenDoor
) -> None:
    await house.service.drain(0)

    with pytest.raises(Refused, match="no more calls are taken"):
        await door().notify(CALLEE, APP, "hello.wav")
