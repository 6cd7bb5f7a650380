"""Several trunks on one route: the next one carries what a trunk fails at, and only that."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from integration.support import CALLED, SECOND, Bench, StartBench, declaration

from controller.asterisk.trunk_states import TrunkState
from controller.phone_number import PhoneNumber
from controller.store import calls as rows
from testbed.softphone_plan import Answer, Plan, Reject, RingOnly

pytestmark = pytest.mark.requirement("E1")

FIRST, NEXT = "+8613755550001", "+8613755550002"
"""Names of the phones that play carriers; nobody calls these numbers."""


def port_of(b: Bench, phone: str) -> int:
    return int(b.phones[phone].contact.rsplit(":", 1)[1])


async def over(b: Bench, ports: Mapping[str, int], qualify: int = 0) -> None:
    """Declare that all of +86 goes over these trunks, the first one first."""
    trunks = "".join(
        f'[[trunks]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\nqualify_seconds = {qualify}\n'
        for name, port in ports.items()
    )
    route = f'[[routes]]\nprefix = "+86"\ntrunks = {list(ports)!r}\n'
    await b.home.declare(declaration({}, max_calls=10) + trunks + route)
    await b.controller.directory.refresh()


async def carriers(bench: StartBench, first: Plan | list[Plan], more: Plan | None = None) -> Bench:
    """A bench whose calls go over FIRST, and over NEXT if that fails."""
    b = await bench(Answer(), phones={FIRST: first, NEXT: more or Answer()})
    await over(b, {"first": port_of(b, FIRST), "next": port_of(b, NEXT)})
    return b


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody takes everything and says nothing."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


async def trunks_of(b: Bench, session_id: str) -> tuple[str | None, str | None]:
    """Which trunks carried the two legs, as the CDR says."""
    call_id = session_id.partition("@")[0]
    [cdr] = await b.controller.database.read(lambda session: rows.cdrs(session, [call_id]))
    return cdr.record["first_leg"]["trunk"], cdr.record["second_leg"]["trunk"]


def events(statuses: list) -> list[str]:
    return [status.event_type for status in statuses]


async def test_E1_given_two_trunks_when_the_first_works_then_it_carries_the_call(bench: StartBench) -> None:
    b = await carriers(bench, Answer())

    session = await b.notify()
    statuses, cdr = await b.over(session)

    assert events(statuses) == ["callout", "alerting", "answer", "disconnect"]
    assert await trunks_of(b, session) == ("first", None)
    assert cdr["ulFailReason"] == 0


@pytest.mark.parametrize("status", [500, 503])
async def test_E1_given_a_trunk_that_answers_5xx_when_called_then_the_next_carries_the_call(
    bench: StartBench, status: int
) -> None:
    b = await carriers(bench, Reject(status))

    session = await b.notify()
    call = await b.phones[NEXT].next_call()
    statuses, cdr = await b.over(session)

    assert call.called == CALLED
    assert events(statuses) == ["callout", "alerting", "answer", "disconnect"]
    assert await trunks_of(b, session) == ("next", None)
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (0, 0)


async def test_E1_given_a_dead_trunk_when_called_then_the_next_carries_the_call(
    bench: StartBench, silent_port: int
) -> None:
    b = await bench(Answer(), phones={NEXT: Answer()})
    await over(b, {"first": silent_port, "next": port_of(b, NEXT)})

    session = await b.notify()
    statuses, _cdr = await b.over(session)

    assert events(statuses) == ["callout", "alerting", "answer", "disconnect"]
    assert await trunks_of(b, session) == ("next", None)


async def test_E1_given_a_trunk_that_says_100_and_rings_late_when_called_then_it_is_waited_for(
    bench: StartBench,
) -> None:
    b = await carriers(bench, Answer(after=1.2, ring=False))

    session = await b.notify()
    statuses, _cdr = await b.over(session)

    assert await trunks_of(b, session) == ("first", None)
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.parametrize(
    ("plan", "state_code"),
    [
        (Reject(486), 8102),
        (Reject(603), 8105),
        (Reject(480), 8101),
        (Reject(404), 8100),
        (Reject(503, after=0.3, ring=True), 8001),
        (RingOnly(), 8003),
    ],
)
async def test_E1_given_a_person_who_is_not_reached_when_called_then_no_other_trunk_is_tried(
    bench: StartBench, plan: Plan, state_code: int
) -> None:
    b = await carriers(bench, plan)

    session = await b.notify()
    statuses, _cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == state_code
    assert await trunks_of(b, session) == ("first", None)
    assert b.phones[NEXT].calls == []


async def test_E1_given_trunks_that_all_fail_when_called_then_the_call_has_one_end(bench: StartBench) -> None:
    b = await carriers(bench, Reject(503), Reject(500))

    session = await b.notify()
    statuses, cdr = await b.over(session)

    assert events(statuses) == ["callout", "disconnect"]
    assert statuses[-1].info["stateCode"] == 8001
    assert await trunks_of(b, session) == ("next", None)
    assert cdr["sipStatusCode"] == 500


async def test_E1_given_a_callback_when_the_trunk_fails_at_b_then_the_next_carries_b_and_both_talk(
    bench: StartBench,
) -> None:
    b = await carriers(bench, [Answer(hang_up_after=3.0), Reject(503)], Answer(hang_up_after=0.6))

    session = await b.call_back()
    statuses, cdr = await b.over(session)

    assert await trunks_of(b, session) == ("first", "next")
    assert [status.event_type for status in statuses].count("answer") == 2
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["fwdDstNum"] == SECOND


async def test_E1_given_a_call_over_a_trunk_when_trunks_are_changed_then_it_goes_on(
    bench: StartBench,
) -> None:
    b = await carriers(bench, Answer())
    session = await b.notify({"notifyVoice": "long.wav"})
    call = await b.phones[FIRST].next_call()
    await call.answered()

    await over(b, {"other": port_of(b, NEXT)})
    later = await b.notify()
    _statuses, later_cdr = await b.over(later)
    end = await call.ended(timeout=15)
    statuses, _cdr = await b.over(session)

    assert not end.by_phone
    assert statuses[-1].info["stateCode"] == 0
    assert await trunks_of(b, later) == ("other", None)
    assert later_cdr["ulFailReason"] == 0


async def known(b: Bench, is_it: Callable[[TrunkState], bool], name: str = "first") -> TrunkState:
    """Wait until a trunk's state is so."""
    async with asyncio.timeout(20):
        while not is_it(b.controller.node.trunks.state(name)):
            await b.controller.node.trunks.refresh()
    return b.controller.node.trunks.state(name)


