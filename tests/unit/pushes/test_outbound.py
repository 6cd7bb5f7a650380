"""Real connections: which address is connected to, and whose certificate is believed."""

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohappyeyeballs import AddrInfoType
from unit.pushes.support import OK, http_sender, keep_saying_ok, raw_server, read_request

from controller.pushes.exchange import Answer, Exchange
from controller.pushes.outbound import TLS_1_2_SUITES, Outbound, Place, tls_context
from controller.pushes.receiver import Delivery, Failure

pytestmark = pytest.mark.both_loops


class Names:
    """A name server that says something else each time; the last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, port: int) -> list[AddrInfoType]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                0,
                "",
                (address, port),
            )
            for address in answer
        ]


async def pushed(url: str, look_up: Any = None, **settings: Any) -> Delivery:
    async with http_sender(look_up, **settings) as sender:
        return await sender.send(url, b"{}", {})


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"]
)
async def test_given_no_allowed_network_when_pushed_to_this_machine_by_any_name_then_refused(
    host: str,
) -> None:
    async with raw_server(keep_saying_ok) as port:
        delivery = await pushed(f"http://{host}:{port}/", allowed_networks=[])

    assert delivery.failure is Failure.ADDRESS
    assert delivery.error in (
        "not an address of HTTP",
        *(f"{address} port {port} is refused: {reason}" for address, reason in _THIS_MACHINE.items()),
    )


_THIS_MACHINE = {"127.0.0.1": "loopback", "::1": "loopback", "::ffff:7f00:1": "IPv4-mapped"}


async def test_given_loopback_is_allowed_when_pushed_by_name_then_delivered() -> None:
    async with raw_server(keep_saying_ok) as port:
        delivery = await pushed(f"http://localhost:{port}/")

    assert (delivery.status, delivery.failure, delivery.answer) == (200, None, b"ok")


async def test_given_a_name_of_several_addresses_when_pushed_then_only_an_allowed_one_is_tried() -> None:
    async with raw_server(keep_saying_ok) as port:
        mixed = Names(["10.0.0.1", "169.254.169.254", "fd00::1", "127.0.0.1"])
        delivered = await pushed(f"http://receiver.test:{port}/", mixed)
        refused = await pushed(f"http://receiver.test:{port}/", Names(["10.0.0.1", "fd00::1"]))

    assert delivered.accepted
    assert refused.failure is Failure.ADDRESS


async def test_given_a_name_that_flips_inside_when_pushed_again_then_the_new_address_is_refused() -> None:
    async def say_ok_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (OK, OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
            await read_request(reader)
            writer.write(answer)
        await reader.read()

    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with raw_server(say_ok_twice) as port, http_sender(names) as sender:
        url = f"http://receiver.test:{port}/"
        first = await sender.send(url, b"{}", {})
        kept_alive = await sender.send(url, b"{}", {})
        asked_while_alive = names.asked
        sender._outbound._names.clear()
        flipped = await sender.send(url, b"{}", {})

    assert first.accepted
    assert kept_alive.accepted
    assert asked_while_alive == 1
    assert names.asked == 2
    assert flipped.failure is Failure.ADDRESS


@pytest.mark.requirement("B1")
async def test_B1_given_pushes_of_one_moment_when_one_needs_a_connection_then_the_others_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A receiver that hangs needs one for each push; nobody else's waits until it is made."""
    done: list[str] = []
    connect, ask = Outbound.connect, Exchange.ask

    async def connecting(self: Outbound, place: Place) -> Exchange:
        done.append(f"connects to {place.host}")
        return await connect(self, place)

    async def asking(self: Exchange, request: bytes, until: float) -> Answer:
        done.append(f"asks {request.split(b' ')[1].decode()}")
        return await ask(self, request, until)

    monkeypatch.setattr(Outbound, "connect", connecting)
    monkeypatch.setattr(Exchange, "ask", asking)
    async with raw_server(keep_saying_ok) as port, http_sender() as sender:
        await sender.send(f"http://localhost:{port}/kept", b"{}", {})
        done.clear()
        await asyncio.gather(
            sender.send(f"http://127.0.0.1:{port}/new", b"{}", {}),
            sender.send(f"http://localhost:{port}/kept", b"{}", {}),
        )

    assert done == ["asks /kept", "connects to 127.0.0.1", "asks /new"]


async def test_given_a_name_nobody_has_when_pushed_then_dns() -> None:
    assert (await pushed("http://nobody.invalid/")).failure is Failure.DNS


async def test_given_nobody_listens_when_pushed_then_connect() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        delivery = await pushed(f"http://127.0.0.1:{held.getsockname()[1]}/")

    assert delivery.failure is Failure.CONNECT


async def test_given_an_address_that_takes_no_connection_when_pushed_then_timeout_and_no_socket_is_left() -> (
    None
):
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(full.getsockname())
        async with http_sender(timeout=0.1) as sender:
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            deliveries = await asyncio.gather(*(sender.send(url, b"{}", {}) for _ in range(5)))
            await until_sockets_to(full.getsockname()[1], 2)

    assert {delivery.failure for delivery in deliveries} == {Failure.TIMEOUT}


async def test_given_pushes_whose_connections_end_when_over_then_they_leave_no_garbage_to_search_for() -> (
    None
):
    """What holds each other stays until everything is searched, which stops the loop for milliseconds."""

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await read_request(reader)

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        async with raw_server(hang) as hangs, raw_server(hang_up) as ends, http_sender(timeout=0.5) as sender:
            urls = [f"http://127.0.0.1:{port}/" for port in (hangs, ends, held.getsockname()[1])]
            gc.collect()
            gc.disable()
            try:
                deliveries = [await sender.send(url, b"{}", {}) for url in urls]
                await asyncio.sleep(0)
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                left = [each for each in gc.garbage if isinstance(each, Exchange | OSError)]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()

    assert [it.failure for it in deliveries] == [Failure.TIMEOUT, Failure.CLOSED, Failure.CONNECT]
    assert left == []


