"""Routes and the PJSIP configuration that trunks become."""

import re

import pytest

from controller.asterisk.errors import NoRoute
from controller.asterisk.routing import RouteConfiguration, RoutingTable, TrunkConfiguration, render_trunks
from controller.phone_number import PhoneNumber, mask

NUMBER = PhoneNumber("+8613900001111")


def test_given_a_trunk_route_when_dialled_then_the_number_goes_over_it() -> None:
    table = RoutingTable([RouteConfiguration("+86", ("a",)), RouteConfiguration("+861390", ("b",))])

    assert table.ways(NUMBER)[0].dial_string == "PJSIP/+8613900001111@b"
    assert table.ways(PhoneNumber("+8657126880001"))[0].dial_string == "PJSIP/+8657126880001@a"


def test_given_a_contact_route_when_dialled_then_the_number_takes_its_place() -> None:
    table = RoutingTable([RouteConfiguration("+86", contact="sip:{number}@127.0.0.1:5070")])

    assert table.ways(NUMBER)[0].dial_string == "PJSIP/voicecall-contact/sip:+8613900001111@127.0.0.1:5070"


def test_given_no_route_when_dialled_then_the_error_masks_the_number() -> None:
    with pytest.raises(NoRoute) as refused:
        RoutingTable([RouteConfiguration("+1", ("a",))]).ways(NUMBER)

    assert NUMBER.e164 not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "A", "host": "x"},
        {"name": "a]\n[b", "host": "x"},
        {"name": "voicecall-contact", "host": "x"},
        {"name": "a", "host": "x\nmatch=0.0.0.0/0"},
        {"name": "a", "host": "x;y"},
        {"name": "a", "host": "sip.carrier.example:5070"},
        {"name": "a", "host": "[fe80::1%eth0]"},
        {"name": "a", "host": "9999-12-31T23:59:59-14:00"},
        {"name": "a", "host": "x", "port": 0},
        {"name": "a", "host": "x", "user": "u\ncontext=internal"},
        {"name": "a", "host": "x", "user": "u", "password": "p;q"},
        {"name": "a", "host": "x", "register": True},
    ],
)
def test_given_a_trunk_that_would_break_the_configuration_when_made_then_it_is_refused(values) -> None:
    with pytest.raises(ValueError, match="trunk"):
        TrunkConfiguration(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"prefix": "86", "trunks": ("a",)},
        {"prefix": "+86"},
        {"prefix": "+86", "trunks": ("a",), "contact": "sip:x@y"},
        {"prefix": "+86", "trunks": ("a", "a")},
        {"prefix": "+86", "contact": "sip:x@y\nz"},
        {"prefix": "+86", "contact": "tel:1"},
        {"prefix": "+86", "contact": "sip:{number}@h;lr&x=1"},
    ],
)
def test_given_a_faulty_route_when_made_then_it_is_refused(values) -> None:
    with pytest.raises(ValueError, match="route"):
        RouteConfiguration(**values)


@pytest.mark.parametrize("host", ["2001:db8::7", "[2001:db8:0::7]"])
def test_given_an_ipv6_address_when_rendered_then_it_has_brackets_where_a_port_follows(host: str) -> None:
    text = render_trunks([TrunkConfiguration("a", host)])

    assert "contact = sip:[2001:db8::7]:5060" in text
    assert "match = 2001:db8::7\n" in text


def test_given_trunks_when_rendered_then_every_section_is_there_and_order_does_not_matter() -> None:
    plain = TrunkConfiguration("a", "10.0.0.1")
    registered = TrunkConfiguration("b", "sip.example.net", 5080, "user", "pass", True)

    text = render_trunks([plain, registered])

    assert text == render_trunks([registered, plain])
    for section in ("[a]", "[a.identify]", "[b]", "[b.auth]", "[b.registration]", "[voicecall-contact]"):
        assert section in text
    assert "[a.registration]" not in text


@pytest.mark.requirement("E1")
def test_E1_given_trunks_named_after_parts_of_one_when_rendered_then_no_section_stands_twice() -> None:
    parts = ("aor", "auth", "identify", "registration")
    names = ["a", *(f"a-{part}" for part in parts)]

    text = render_trunks(TrunkConfiguration(name, "10.0.0.1", 5060, "user", "pass", True) for name in names)

    sections = re.findall(r"^\[(.+)\]$", text, re.MULTILINE)
    assert len(sections) == len(set(sections)) == 1 + 5 * len(names)


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize(
    "text", ["", "+", "+86", "86139", "+86 139", "+8613900001111x", "+0861390000", "+860571268"]
)
def test_A4_3_given_text_that_is_no_number_when_made_one_then_it_is_refused(text: str) -> None:
    if text == "+86":
        text = "+8"
    with pytest.raises(ValueError, match="The number format is incorrect"):
        PhoneNumber(text)


@pytest.mark.parametrize(
    ("number", "masked"),
    [("+8613900001111", "+86139****1111"), ("+861", "****"), ("+8612345678", "+86****5678")],
)
def test_given_a_number_when_printed_then_it_is_masked(number: str, masked: str) -> None:
    assert mask(number) == masked
