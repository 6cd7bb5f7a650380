"""The dialplan's door on a real Asterisk: calls that come in over a trunk, and an operator's own dialplan."""

import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.agi import Abilities, Announcement, Refused, agi_server
from controller.asterisk.ami import ami_session
from controller.phone_number import PhoneNumber
from controller.share import shared
from testbed.asterisk import AsteriskProgram, RunningAsterisk, running_asterisk
from testbed.listening import load_wav, share_heard
from testbed.platform import node_settings
from testbed.softphone import CallEnd, PhoneCall, Softphone
from testbed.sounds import distinct_prompt

CALLER, CALLED = "+8613900001111", "+8657126880001"

CARRIER = """
[carrier]
type = endpoint
context = {context}
disallow = all
allow = alaw

[carrier-identify]
type = identify
endpoint = carrier
match = 127.0.0.1
"""


@dataclass
class Controller:
    """Abilities as a test wants them, and what they were asked."""

    announcement: Announcement = field(default_factory=lambda: Announcement(None))
    dial: str = ""
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def abilities(self) -> Abilities:
        return Abilities(self.inbound, self.route, self.notify)

    async def inbound(self, called: str, caller: str) -> Announcement:
        self.asked.append((called, caller))
        return self.announcement

    async def route(self, number: PhoneNumber, node: str) -> str:
        self.asked.append((number.e164, node))
        if not self.dial:
            raise Refused("no route leads there")
        return self.dial

    async def notify(self, number: PhoneNumber, app_key: str, sound: str) -> str:
        self.asked.append((number.e164, app_key, sound))
        return "session-1"


@dataclass
class Trunk:
    """An Asterisk that takes this machine's calls as a carrier's, and a phone that makes them."""

    asterisk: RunningAsterisk
    phone: Softphone

    async def call(self, called: str = CALLED) -> PhoneCall:
        port = self.asterisk.configuration.sip_port
        return await self.phone.dial(f"sip:{called}@127.0.0.1:{port}", caller=CALLER)

    async def end(self, called: str = CALLED) -> CallEnd:
        return await (await self.call(called)).ended(timeout=15)

    async def door_is(self, url: str) -> None:
        async with ami_session(node_settings(self.asterisk.configuration)) as ami:
            await ami.command(f"dialplan set global VOICECALL_AGI {url}")


StartTrunk = Callable[..., Awaitable[Trunk]]


@pytest.fixture
async def trunk(tmp_path: Path, program: AsteriskProgram) -> AsyncIterator[StartTrunk]:
    """`await trunk(controller, ...)`: a trunk that leads to a context; with a controller its door is open.

    `node`: the name by which the node asks.
    """
    pytest.importorskip("pjsua2")
    async with AsyncExitStack() as stack:

        async def start(
            controller: Controller | None = None, context: str = "from-trunk", node: str = ""
        ) -> Trunk:
            examples = (shared("dialplan") / "examples/operator.conf").read_text("utf-8")
            files = [
                ("pjsip.d/carrier.conf", CARRIER.format(context=context)),
                ("extensions.d/operator.conf", examples),
            ]
            asterisk = await stack.enter_async_context(
                running_asterisk(
                    tmp_path / "asterisk", program, extra_files=files, known_endpoints=["carrier"]
                )
            )
            phone = await stack.enter_async_context(Softphone.start(directory=tmp_path / "phone"))
            made = Trunk(asterisk, phone)
            if controller is not None:
                url = await stack.enter_async_context(agi_server(controller.abilities))
                await made.door_is(f"{url}/{node}" if node else url)
            return made

        yield start


