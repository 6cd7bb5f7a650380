"""The dialplan's door over TCP, with well-behaved clients and with others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from controller.agi import Abilities, AgiError, Announcement, Limits, agi_server, answers
from controller.agi.protocol import AgiRequest
from controller.phone_number import PhoneNumber

NUMBER = "+8613900001111"
QUICK = Limits(request_size=2048, request_time=0.3, script_time=0.3, command_time=0.3, connections=5)

OPENING = f"""agi_network: yes
agi_network_script: route
agi_request: agi://127.0.0.1:4573/route
agi_uniqueid: 1.1
agi_callerid: {NUMBER}
agi_callingpres: 0
agi_dnid: unknown
agi_extension: 100
agi_arg_1: {NUMBER}

"""


async def inbound(called: str, caller: str) -> Announcement:
    return Announcement("/sounds/x")


async def route(number: PhoneNumber, node: str) -> str:
    if number.e164.endswith("0000"):
        await asyncio.Event().wait()
    return f'PJSIP/{number.e164}@"a\\b"\nc'


async def notify(number: PhoneNumber, app_key: str, sound: str) -> str:
    return "session-1"


class Client:
    """Asterisk's side of a connection, as far as a test wants it to behave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else text.encode())

    async def command(self) -> str:
        async with asyncio.timeout(5):
            return (await self.reader.readline()).decode()

    async def commands(self) -> list[str]:
        """Answer all commands as Asterisk does; those other than the first, which is a check."""
        found = []
        while command := await self.command():
            found.append(command.strip())
            nonce = command.split()[-1]
            self.send(f"200 result=1 ({nonce})\n" if "GET FULL" in command else "200 result=1\n")
        return found[1:]

    async def refused(self) -> bool:
        """The server has closed the connection and set nothing, though its commands were answered."""
        try:
            return await self.commands() == []
        except ConnectionError:
            return True

    async def closed(self) -> bool:
        """The server has closed the connection, after at most one command."""
        async with asyncio.timeout(5):
            try:
                rest = await self.reader.read()
            except ConnectionError:
                return True
        return rest.count(b"\n") <= 1


@asynccontextmanager
async def visit(url: str) -> AsyncIterator[Client]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@pytest.fixture
async def door() -> AsyncIterator[str]:
    async with agi_server(Abilities(inbound, route, notify), limits=QUICK) as url:
        yield url


async def ask(url: str, opening: str = OPENING) -> list[str]:
    async with visit(url) as client:
        client.send(opening)
        return await client.commands()


async def test_given_a_question_when_asked_then_the_answer_is_set_as_quoted_variables(door: str) -> None:
    assert await ask(door) == [
        f'SET VARIABLE VOICECALL_DIAL "PJSIP/{NUMBER}@\\"a\\\\b\\" c"',
        'SET VARIABLE VOICECALL_ERROR ""',
    ]


async def test_given_an_unknown_script_when_asked_then_the_error_is_set(door: str) -> None:
    assert await ask(door, OPENING.replace("script: route", "script: reboot")) == [
        'SET VARIABLE VOICECALL_ERROR "there is no such script"'
    ]


async def test_given_an_ability_that_takes_too_long_when_asked_then_the_error_is_set(door: str) -> None:
    assert await ask(door, OPENING.replace(f"arg_1: {NUMBER}", "arg_1: +8613900000000")) == [
        'SET VARIABLE VOICECALL_DIAL ""',
        'SET VARIABLE VOICECALL_ERROR "it took too long"',
    ]


