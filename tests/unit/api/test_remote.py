"""Who a request is from: forwarded addresses count only when a trusted proxy says them."""

from ipaddress import ip_network
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from controller.api.remote import Remote

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def request(peer: str, *headers: tuple[str, str]) -> web.Request:
    transport = Mock()
    transport.get_extra_info = {"peername": (peer, 4711)}.get
    return make_mocked_request(
        "GET", "/", CIMultiDict([("Host", "api.example"), *headers]), transport=transport
    )


def forwarded(*values: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", value) for value in values]


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("2001:db8::1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["nonsense"], "nonsense"),
        ("10.0.0.1", [" , "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:50123"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2:443"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:470::1]:50123"], "2001:470::1"),
        ("10.0.0.1", ["[2001:470::1]"], "2001:470::1"),
        ("10.0.0.1", ["2001:470::1"], "2001:470::1"),
    ],
)
def test_given_a_chain_of_proxies_when_asked_who_it_is_then_the_last_that_is_not_trusted(
    peer: str, said: list[str], address: str
) -> None:
    assert Remote(PROXIES).address(request(peer, *forwarded(*said))) == address


@pytest.mark.parametrize(
    ("peer", "said", "url"),
    [
        ("192.0.2.1", "https", "http://api.example"),
        ("10.0.0.1", "https", "https://api.example"),
        ("10.0.0.1", "gopher", "http://api.example"),
    ],
)
def test_given_a_forwarded_scheme_when_links_are_made_then_it_counts_from_a_trusted_proxy(
    peer: str, said: str, url: str
) -> None:
    assert Remote(PROXIES).base_url(request(peer, ("X-Forwarded-Proto", said))) == url