async def until_sockets_to(port: int, wanted: int) -> None:
    """Wait until so many sockets of this machine are connecting there, or are connected.

    What waits for its time after its end counts nothing: it may name a client that had the port before.
    """
    async with asyncio.timeout(5):
        while True:
            lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
            ends = [(there, state) for _, _, there, state, *_ in map(str.split, lines)]
            if sum(there.endswith(f":{port:04X}") and state in _LIVE for there, state in ends) == wanted:
                return
            await asyncio.sleep(0)


_LIVE = ("01", "02")
"""Of a socket, as proc(5) has it: connected, connecting."""


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/", "http://", "http://[::1/"])
async def test_given_something_that_is_no_address_when_pushed_then_address(url: str) -> None:
    assert (await pushed(url)).failure is Failure.ADDRESS


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority: trustme.CA) -> dict[trustme.KeyType, trustme.LeafCert]:
    """One of each kind: a key of RSA takes a fifth of a second."""
    return {kind: authority.issue_cert("localhost", key_type=kind) for kind in trustme.KeyType}


@asynccontextmanager
async def tls_server(certificate: trustme.LeafCert, suites: str = "") -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if suites:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suites)
    async with raw_server(keep_saying_ok, context) as port:
        yield port


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


async def test_given_a_certificate_of_an_authority_of_ours_when_pushed_then_delivered(
    authority: trustme.CA, ca_file: str
) -> None:
    async with tls_server(authority.issue_cert("localhost")) as port:
        delivery = await pushed(f"https://localhost:{port}/", ca_file=ca_file)
        stranger = await pushed(f"https://localhost:{port}/")

    assert delivery.status == 200
    assert stranger.failure is Failure.TLS


async def test_given_a_name_with_a_dot_at_its_end_when_pushed_by_tls_then_it_is_the_certificates(
    authority: trustme.CA, ca_file: str
) -> None:
    async with tls_server(authority.issue_cert("receiver.test")) as port:
        url = f"https://receiver.test.:{port}/"
        delivery = await pushed(url, Names(["127.0.0.1"]), ca_file=ca_file)

    assert delivery.status == 200


async def test_given_a_receiver_that_pours_unasked_over_tls_when_heard_then_its_connection_ends_at_once(
    authority: trustme.CA, ca_file: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    poured, ended = 0, asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal poured
        await read_request(reader)
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
                poured += 65536
        finally:
            ended.set()

    async with raw_server(pour, context) as port, http_sender(ca_file=ca_file) as sender:
        delivery = await sender.send(f"https://localhost:{port}/", b"{}", {})
        async with asyncio.timeout(5):
            await ended.wait()

    assert delivery.status == 200
    assert poured < 20_000_000


async def test_given_a_certificate_for_another_name_when_pushed_then_tls(
    authority: trustme.CA, ca_file: str
) -> None:
    async with tls_server(authority.issue_cert("other.test")) as port:
        delivery = await pushed(f"https://localhost:{port}/", ca_file=ca_file)

    assert delivery.failure is Failure.TLS


async def test_given_an_expired_certificate_when_pushed_then_tls(authority: trustme.CA, ca_file: str) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    async with tls_server(authority.issue_cert("localhost", not_after=past)) as port:
        delivery = await pushed(f"https://localhost:{port}/", ca_file=ca_file)

    assert delivery.failure is Failure.TLS
    assert "expired" in str(delivery.error)


async def test_given_a_certificate_of_its_own_making_when_pushed_then_tls_unless_verification_is_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with tls_server(trustme.CA().issue_cert("localhost")) as port:
        delivery = await pushed(f"https://localhost:{port}/")
        trusting = await pushed(f"https://localhost:{port}/", verify_tls=False)

    assert delivery.failure is Failure.TLS
    assert trusting.status == 200
    assert "not verified" in caplog.text


@pytest.mark.parametrize("suite", TLS_1_2_SUITES.split(":"))
async def test_given_a_server_of_one_documented_suite_when_pushed_then_delivered(
    certificates: dict[trustme.KeyType, trustme.LeafCert], ca_file: str, suite: str
) -> None:
    kind = trustme.KeyType.ECDSA if "ECDSA" in suite else trustme.KeyType.RSA
    async with tls_server(certificates[kind], suite) as port:
        delivery = await pushed(f"https://localhost:{port}/", ca_file=ca_file)

    assert delivery.status == 200


@pytest.mark.parametrize("suite", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA"])
async def test_given_a_server_of_an_old_suite_when_pushed_then_tls(
    certificates: dict[trustme.KeyType, trustme.LeafCert], ca_file: str, suite: str
) -> None:
    async with tls_server(certificates[trustme.KeyType.RSA], suite) as port:
        delivery = await pushed(f"https://localhost:{port}/", ca_file=ca_file)

    assert delivery.failure is Failure.TLS


async def test_given_a_server_of_plain_http_when_pushed_to_by_tls_then_tls() -> None:
    async def object_to_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with raw_server(object_to_anything) as port:
        delivery = await pushed(f"https://localhost:{port}/")

    assert delivery.failure is Failure.TLS


def test_given_the_context_when_made_then_tls_1_2_is_the_least_and_1_3_comes_with_it() -> None:
    context = tls_context()

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert {cipher["protocol"] for cipher in context.get_ciphers()} == {"TLSv1.2", "TLSv1.3"}
