"""Trunks and routes, brought into force on a running Asterisk over AMI."""

import asyncio

import aiohttp
import pytest
from integration.support import CALLED, SHOWN, Bench, StartBench, declaration, trunk

from testbed.ports import reserved_ports
from testbed.slow_link import SlowLink
from testbed.softphone_plan import Answer

pytestmark = pytest.mark.requirement("E1")


def over_trunk(port: int) -> str:
    """The tests' account, with all of +86 over a trunk to a phone that plays the carrier."""
    return declaration({}, max_calls=10) + trunk(port, "+86")


async def test_E1_given_a_trunk_declared_while_running_when_called_then_the_number_goes_over_it(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    port = int(b.phone.contact.rsplit(":", 1)[1])

    await b.home.declare(over_trunk(port))
    await b.controller.directory.refresh()
    session = await b.notify(callee="+8613755556666")
    call = await b.phone.next_call()
    statuses, _cdr = await b.over(session)

    assert call.called == "+8613755556666"
    assert call.caller == SHOWN
    assert statuses[-1].info["stateCode"] == 0


async def readiness(b: Bench) -> tuple[int, bool]:
    """The status of the readiness check, and what it says of the trunks."""
    async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/readyz?verbose") as answer:
        return answer.status, (await answer.json())["parts"]["trunks"]


@pytest.mark.requirement("E4")
async def test_E1_given_an_ami_that_is_away_when_it_comes_then_the_trunk_is_in_force_without_a_reconnect(
    bench: StartBench,
) -> None:
    with reserved_ports(1) as (ami_port,):
        b = await bench(Answer(), node={"ami_port": ami_port})
        await b.home.declare(over_trunk(int(b.phone.contact.rsplit(":", 1)[1])))
        await b.controller.directory.refresh()
        before, lost = await readiness(b), asyncio.create_task(b.controller.node.ari.wait_lost())

        real_port = b.home.asterisk.configuration.ami_port
        async with SlowLink.open("127.0.0.1", real_port, b"nothing", 0, ami_port):
            async with asyncio.timeout(10):
                while (after := await readiness(b)) == before:  # noqa: ASYNC110 - nothing tells from outside
                    await asyncio.sleep(0.1)
            statuses, _cdr = await b.over(await b.notify(callee="+8613755556666"))

    assert (before, after) == ((503, False), (200, True))
    assert lost.cancel()
    assert statuses[-1].info["stateCode"] == 0


async def test_E1_given_a_live_call_when_trunks_are_changed_then_it_goes_on(bench: StartBench) -> None:
    b = await bench(Answer())
    session = await b.notify({"notifyVoice": "long.wav"})
    call = await b.phone.next_call()
    await call.answered()

    await b.home.declare(over_trunk(5099))
    await b.controller.directory.refresh()
    end = await call.ended(timeout=15)
    statuses, cdr = await b.over(session)

    assert not end.by_phone
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ulFailReason"] == 0


async def test_E1_given_a_trunk_with_credentials_when_rendered_then_asterisk_takes_them(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    text = over_trunk(5099).replace(
        "port = 5099", 'port = 5099\nuser = "acme"\npassword = "trunk-secret"\nregister = true'
    )

    await b.home.declare(text)
    await b.controller.directory.refresh()
    endpoint = await b.controller.node.ari.endpoints.get("PJSIP", "carrier-a")

    assert endpoint.resource == "carrier-a"
    assert "trunk-secret" not in b.home.asterisk.log.read_text()


async def test_E1_given_the_longest_prefix_when_routed_then_it_wins(bench: StartBench) -> None:
    b = await bench(Answer(), phones={"+861390000": Answer()})

    first = await b.notify(callee=CALLED)
    second = await b.notify(callee="+8613900009999")
    exact, prefix = await b.phone.next_call(), await b.phones["+861390000"].next_call()
    await b.over(first)
    await b.over(second)

    assert exact.called == CALLED
    assert prefix.called == "+8613900009999"