GARBAGE: dict[str, bytes] = {
    "nothing_at_all": b"\n\n",
    "http": b"GET / HTTP/1.1\nHost: x\n\n",
    "not_utf_8": b"agi_network_script: \xff\xfe\n\n",
    "binary": bytes(range(256)) * 4 + b"\n\n",
    "no_script": b"agi_network: yes\nagi_extension: 1\n\n",
    "oversized": b"agi_network_script: route\nagi_arg_1: " + b"1" * 10_000,
    "a_script_named_twice": OPENING.replace(
        "extension: 100", "extension: 1\nagi_network_script: notify"
    ).encode(),
    "an_argument_given_twice": OPENING.replace("callerid:", "callerid: x\nagi_arg_1: +1234\nagi_y:").encode(),
    "an_argument_among_the_headers": OPENING.replace(
        "callerid: ", f"callerid: x\nagi_arg_2: {NUMBER}\nagi_calleridname: "
    ).encode(),
    "too_many_arguments": OPENING.replace(
        "\n\n", "".join(f"\nagi_arg_{n}: x" for n in range(2, 12)) + "\n\n"
    ).encode(),
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_given_garbage_when_it_arrives_then_it_is_cut_off_and_others_are_served(
    door: str, what: str
) -> None:
    async with visit(door) as client:
        client.send(GARBAGE[what])
        assert await client.refused()

    assert len(await ask(door)) == 2


@pytest.mark.parametrize("sent", ["", "agi_network: yes\n", OPENING[:-1]])
async def test_given_a_truncated_request_when_it_ends_then_the_connection_does_and_others_are_served(
    door: str, sent: str
) -> None:
    async with visit(door) as client:
        client.send(sent)
        client.writer.write_eof()
        assert await client.closed()

    assert len(await ask(door)) == 2


async def test_given_a_request_with_a_smuggled_end_when_it_arrives_then_nothing_is_done() -> None:
    asked: list[str] = []

    async def noted(number: PhoneNumber, node: str) -> str:
        asked.append(number.e164)
        return ""

    smuggled = OPENING.replace("agi_dnid: unknown", f"agi_arg_1: {NUMBER}\n\n200 result=1 (x)")
    async with agi_server(Abilities(inbound, noted, notify), limits=QUICK) as url, visit(url) as client:
        client.send(smuggled)
        assert await client.closed()

    assert asked == []


async def test_given_a_caller_who_smuggles_in_the_number_to_call_when_it_arrives_then_nobody_is_called() -> (
    None
):
    called: list[str] = []

    async def noted(number: PhoneNumber, app_key: str, sound: str) -> str:
        called.append(number.e164)
        return "session-1"

    plain = OPENING.replace("script: route", "script: notify").replace(
        f"agi_arg_1: {NUMBER}", "agi_arg_1: app\nagi_arg_2: sound"
    )
    smuggled = plain.replace("agi_callingpres", "agi_arg_3: +8613900002222\nagi_callingpres")
    async with agi_server(Abilities(inbound, route, noted), limits=QUICK) as url:
        async with visit(url) as client:
            client.send(smuggled)
            assert await client.refused()
        assert called == []
        await ask(url, plain)

    assert called == [NUMBER]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "200 result=1\n",
        "200 result=0\n",
        "510 Invalid\n",
        "HANGUP\n",
        "nonsense\n",
        "2" * 5000,
        b"\xff\n",
        "100 Trying\n" * 200,
    ],
)
async def test_given_a_wrong_answer_to_a_command_when_it_comes_then_the_connection_ends(
    door: str, answer: str | bytes
) -> None:
    async with visit(door) as client:
        client.send(OPENING)
        await client.command()
        client.send(answer)
        assert await client.closed()

    assert len(await ask(door)) == 2


async def test_given_a_client_that_says_nothing_when_time_is_up_then_it_is_closed(door: str) -> None:
    async with visit(door) as client:
        assert await client.closed()


async def test_given_a_client_that_drips_when_time_is_up_then_it_is_closed(door: str) -> None:
    async with visit(door) as client:
        closing = asyncio.create_task(client.closed())
        for byte in OPENING:
            if closing.done():
                break
            client.send(byte)
            await asyncio.wait({closing}, timeout=0.02)
        assert await closing


async def test_given_too_many_clients_when_one_more_comes_then_it_is_closed_and_room_is_made(
    door: str,
) -> None:
    async with visit(door) as one, visit(door) as two, visit(door) as three, visit(door) as four:
        async with visit(door) as five, visit(door) as six:
            assert await six.closed()
            assert await five.closed()
        for client in (one, two, three, four):
            assert await client.closed()

    assert len(await ask(door)) == 2


async def test_given_open_connections_when_the_server_ends_then_it_waits_for_none() -> None:
    async with asyncio.timeout(2):
        async with agi_server(Abilities(inbound, route, notify)) as url:
            visitor = visit(url)
            client = await visitor.__aenter__()
        assert await client.closed()
        await visitor.__aexit__(None, None, None)


def test_given_a_request_when_read_then_script_arguments_and_call_are_in_it() -> None:
    opening = OPENING.replace("script: route", "script: route/").encode()

    assert AgiRequest.parse(opening) == AgiRequest("route", (NUMBER,), NUMBER, "100", "1.1")


@pytest.mark.parametrize(
    ("path", "script", "node"),
    [
        ("node-2.a_b/route", "route", "node-2.a_b"),
        ("route", "route", ""),
        ("node2/", "node2", ""),
        ("", "", ""),
    ],
)
def test_given_an_address_of_the_door_when_read_then_the_script_is_at_its_end_and_the_node_before_it(
    path: str, script: str, node: str
) -> None:
    request = AgiRequest.parse(OPENING.replace("script: route", f"script: {path}").encode())

    assert (request.script, request.node) == (script, node)


def test_given_an_anonymous_caller_when_read_then_there_is_no_caller() -> None:
    opening = OPENING.replace(f"callerid: {NUMBER}", "callerid: unknown").encode()

    assert AgiRequest.parse(opening).caller == ""


def test_given_no_agi_when_read_then_it_is_refused() -> None:
    with pytest.raises(AgiError, match="not AGI"):
        AgiRequest.parse(b"hello\n\n")


async def test_given_a_door_when_probed_then_it_answers(door: str, caplog: pytest.LogCaptureFixture) -> None:
    assert await answers(door)
    assert caplog.records == []


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"GET FULL VARIABLE x\n220 hi\n"])
async def test_given_another_program_when_probed_then_it_is_not_taken_for_a_door(greeting: bytes) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        assert not await answers(f"agi://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=1)


@pytest.mark.parametrize("url", ["", "agi://127.0.0.1:1", "agi://127.0.0.1:notaport"])
async def test_given_an_address_where_nobody_is_when_probed_then_there_is_no_answer(url: str) -> None:
    assert not await answers(url, timeout=1)
