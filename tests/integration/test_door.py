"""The dialplan's door through the whole product: a trunk, an operator's own phones, and the controller."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from integration.support import APP_KEY, CALLED, SECOND, SHOWN, Bench, StartBench, declaration

from controller.management.catalogue import OPERATIONS
from controller.management.local import LocalDesk
from controller.settings import AgiSettings
from controller.share import shared
from testbed.asterisk import start_asterisk
from testbed.listening import load_wav, share_heard
from testbed.softphone import CallEnd, PhoneCall, Softphone
from testbed.softphone_plan import Answer

NOBODYS = "+8657199999999"

DESK = """
[desk]
type = endpoint
context = {context}
disallow = all
allow = alaw

[desk-identify]
type = identify
endpoint = desk
match = 127.0.0.1
"""


def example() -> tuple[str, str]:
    """The documented example, with an app and a sound of the tests."""
    text = (shared("dialplan") / "examples/operator.conf").read_text("utf-8")
    return "extensions.d/operator.conf", text.replace("my-app-key,my-sound.wav", f"{APP_KEY},one.wav")


def operator(context: str) -> list[tuple[str, str]]:
    """The example, and phones of the operator's own that lead to a context of it."""
    return [example(), ("pjsip.d/desk.conf", DESK.format(context=context))]


async def declare_trunk(b: Bench) -> None:
    """The carrier is whoever calls from 127.0.0.1."""
    trunk = f'[[trunks]]\nname = "carrier-a"\nhost = "127.0.0.1"\nport = {b.phone.port}\n'
    await b.home.declare(declaration(b.phones) + trunk)
    await b.controller.directory.refresh()


async def dial(b: Bench, called: str, phone: Softphone | None = None, caller: str = CALLED) -> PhoneCall:
    port = b.home.asterisk.configuration.sip_port
    return await (phone or b.phone).dial(f"sip:{called}@127.0.0.1:{port}", caller=caller)


async def announced(call: PhoneCall, language: str = "zh") -> tuple[CallEnd, float]:
    """How a call ended, and how much of the shipped announcement was heard before."""
    end = await call.ended(timeout=20)
    announcement = load_wav(shared("sounds") / language / "not_in_service.wav")
    assert not call.event("answered")
    return end, share_heard(announcement, load_wav(await call.recorded()))


async def silently_refused(call: PhoneCall) -> int:
    """The SIP status of a call of which nothing was heard."""
    end = await call.ended()
    assert not call.event("media_active")
    return end.status


@pytest.mark.requirement("E1")
@pytest.mark.parametrize(
    ("called", "language", "status"), [(NOBODYS, "zh", 404), (SHOWN, "en", 403), (SHOWN[1:], "zh", 403)]
)
async def test_E1_given_a_declared_trunk_when_a_number_is_called_over_it_then_it_is_announced_and_refused(
    bench: StartBench, called: str, language: str, status: int
) -> None:
    b = await bench(sections={"agi": AgiSettings(port=0, language=language)})
    await declare_trunk(b)

    end, share = await announced(await dial(b, called), language)

    assert end.status == status
    assert f"cause={ {404: 1, 403: 21}[status] }" in end.reason
    assert share > 0.8


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Softphone]:
    """A phone at another address than the trunk's."""
    async with Softphone.start(directory=tmp_path / "stranger", address="127.0.0.2") as phone:
        yield phone


@pytest.mark.requirement("E1")
@pytest.mark.parametrize("name", [CALLED, "carrier-a", "voicecall-contact"])
async def test_E1_given_a_declared_trunk_when_a_stranger_calls_in_its_name_then_the_door_stays_shut(
    bench: StartBench, stranger: Softphone, name: str
) -> None:
    b = await bench()
    await declare_trunk(b)

    assert await silently_refused(await dial(b, SHOWN, stranger, name)) == 401


@pytest.mark.requirement("E1", "E4")
async def test_E1_given_asterisk_was_restarted_when_a_number_is_called_then_the_door_works_again(
    bench: StartBench,
) -> None:
    b = await bench()
    await declare_trunk(b)
    await b.home.asterisk.kill()
    await b.controller.node.ari.wait_lost()

    async with AsyncExitStack() as stack:
        again = await start_asterisk(b.home.asterisk.configuration, b.home.asterisk.program)
        stack.push_async_callback(again.stop)
        await b.controller.node.ari.wait_ready()
        end, share = await announced(await dial(b, NOBODYS))

    assert end.status == 404
    assert share > 0.8


