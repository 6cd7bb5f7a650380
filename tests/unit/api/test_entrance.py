"""Requests at a real listener, in front of a handler that refuses or does what they ask for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from controller.api import entrance, pacing
from controller.api.crowd import Crowd
from controller.api.entrance import OPEN, PROVEN, Gate
from controller.api.listener import listening
from controller.api.pacing import Pacer
from controller.api.remote import Remote
from controller.api.server import Readiness, make_app
from controller.api.wire.authentication import Lockout
from controller.api.wire.results import WireError
from controller.clock import SystemClock
from controller.settings import HttpSettings

ROOM = 1200
CALL = "POST /call"
PROMPT = f"GET /prompts/{'ab' * 32}.alaw"
TRUSTED = HttpSettings(port=0, read_timeout=5, trusted_proxies=[ip_network("127.0.0.1/32")])


class House:
    """A listener, and what it needs."""

    def __init__(self, settings: HttpSettings) -> None:
        self.clock = SystemClock()
        self.lockout = Lockout(1, timedelta(minutes=10), timedelta(minutes=30))
        # Nothing is forgiven with time: how long a flood takes depends on the machine.
        self.pacer = Pacer(lambda: 0.0)
        remote = Remote(settings.trusted_proxies)
        self.gate = Gate(
            self.lockout,
            self.pacer,
            remote,
            self.clock,
            settings.read_timeout,
            crowd=Crowd(ROOM, remote.is_trusted),
            fetchers=lambda: self.fetchers,
        )
        self.fetchers: set[str] = set()
        self.url = ""
        self.works = True
        self.shown = self.looked = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Apps are who they say they are; "bad" in the body is refused."""
        app = request.headers.get("X-AKSK", "")
        if app:
            request[PROVEN] = app.split('"')[1]
        if b"bad" in await request.read():
            raise WireError("1010002", "bad")
        return web.json_response({"resultcode": "0"})

    async def show(self, request: web.Request) -> web.Response:
        """A page for anybody."""
        request[OPEN] = True
        self.shown += 1
        return web.Response(text="page")

    async def how_it_is(self) -> Readiness:
        self.looked += 1
        return Readiness({"database": self.works})

    async def ask(
        self,
        body: str = "good",
        *,
        app: str = "",
        forwarded: str = "",
        first: str = CALL,
        pause: float = 0,
    ) -> bytes:
        """The answer to a request."""
        named = f'X-AKSK: UsernameToken Username="{app}"\r\n' if app else ""
        through = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
        head = f"{first} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{named}{through}"
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(head.encode())
            await asyncio.sleep(pause)
            writer.write(f"\r\n{body}".encode())
            async with asyncio.timeout(8):
                return await reader.read()
        finally:
            writer.close()

    async def flood(self, body: str, *, app: str = "", forwarded: str = "", first: str = CALL) -> list[bytes]:
        """The answers to hundreds of requests: some at once, and then many at once."""
        answers: list[bytes] = []
        for many in (50, 200):
            asked = (self.ask(body, app=app, forwarded=forwarded, first=first) for _ in range(many))
            answers += await asyncio.gather(*asked)
        return answers