async def test_E1_given_a_trunk_known_to_be_unreachable_when_called_then_it_is_not_tried(
    bench: StartBench, silent_port: int
) -> None:
    b = await bench(Answer(), phones={NEXT: Answer()})
    await over(b, {"first": silent_port, "next": port_of(b, NEXT)}, qualify=1)
    await known(b, lambda state: state.reachable is False)
    state = await known(b, lambda state: state.reachable is True, "next")

    session = await b.notify()
    await b.over(session)

    assert state.works
    assert await trunks_of(b, session) == ("next", None)


class Registrar(asyncio.DatagramProtocol):
    """Answers every REGISTER with one status."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        lines = data.decode().split("\r\n")
        if not lines[0].startswith("REGISTER"):
            return
        names = ("via:", "from:", "to:", "call-id:", "cseq:", "contact:")
        kept = [line for line in lines if line.lower().startswith(names)]
        answer = [f"SIP/2.0 {self.status}", *kept, "Expires: 3600", "Content-Length: 0", "", ""]
        self.transport.sendto("\r\n".join(answer).encode(), address)


@pytest.mark.parametrize(("status", "registered"), [("200 OK", True), ("403 Forbidden", False)])
async def test_E1_given_a_trunk_that_is_registered_with_when_called_then_it_carries_calls_only_if_it_was_let(
    bench: StartBench, status: str, registered: bool
) -> None:
    b = await bench(Answer(), phones={NEXT: Answer()})
    transport, _registrar = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Registrar(status), ("127.0.0.1", 0)
    )
    with closing(transport):
        port = transport.get_extra_info("sockname")[1]
        text = declaration({}, max_calls=10) + (
            f'[[trunks]]\nname = "first"\nhost = "127.0.0.1"\nport = {port}\nqualify_seconds = 0\n'
            'user = "acme"\npassword = "trunk-secret"\nregister = true\n'
            f'[[trunks]]\nname = "next"\nhost = "127.0.0.1"\nport = {port_of(b, NEXT)}\nqualify_seconds = 0\n'
            '[[routes]]\nprefix = "+86"\ntrunks = ["first", "next"]\n'
        )
        await b.home.declare(text)
        await b.controller.directory.refresh()
        said = "Registered" if registered else "Rejected"
        state = await known(b, lambda state: state.registration == said)

    ways = [way.trunk for way in b.controller.node.ways(PhoneNumber(CALLED))]

    assert state.registered is registered
    assert ways == (["first", "next"] if registered else ["next", "first"])
