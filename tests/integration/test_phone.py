"""The phone in the browser on a real Asterisk, without a browser: signalling and outcomes."""

from contextlib import AsyncExitStack

import aiohttp
import pytest
from integration.phone_socket import connected, log_out, switched_on
from integration.support import CALLBACK_KEY, SECOND_SHOWN, SECRET, SHOWN, StartBench

from controller.console.phone_socket import LARGEST_MESSAGE, SWITCHED_OFF
from testbed.asterisk import start_asterisk
from testbed.client import CLICK2CALL, aksk_headers

ACCOUNT = "test"


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(
    ("status", "state_code", "sip_status"),
    [("486 Busy Here", 8102, 486), ("603 Decline", 8105, 603)],
)
async def test_given_a_registered_phone_when_it_refuses_a_call_then_the_outcome_is_that_of_any_phone(
    bench: StartBench, status: str, state_code: int, sip_status: int
) -> None:
    b = await bench()
    phone = await switched_on(b.controller, ACCOUNT)
    async with connected(b.controller, phone) as browser:
        assert await browser.register() == 200
        session = await b.notify(callee=phone.number.e164)
        invite = await browser.refuse_call(status)
        statuses, cdr = await b.over(session)
    assert f"sip:{SHOWN}@" in invite
    assert phone.number.e164 not in invite
    assert "a=fingerprint" in invite
    assert [it.event_type for it in statuses] == ["callout", "alerting", "disconnect"]
    assert statuses[-1].info["stateCode"] == state_code
    assert (cdr["calleeNum"], cdr["sipStatusCode"]) == (phone.number.e164, sip_status)


@pytest.mark.requirement("C9")
async def test_given_a_phone_that_is_not_registered_when_it_is_called_then_it_is_absent(
    bench: StartBench,
) -> None:
    b = await bench()
    phone = await switched_on(b.controller, ACCOUNT)
    session = await b.notify(callee=phone.number.e164)
    statuses, cdr = await b.over(session)
    assert statuses[-1].info["stateCode"] == 8103
    assert (cdr["callOutUnaswRsn"], cdr["sipStatusCode"], cdr["ulFailReason"]) == (20, 480, 519)


@pytest.mark.requirement("C9")
async def test_given_a_phone_of_another_account_when_it_is_called_then_no_call_is_made(
    bench: StartBench,
) -> None:
    b = await bench()
    await b.home.declare('[[accounts]]\nid = "other"\n')
    phone = await switched_on(b.controller, "other")
    answer = await b.client.notify(b.request(callee=phone.number.e164))
    assert (answer.code, "calleeNbr" in answer.text) == ("1010002", True)
    body = {
        "displayNbr": SHOWN,
        "callerNbr": phone.number.e164,
        "displayCalleeNbr": SECOND_SHOWN,
        "calleeNbr": "+99901602000",
    }
    refused = await b.client.post(CLICK2CALL, body, aksk_headers(CALLBACK_KEY, SECRET))
    assert refused.code == "1010024"


@pytest.mark.requirement("C9")
async def test_given_an_operators_phone_when_any_account_calls_then_it_rings(bench: StartBench) -> None:
    b = await bench()
    phone = await switched_on(b.controller, None)
    async with connected(b.controller, phone) as browser:
        assert await browser.register() == 200
        session = await b.notify(callee=phone.number.e164)
        await browser.refuse_call("486 Busy Here")
        await b.over(session)


@pytest.mark.requirement("C9")
async def test_given_asterisk_restarts_when_the_page_registers_again_then_calls_reach_it(
    bench: StartBench,
) -> None:
    b = await bench()
    phone = await switched_on(b.controller, ACCOUNT)
    async with connected(b.controller, phone) as browser:
        assert await browser.register() == 200
        await b.home.asterisk.kill()
        assert await browser.closed() is not None
    await b.controller.node.ari.wait_lost()
    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        await b.controller.node.ari.wait_ready()
        async with connected(b.controller, phone) as browser:
            assert await browser.register() == 200
            session = await b.notify(callee=phone.number.e164)
            await browser.refuse_call("486 Busy Here")
            await b.over(session)


@pytest.mark.requirement("C9")
async def test_given_what_no_called_phone_says_when_sent_then_the_socket_is_closed(bench: StartBench) -> None:
    b = await bench()
    phone = await switched_on(b.controller, ACCOUNT)
    for message, code in (
        (f"INVITE sip:{SHOWN}@x SIP/2.0\r\n\r\n", aiohttp.WSCloseCode.POLICY_VIOLATION),
        ("ACK " + "x" * LARGEST_MESSAGE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG),
    ):
        async with connected(b.controller, phone) as browser:
            assert await browser.register() == 200
            assert phone.registered
            await browser.socket.send_str(message)
            assert await browser.closed() == code
    async with connected(b.controller, phone) as browser:
        await browser.socket.send_bytes(b"REGISTER")
        assert await browser.closed() == aiohttp.WSCloseCode.UNSUPPORTED_DATA


@pytest.mark.requirement("C9")
async def test_given_the_session_ends_or_the_phone_is_switched_off_when_connected_then_the_socket_closes(
    bench: StartBench,
) -> None:
    b = await bench()
    phone = await switched_on(b.controller, ACCOUNT)
    async with connected(b.controller, phone) as browser:
        assert await browser.register() == 200
        await log_out(b.controller)
        assert await browser.closed() == SWITCHED_OFF
    assert not phone.registered
