"""Which addresses are refused: the merged table, ports, allowed networks, our own listeners."""

from ipaddress import ip_address, ip_network

import pytest

from controller.pushes.guard import AddressGuard, AddressRefused, refusal

REFUSED = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "127.0.0.1": "loopback",
    "127.1.2.3": "loopback",
    "169.254.0.1": "link-local",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "protocol assignments",
    "192.0.0.170": "protocol assignments",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.0.1": "private",
    "192.168.255.255": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.254": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "IPv4-compatible",
    "::8.8.8.8": "IPv4-compatible",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:10.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::ffff:0:169.254.169.254": "IPv4-translated",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::a00:1": "NAT64",
    "100::1": "discard",
    "100:0:0:1::1": "dummy",
    "2001::1": "Teredo",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2001:2::1": "protocol assignments",
    "2001:10::1": "protocol assignments",
    "2001:20::1": "protocol assignments",
    "2001:1ff:ffff::1": "protocol assignments",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2002:808:808::1": "6to4",
    "2001:4860::5efe:7f00:1": "ISATAP",
    "2606:4700::200:5efe:a9fe:a9fe": "ISATAP",
    "3fff::1": "documentation",
    "3fff:fff:ffff::1": "documentation",
    "4000::1": "not allotted",
    "1::1": "not allotted",
    "5f00::1": "segment routing",
    "fc00::1": "unique local",
    "fd12:3456:789a::1": "unique local",
    "fd00:ec2::254": "unique local",
    "fe80::1": "link-local",
    "fe80::1%1": "link-local",
    "febf::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
}

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2400:cb00::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_given_an_address_that_is_not_public_when_judged_then_it_is_refused_for_its_reason(
    text: str, reason: str
) -> None:
    assert refusal(ip_address(text)) == reason


@pytest.mark.parametrize("text", PUBLIC)
def test_given_a_public_address_when_judged_then_it_is_let_through(text: str) -> None:
    AddressGuard().check(ip_address(text), 443)


def test_given_the_table_when_counted_then_it_has_more_than_sixty_addresses() -> None:
    assert len(REFUSED) + len(PUBLIC) > 60


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 65535])
def test_given_a_port_of_the_web_or_a_free_one_when_judged_then_it_is_let_through(port: int) -> None:
    AddressGuard().check(ip_address("8.8.8.8"), port)


@pytest.mark.parametrize("port", [0, 1, 22, 25, 81, 442, 444, 1023])
def test_given_a_port_of_another_service_when_judged_then_it_is_refused(port: int) -> None:
    with pytest.raises(AddressRefused) as refused:
        AddressGuard([ip_network("8.8.8.8")]).check(ip_address("8.8.8.8"), port)

    assert "only ports 80, 443 and from 1024" in refused.value.text


def test_given_an_allowed_network_when_judged_then_just_its_own_addresses_are_let_through() -> None:
    guard = AddressGuard([ip_network("10.1.0.0/16"), ip_network("fd00::/8")])

    guard.check(ip_address("10.1.2.3"), 8080)
    guard.check(ip_address("fd12::1"), 8080)
    for other in ("10.2.0.1", "::ffff:10.1.2.3", "fc00::1"):
        with pytest.raises(AddressRefused):
            guard.check(ip_address(other), 8080)


@pytest.mark.parametrize(
    ("listener", "target", "refused"),
    [
        (("127.0.0.1", 8088), ("127.0.0.1", 8088), True),
        (("127.0.0.1", 8088), ("127.0.0.1", 8089), False),
        (("127.0.0.1", 8088), ("127.0.0.2", 8088), True),
        (("127.0.0.1", 8088), ("::1", 8088), True),
        (("127.0.0.1", 8088), ("::ffff:127.0.0.1", 8088), True),
        (("127.0.0.1", 8088), ("0.0.0.0", 8088), True),
        (("127.0.0.1", 8088), ("10.1.2.3", 8088), False),
        (("10.1.2.3", 8088), ("10.1.2.3", 8088), True),
        (("10.1.2.3", 8088), ("10.1.2.4", 8088), False),
        (("0.0.0.0", 8080), ("127.0.0.1", 8080), True),
        (("0.0.0.0", 8080), ("10.1.2.3", 8080), True),
        (("0.0.0.0", 8080), ("8.8.8.8", 8080), False),
        (("::", 8080), ("10.1.2.3", 8080), True),
        (("asterisk", 8088), ("10.1.2.3", 8088), True),
        (("asterisk", 8088), ("8.8.8.8", 8088), False),
        (("8.8.8.8", 8080), ("8.8.8.8", 8080), True),
    ],
)
def test_given_a_listener_of_ours_when_judged_then_no_allowed_network_opens_it(
    listener: tuple[str, int], target: tuple[str, int], refused: bool
) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    guard = AddressGuard(everything)
    guard.protect(*listener)

    if refused:
        with pytest.raises(AddressRefused, match="refused"):
            guard.check(ip_address(target[0]), target[1])
    else:
        guard.check(ip_address(target[0]), target[1])


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:8088", 8088),
        ("agi://127.0.0.1:4573", 4573),
        ("https://127.0.0.1", 443),
        ("http://127.0.0.1", 80),
    ],
)
def test_given_the_address_of_a_listener_when_protected_then_its_port_is_refused(url: str, port: int) -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    guard.protect_url(url)

    with pytest.raises(AddressRefused):
        guard.check(ip_address("127.0.0.1"), port)
    guard.check(ip_address("127.0.0.1"), 5000)
