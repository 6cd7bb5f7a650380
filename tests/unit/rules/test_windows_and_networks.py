"""Frequency windows as text, and whether an address is in a network."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from controller.rules.networks import is_within
from controller.rules.windows import Window, check_window, window


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3/24h", Window(3, timedelta(hours=24))),
        ("10/30d", Window(10, timedelta(days=30))),
        ("1/1h", Window(1, timedelta(hours=1))),
    ],
)
def test_given_a_window_when_read_then_it_is_what_it_says_and_says_what_it_is(
    text: str, meant: Window
) -> None:
    assert window(text) == meant
    assert str(meant) == text


@pytest.mark.parametrize("text", ["", "3", "0/24h", "3/0h", "3/24", "3 / 24h", "-1/24h", "3/24m", "３/24h"])
def test_given_a_faulty_window_when_checked_then_the_text_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of calls in a time"):
        check_window(text)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.3.7", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("", False),
        ("unknown", False),
    ],
)
def test_given_networks_when_an_address_is_looked_up_then_it_is_in_them_or_not(
    address: str, inside: bool
) -> None:
    assert is_within(address, [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]) == inside
