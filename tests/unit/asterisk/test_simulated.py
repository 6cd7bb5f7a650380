"""Simulated callees: what their numbers say, and that no trunk ever sees them."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.asterisk.errors import NoRoute
from controller.asterisk.routing import RouteConfiguration, RoutingTable
from controller.asterisk.simulated import Before, SimulatedCallee, dial_string, is_simulated, sip_status
from controller.calls.outcome import failed_leg
from controller.phone_number import PhoneNumber

EVERYWHERE = RouteConfiguration("+", ("carrier",))
PREFIX = "+999"


@pytest.mark.parametrize(
    ("number", "callee"),
    [
        ("+99901702000", SimulatedCallee(17, 2, 0, "")),
        ("+999016031201234", SimulatedCallee(16, 3, 120, "1234")),
        ("+99901600000", SimulatedCallee(16, 0, 0, "")),
        ("+99901600001", SimulatedCallee(16, 0, 1, "")),
        ("+99912799000", SimulatedCallee(127, 99, 0, "")),
        ("+99900103001", SimulatedCallee(1, 3, 0, "", Before.ANNOUNCEMENT)),
        ("+99901999002", SimulatedCallee(19, 99, 0, "", Before.SILENCE)),
        ("+999017020000042", SimulatedCallee(17, 2, 0, "")),
        ("+999016000000123456789012345678", SimulatedCallee(16, 0, 0, "0123456789012345678")),
    ],
)
def test_given_a_simulated_number_when_read_then_its_digits_say_what_the_callee_does(
    number: str, callee: SimulatedCallee
) -> None:
    assert SimulatedCallee.of(PhoneNumber(number), PREFIX) == callee


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("+9990", "8 digits or more after the prefix, not 1"),
        ("+9990170200", "8 digits or more after the prefix, not 7"),
        ("+99900002000", "cause 000"),
        ("+99912802000", "cause 128"),
        ("+99901702003", "can't talk for 003 seconds"),
        ("+8613900001111", r"doesn't begin with \+999"),
    ],
)
def test_given_a_malformed_simulated_number_when_read_then_the_error_names_what_is_wrong(
    number: str, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        SimulatedCallee.of(PhoneNumber(number), PREFIX)


def test_given_a_number_of_a_person_when_read_as_a_simulated_one_then_the_error_masks_it() -> None:
    with pytest.raises(ValueError, match="simulated") as refused:
        SimulatedCallee.of(PhoneNumber("+8613900001111"), PREFIX)

    assert "+8613900001111" not in str(refused.value)


def test_given_another_prefix_when_dialled_then_the_dialplan_gets_the_digits_behind_it() -> None:
    assert dial_string(PhoneNumber("+8830001702000"), "+88300") == "Local/01702000@simulated/n"
    assert dial_string(PhoneNumber("+999016031201234"), PREFIX) == "Local/016031201234@simulated/n"
    assert not is_simulated(PhoneNumber("+99901702000"), "+88300")


STATUSES = {
    404: (1, 2, 3, 26),
    410: (22,),
    480: (18, 19, 20),
    484: (28,),
    486: (17,),
    500: (38, 41, 127, 99),
    503: (34, 42),
    603: (21,),
}


@pytest.mark.parametrize(
    ("cause", "status"), [(cause, status) for status, causes in STATUSES.items() for cause in causes]
)
def test_given_a_cause_when_a_carrier_says_it_over_sip_then_it_has_a_status(cause: int, status: int) -> None:
    assert sip_status(cause) == status


@pytest.mark.requirement("E1")
def test_E1_given_a_route_for_every_number_when_a_simulated_one_is_dialled_then_no_trunk_gets_it() -> None:
    table = RoutingTable([EVERYWHERE, RouteConfiguration("+999017", contact="sip:x@127.0.0.1")], PREFIX)

    assert table.ways(PhoneNumber("+99901702000"))[0].dial_string == "Local/01702000@simulated/n"
    assert table.is_simulated(PhoneNumber("+99901702000"))
    assert table.ways(PhoneNumber("+8613900001111"))[0].dial_string == "PJSIP/+8613900001111@carrier"
    assert not table.is_simulated(PhoneNumber("+8613900001111"))


@pytest.mark.requirement("E1")
def test_E1_given_a_malformed_simulated_number_when_dialled_then_no_trunk_gets_it_and_it_says_why() -> None:
    with pytest.raises(NoRoute, match="cause 128"):
        RoutingTable([EVERYWHERE], PREFIX).ways(PhoneNumber("+99912802000"))


PREFIXES = st.from_regex(r"\+[1-9][0-9]{0,9}", fullmatch=True)
READABLE = st.from_regex(r"0(16|17)[0-9]{2}00[0-2]", fullmatch=True)
REST = READABLE | st.text("0123456789", min_size=2, max_size=19)
ROUTES = st.lists(st.sampled_from([None, *range(31)]), max_size=6)


@pytest.mark.requirement("E1")
@given(PREFIXES, REST, ROUTES)
def test_E1_given_any_prefix_and_any_routes_when_a_number_below_it_is_dialled_then_it_stays_on_the_node(
    prefix: str, rest: str, lengths: list[int | None]
) -> None:
    number = f"{prefix}{rest}"
    assume(not number.startswith("+860"))
    prefixes = {number if length is None else f"+{number[1:length]}" for length in lengths}
    table = RoutingTable([EVERYWHERE, *(RouteConfiguration(it, ("t",)) for it in prefixes)], prefix)

    try:
        dialled = table.ways(PhoneNumber(number))[0].dial_string
    except NoRoute as refusal:
        assert "simulated" in str(refusal)
        return
    assert dialled == f"Local/{rest}@simulated/n"


def test_given_no_prefix_when_dialled_then_there_are_no_simulated_callees() -> None:
    table = RoutingTable([EVERYWHERE], simulated_prefix="")

    assert table.ways(PhoneNumber("+99901702000"))[0].dial_string == "PJSIP/+99901702000@carrier"
    assert not table.is_simulated(PhoneNumber("+99901702000"))


@pytest.mark.parametrize("prefix", ["999", "+", "+0", "+99x", "+99901234567", "+999@simulated"])
def test_given_a_prefix_that_is_not_the_start_of_a_number_when_set_then_it_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="is not the start of a number"):
        RoutingTable(simulated_prefix=prefix)


DOCUMENT = Path(__file__).parents[3] / "docs/reference/simulated-numbers.md"
OWN_TIMERS = {8003, 8001}
"""Of callees who outlast the platform's patience: the cause of their numbers is never heard."""


@pytest.mark.requirement("B5")
def test_B5_given_the_documented_examples_when_read_then_each_number_leads_to_the_outcome_beside_it() -> None:
    rows = re.findall(r"^\| `(\+\d+)`.*\| (\d+) \| (\d+) \| (\d+) \|$", DOCUMENT.read_text("utf-8"), re.M)
    assert len(rows) > 15

    for number, state_code, cut_point, cause in rows:
        callee = SimulatedCallee.of(PhoneNumber(number), PREFIX)
        if callee.answers:
            assert (state_code, cut_point) in {("0", "0"), ("8008", "100")}
        elif callee.ring == 99:
            assert int(state_code) in OWN_TIMERS
        else:
            for status in (0, sip_status(callee.cause)):
                outcome = failed_leg("a", callee.cause, status)
                assert (outcome.state_code, outcome.cut_point, outcome.cause) == (
                    int(state_code),
                    int(cut_point),
                    int(cause),
                )