@pytest.mark.requirement("E1")
async def test_E1_given_a_number_nobody_expects_when_called_then_the_announcement_is_heard_and_404_comes(
    trunk: StartTrunk, tmp_path: Path
) -> None:
    sound = tmp_path / "not_in_service.wav"
    sound.write_bytes(distinct_prompt(1, 1.5))
    announcement = load_wav(sound)
    with wave.open(str(tmp_path / "played.wav"), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes((announcement.samples * 32767).astype("<i2").tobytes())
    controller = Controller(Announcement(str(tmp_path / "played"), cause=1))
    t = await trunk(controller)

    call = await t.call()
    end = await call.ended(timeout=15)
    heard = load_wav(await call.recorded())

    assert end.status == 404
    assert share_heard(announcement, heard) > 0.8
    assert not call.event("answered")
    assert controller.asked == [(CALLED, CALLER)]


@pytest.mark.requirement("E1")
async def test_E1_given_no_announcement_when_called_then_the_cause_alone_is_told(trunk: StartTrunk) -> None:
    t = await trunk(Controller(Announcement(None, cause=17)))

    assert (await t.end()).status == 486


@pytest.mark.requirement("E1")
async def test_E1_given_a_controller_that_is_away_when_called_then_the_number_does_not_exist(
    trunk: StartTrunk,
) -> None:
    t = await trunk()
    never_there = await t.end()
    async with agi_server(Controller().abilities) as url:
        await t.door_is(url)
    gone = await t.end()

    assert (never_there.status, gone.status) == (404, 404)


@pytest.mark.requirement("E1")
@pytest.mark.parametrize(
    ("smuggled", "refused"),
    [
        ("%0Aagi_network_script%3A%20notify", "agi_network_script twice"),
        (f"%0Aagi_arg_1%3A%20{CALLED}", "an argument that is not at its end"),
        ("%0A%0A200%20result%3D1", "doesn't end where it should"),
    ],
)
async def test_E1_given_a_called_number_with_line_breaks_when_called_then_it_smuggles_nothing_in(
    trunk: StartTrunk, smuggled: str, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    controller = Controller(Announcement(None, cause=17))
    t = await trunk(controller)

    end = await t.end(CALLED + smuggled)

    assert end.status == 404
    assert controller.asked == []
    assert [
        refused in str(vars(record).get("error")) for record in caplog.records if "script" in record.msg
    ] == [True]


@pytest.mark.requirement("A4.3", "E1")
async def test_A4_3_given_a_caller_s_number_with_line_breaks_when_called_then_it_names_nobody_else_to_call(
    trunk: StartTrunk, caplog: pytest.LogCaptureFixture
) -> None:
    controller = Controller()
    t = await trunk(controller, "voicecall-notify")
    port = t.asterisk.configuration.sip_port

    # The notification's third argument, which the dialplan leaves out, is the number to call.
    call = await t.phone.dial(f"sip:s@127.0.0.1:{port}", caller=f"{CALLER}%0Aagi_arg_3%3A%20%2B8613900002222")
    await call.ended(timeout=15)

    assert controller.asked == []
    assert [str(vars(record).get("error")) for record in caplog.records if "script" in record.msg] == [
        "the request has an argument that is not at its end"
    ]


@pytest.mark.parametrize("node", ["", "node-2.a_b"])
async def test_given_the_example_of_a_route_when_a_number_is_dialled_then_it_goes_where_the_controller_says(
    trunk: StartTrunk, node: str
) -> None:
    controller = Controller(dial="Local/01701000@simulated/n")
    t = await trunk(controller, "voicecall-route", node)

    end = await t.end()

    assert end.status == 486
    assert controller.asked == [(CALLED, node)]


async def test_given_the_example_of_a_route_when_there_is_none_then_the_call_is_refused(
    trunk: StartTrunk,
) -> None:
    t = await trunk(Controller(), "voicecall-route")

    assert (await t.end()).status == 404


async def test_given_the_example_of_a_notification_when_called_then_the_caller_is_notified(
    trunk: StartTrunk,
) -> None:
    controller = Controller()
    t = await trunk(controller, "voicecall-notify")

    await t.end("s")

    assert controller.asked == [(CALLER, "my-app-key", "my-sound.wav")]