@asynccontextmanager
async def house(settings: HttpSettings | None = None) -> AsyncIterator[House]:
    settings = settings or HttpSettings(port=0, read_timeout=5)
    made = House(settings)
    routes = [
        web.post("/call", made.handle),
        web.get("/page", made.show),
        web.get("/prompts/{name}", made.show),
    ]
    app = make_app(routes, made.how_it_is, settings, made.gate)
    async with listening(app, settings, made.gate) as listener:
        made.url = listener.url
        yield made


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some twenty refusals fill a bucket, so that tests are quick."""
    monkeypatch.setattr(pacing, "BURST", 0.01)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_an_app_that_floods_when_another_has_its_address_then_only_it_is_held_up() -> None:
    async with house() as it:
        await it.ask(app="good")

        flood = asyncio.create_task(it.flood("bad", app="flooder"))
        answers = [await it.ask(app="good") for _ in range(20)]
        refusals = await flood
        last = await it.ask("good", app="flooder")

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    turned_away = [answer for answer in refusals if answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")]
    assert 0 < len(turned_away) < len(refusals)
    assert all(b"\r\nRetry-After: 1\r\n" in answer and b'"1010010"' in answer for answer in turned_away)
    assert sum(b'"1010002"' in answer for answer in refusals) == len(refusals) - len(turned_away)
    assert last.startswith((b"HTTP/1.1 200", b"HTTP/1.1 429"))


async def test_given_a_source_above_its_share_when_it_asks_then_it_waits_and_gets_its_own_answer() -> None:
    async with house() as it:
        it.pacer.refused("127.0.0.1", "flooder", pacing.BURST + pacing.SOURCE_SHARE / 2, None)

        began = time.monotonic()
        answer = await it.ask("bad", app="flooder")
        took = time.monotonic() - began

    assert b'"1010002"' in answer
    assert it.pacer.turned_away == 0
    assert took > 0.3


async def test_given_a_trusted_proxy_when_one_behind_it_floods_then_others_behind_it_are_not_held_up() -> (
    None
):
    async with house(TRUSTED) as it:
        refusals = await it.flood("bad", forwarded="192.0.2.1")
        turned_away = it.pacer.turned_away
        other = await it.ask(forwarded="192.0.2.2")
        forged = await it.ask("bad", forwarded="192.0.2.2, 192.0.2.1")

    assert 0 < turned_away == sum(b'"1010010"' in answer for answer in refusals)
    assert other.startswith(b"HTTP/1.1 200")
    assert not forged.startswith(b"HTTP/1.1 200")


async def test_given_a_locked_address_behind_a_trusted_proxy_when_it_posts_then_it_is_refused_unread() -> (
    None
):
    async with house(TRUSTED) as it:
        it.lockout.failed("192.0.2.1", it.clock.now())

        locked = await it.ask(forwarded="192.0.2.1")
        other = await it.ask(forwarded="192.0.2.2")

    assert b'"1020176"' in locked
    assert other.startswith(b"HTTP/1.1 200")


async def test_given_a_source_that_is_turned_away_when_health_is_asked_for_then_it_is_told() -> None:
    async with house() as it:
        it.pacer.refused("127.0.0.1", None, 1.0, None)

        call = await it.ask()
        health = await it.ask("", first="GET /healthz")

    assert call.startswith(b"HTTP/1.1 429")
    assert health.startswith(b"HTTP/1.1 200")


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_page_for_anybody_when_it_is_flooded_then_only_who_floods_is_turned_away() -> None:
    async with house(TRUSTED) as it:
        answers = await it.flood("", forwarded="192.0.2.1", first="GET /page")
        other = await it.ask(forwarded="192.0.2.2", app="good")

    turned_away = [answer for answer in answers if answer.startswith(b"HTTP/1.1 429")]
    assert it.shown == len(answers) - len(turned_away)
    assert turned_away
    assert other.startswith(b"HTTP/1.1 200")


@pytest.mark.requirement("E2")
async def test_E2_given_strangers_that_flood_when_a_node_fetches_prompts_then_it_alone_never_waits() -> None:
    async with house(TRUSTED) as it:
        it.fetchers.add("127.0.0.1")
        # What strangers ask for comes through a proxy on the node's machine.
        it.pacer.refused("192.0.2.1", None, 1.0, None)
        it.pacer.refused("127.0.0.1", None, 1.0, None)

        fetched = [await it.ask("", first=PROMPT) for _ in range(60)]
        others = [
            await it.ask("", first=PROMPT, forwarded="192.0.2.1"),
            await it.ask("", first=PROMPT, forwarded="127.0.0.1, 192.0.2.1"),
            await it.ask("", first="GET /prompts/guess.alaw"),
            await it.ask("", first=PROMPT.replace("/prompts/", "/page?/prompts/")),
            await it.ask(),
        ]

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in fetched)
    assert all(answer.startswith(b"HTTP/1.1 429") for answer in others)


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_an_app_whose_requests_are_done_when_it_asks_all_the_time_then_it_never_waits() -> (
    None
):
    async with house() as it:
        answers = await it.flood("good", app="good")

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_given_somebody_who_floods_health_when_asked_for_then_each_is_told_and_few_looks_are_taken(
    path: str,
) -> None:
    async with house() as it:
        it.works = False
        wanted = b"HTTP/1.1 200" if path == "/healthz" else b"HTTP/1.1 503"
        for _ in range(60):
            first = await it.ask("", first=f"GET {path}")
        looked = it.looked
        answers = await it.flood("", first=f"GET {path}")

    assert all(answer.startswith(wanted) for answer in answers)
    assert {answer.partition(b"\r\n\r\n")[2] for answer in answers} == {first.partition(b"\r\n\r\n")[2]}
    assert it.looked - looked < len(answers) / 5


async def test_given_somebody_who_floods_readiness_when_it_changes_then_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(entrance, "HEALTH_LASTS", 0.05)
    async with house() as it:
        await it.ask("", first="GET /readyz")
        it.pacer.refused("127.0.0.1", None, 1.0, None)
        before = await it.ask("", first="GET /readyz")
        it.works = False
        async with asyncio.timeout(8):
            while b"true" in await it.ask("", first="GET /readyz"):
                pass

    assert b"true" in before


async def test_given_a_source_with_refusals_when_its_request_comes_in_pieces_then_it_is_read_whole() -> None:
    async with house() as it:
        it.pacer.refused("127.0.0.1", "app", 0.005, None)

        answer = await it.ask(app="app", pause=0.05)

    assert answer.startswith(b"HTTP/1.1 200")


async def test_given_requests_that_are_no_http_when_they_flood_then_they_are_turned_away_too() -> None:
    async with house() as it:
        answers = await it.flood("", first="NO\x00SENSE")

    assert answers[0].startswith(b"HTTP/1.0 400")
    # Whose turn comes last, the event loop decides.
    assert any(answer.startswith(b"HTTP/1.1 429") for answer in answers)


async def test_given_waiting_requests_when_their_senders_leave_then_the_next_is_served() -> None:
    async with house() as it:
        for _ in range(50):
            it.pacer.refused("127.0.0.1", None, 0.0005, None)
        address = urlsplit(it.url)
        for _ in range(5):
            _reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(b"POST /call HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            await writer.drain()
            writer.transport.abort()

        answer = await it.ask()

        assert answer.startswith(b"HTTP/1.1 200")
        assert not it.gate.held


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize("settings", [None, TRUSTED])
async def test_A4_5_given_a_header_line_without_a_colon_when_asked_then_it_is_passed_over_and_the_body_is_not(
    settings: HttpSettings | None,
) -> None:
    body = b"good\r\nand bad\r\n\r\n"
    async with house(settings) as it:
        address = urlsplit(it.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(
            b"POST /call HTTP/1.1\r\nHost: x\r\napplication/json; charset=UTF-8\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        async with asyncio.timeout(8):
            answer = await reader.read()
        writer.close()

    # The handler has seen the last line of the body.
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.endswith(b'{"resultcode":"1010002","resultdesc":"Invalid request.bad"}')


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_source_with_idle_connections_when_it_has_its_part_then_it_gets_no_more() -> None:
    patient = HttpSettings(port=0, read_timeout=60)
    async with house(patient) as it, AsyncExitStack() as stack:
        address = urlsplit(it.url)

        async def open_one() -> asyncio.StreamReader:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            stack.callback(writer.transport.abort)
            return reader

        idle = [await open_one() for _ in range(ROOM // 4)]
        refused = not await answered(it)
        still_there = not any(reader.at_eof() for reader in idle)
        await stack.aclose()
        async with asyncio.timeout(5):
            while not await answered(it):
                pass

    assert (refused, still_there) == (True, True)


async def answered(it: House) -> bool:
    try:
        return (await it.ask(app="good")).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def test_given_connections_when_there_is_no_room_then_none_enters_until_one_leaves() -> None:
    crowd = Crowd(8, lambda peer: peer == "192.0.2.9")

    assert [crowd.enters("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [crowd.enters("2001:db8::1"), crowd.enters("2001:db8::2"), crowd.enters("2001:db8::3")] == [
        True,
        True,
        False,
    ]
    assert [crowd.enters("192.0.2.9") for _ in range(5)] == [True, True, True, True, False]
    assert not crowd.enters("192.0.2.2")
    crowd.leaves("192.0.2.9")
    assert crowd.enters("192.0.2.2")