@pytest.mark.requirement("E1", "E4")
async def test_E1_given_a_controller_that_went_away_when_a_number_is_called_then_it_does_not_exist(
    bench: StartBench,
) -> None:
    b = await bench(controller=False)
    async with b.home.controller() as controller:
        b.controller = controller
        await declare_trunk(b)

    assert await silently_refused(await dial(b, SHOWN)) == 404


@pytest.mark.requirement("E1")
async def test_E1_given_a_door_that_is_switched_off_when_a_number_is_called_then_it_does_not_exist(
    bench: StartBench,
) -> None:
    b = await bench(sections={"agi": AgiSettings(enabled=False)})
    await declare_trunk(b)

    assert await silently_refused(await dial(b, SHOWN)) == 404


@pytest.mark.requirement("E1")
async def test_E1_given_the_operators_dialplan_when_it_asks_for_a_route_then_the_phone_there_rings(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()}, files=operator("voicecall-route"))

    desk = await dial(b, CALLED, b.phones[SECOND], SECOND)
    call = await b.phone.next_call()
    await call.answered()
    await desk.answered()
    await call.hang_up()

    assert (call.called, call.caller) == (CALLED, SECOND)
    assert (await desk.ended()).status == 200


@pytest.mark.requirement("E1", "E2")
async def test_E1_given_the_only_node_is_drained_when_its_own_dialplan_asks_for_a_route_then_the_phone_rings(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()}, files=operator("voicecall-route"))
    node = b.controller.node
    [drain] = [operation for operation in OPERATIONS if operation.name == "drain_node"]
    await LocalDesk(b.controller.settings, b.controller.database).run(drain, {"node_name": node.name})
    await b.controller.directory.refresh()
    assert not node.takes_calls

    desk = await dial(b, CALLED, b.phones[SECOND], SECOND)
    call = await b.phone.next_call()
    await call.answered()
    await desk.answered()
    await call.hang_up()


@pytest.mark.requirement("E1")
@pytest.mark.parametrize(("called", "status"), [("+4930123456", 404), ("+99901700000", 486)])
async def test_E1_given_the_operators_dialplan_when_no_trunk_leads_to_a_number_then_no_phone_rings(
    bench: StartBench, called: str, status: int
) -> None:
    b = await bench(files=operator("voicecall-route"))

    assert (await (await dial(b, called)).ended()).status == status
    assert len(b.phone.calls) == 1


@pytest.mark.requirement("E1", "B1", "B2", "B3")
async def test_E1_given_the_operators_dialplan_when_it_starts_a_notification_then_the_caller_is_called_back(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), files=operator("voicecall-notify"))
    pushed_to = {"status_url": b.receiver.url("/status"), "fee_url": b.receiver.url("/fee")}
    await b.declare(**pushed_to)
    await b.controller.directory.refresh()

    await (await dial(b, "s")).ended()
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded(timeout=15))
    (session,) = {status.info["sessionId"] for status in b.receiver.statuses()}
    statuses, cdr = await b.over(session)

    assert call.caller in {SHOWN, "+8657126880002"}
    assert share_heard(load_wav(b.home.directory / "one.wav"), heard) > 0.8
    assert [status.event_type for status in statuses] == ["callout", "alerting", "answer", "disconnect"]
    assert (cdr["appKey"], cdr["calleeNum"], cdr["callerNum"]) == (APP_KEY, CALLED, call.caller)


@pytest.mark.requirement("E1")
async def test_E1_given_a_number_of_the_operators_own_when_called_over_a_trunk_then_the_caller_is_called_back(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), files=[example()])
    await declare_trunk(b)

    await (await dial(b, "+8657126880009")).ended()
    call = await b.phone.next_call()
    await call.answered()

    assert call.called == CALLED


@pytest.mark.requirement("E1", "A4.4")
async def test_E1_given_an_app_at_its_limit_when_the_dialplan_starts_a_notification_then_no_phone_rings(
    bench: StartBench,
) -> None:
    b = await bench(app={"max_calls": 0}, files=operator("voicecall-notify"))

    end = await (await dial(b, "s")).ended()

    assert end.status == 403
    assert len(b.phone.calls) == 1
