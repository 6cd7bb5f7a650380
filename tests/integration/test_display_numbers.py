"""Display numbers that are suspended: what phones see, and that pushes and records tell the same."""

import pytest
from integration.support import (
    APP_KEY,
    CALLBACK_KEY,
    CALLED,
    SECOND,
    SECOND_SHOWN,
    SHOWN,
    Bench,
    StartBench,
    declaration,
)

from testbed.softphone_plan import Answer

pytestmark = pytest.mark.requirement("A4.2")

BIND = "+8657126880009"


async def declare_numbers(
    b: Bench, *suspended: str, active: tuple[str, ...] = (), bound_to: str | None = None
) -> None:
    """The account's numbers while the controller runs; `bound_to` has BIND as its bind number."""
    numbers = [f'"{number}"' for number in active]
    numbers += [f'{{number = "{number}", suspended = true}}' for number in suspended]
    text = declaration(b.phones).replace(f'"{SHOWN}", "{SECOND_SHOWN}"', ", ".join(numbers))
    if bound_to is not None:
        text = text.replace(f'key = "{bound_to}"', f'key = "{bound_to}"\nbind_number = "{BIND}"')
    await b.home.declare(text)
    await b.controller.directory.refresh()


async def test_A4_2_given_a_suspended_number_when_called_then_phone_pushes_and_record_have_the_substitute(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await declare_numbers(b, SHOWN, active=(SECOND_SHOWN,))

    session = await b.notify()
    call = await b.phone.next_call()
    statuses, cdr = await b.over(session)

    assert call.caller == SECOND_SHOWN
    assert {status.info["caller"] for status in statuses} == {SECOND_SHOWN}
    assert (cdr["callerNum"], cdr["bindNum"]) == (SECOND_SHOWN, SECOND_SHOWN)


async def test_A4_2_given_no_other_number_when_called_then_the_bind_number_is_shown(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await declare_numbers(b, SHOWN, SECOND_SHOWN, active=(BIND,), bound_to=APP_KEY)

    session = await b.notify()
    call = await b.phone.next_call()
    _statuses, cdr = await b.over(session)

    assert call.caller == BIND
    assert (cdr["callerNum"], cdr["bindNum"]) == (BIND, BIND)


async def test_A4_2_given_an_app_with_a_bind_number_when_another_is_shown_then_the_record_names_both(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await declare_numbers(b, active=(SHOWN, BIND), bound_to=APP_KEY)

    session = await b.notify()
    call = await b.phone.next_call()
    _statuses, cdr = await b.over(session)

    assert call.caller == SHOWN
    assert (cdr["callerNum"], cdr["bindNum"]) == (SHOWN, BIND)


async def test_A4_2_given_only_suspended_numbers_when_called_then_the_request_is_refused(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await declare_numbers(b, SHOWN, SECOND_SHOWN, active=(BIND,), bound_to=CALLBACK_KEY)

    answer = await b.client.notify(b.request())

    assert (answer.status, answer.code) == (403, "1010023")
    assert await b.controller.node.ari.channels.list() == []


@pytest.mark.parametrize(
    ("suspended", "seen"),
    [
        ((SHOWN,), (SECOND_SHOWN, SECOND_SHOWN)),
        ((SECOND_SHOWN,), (SHOWN, SHOWN)),
        ((SHOWN, SECOND_SHOWN), (BIND, BIND)),
    ],
    ids=["first", "second", "both"],
)
async def test_A4_2_given_a_callback_when_its_numbers_are_suspended_then_each_is_replaced_on_its_own(
    bench: StartBench, suspended: tuple[str, ...], seen: tuple[str, str]
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=0.5)})
    active = tuple({SHOWN, SECOND_SHOWN, BIND} - set(suspended))
    await declare_numbers(b, *suspended, active=active, bound_to=CALLBACK_KEY)

    session = await b.call_back()
    first, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    statuses, cdr = await b.over(session)

    assert (first.caller, second.caller) == seen
    assert {(status.info["caller"], status.info["called"]) for status in statuses} == {
        (seen[0], CALLED),
        (seen[1], SECOND),
    }
    assert (cdr["callerNum"], cdr["fwdDisplayNum"], cdr["bindNum"]) == (*seen, BIND)


async def test_A4_2_given_a_verification_code_when_its_number_is_suspended_then_the_substitute_is_shown(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=0.5))
    await declare_numbers(b, SHOWN, active=(SECOND_SHOWN,))

    session = await b.verify("123456")
    call = await b.phone.next_call()
    _statuses, cdr = await b.over(session)

    assert (call.caller, cdr["callerNum"]) == (SECOND_SHOWN, SECOND_SHOWN)
