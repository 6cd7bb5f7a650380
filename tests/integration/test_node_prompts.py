"""A real Asterisk that fetches what it plays, and does not always get it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from integration.support import HEARD, Bench, StartBench
from integration.test_verification import CODE, digit_starts
from service.sounds.support import pieces

from controller.api.node_prompts import prompt_routes
from controller.asterisk.ami import ami_session
from controller.asterisk.fetched import drop_from
from controller.key_file import load_or_make_key
from controller.prompts.library import PromptLibrary
from controller.prompts.shipped import CHINESE, ShippedPrompts
from controller.share import shared
from testbed.listening import load_wav, share_heard
from testbed.ports import reserved_ports
from testbed.softphone_plan import Answer
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("E2", "A3.1")

LONG = "/far" * 50
"""Asterisk's issue 444: a prompt's address must be longer than its path in the node's cache."""

NOTHING = 200
"""The answer is good, and nothing is in it: what a node keeps whose disk is full."""


@dataclass
class Server:
    """Stands between a node and the prompts of its controller."""

    url: str
    folders: list[Path] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    """Name of a file -> status of its answer."""
    pause: float = 0.0
    """Seconds before it answers."""
    asked: Counter[str] = field(default_factory=Counter)

    @web.middleware
    async def answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        self.asked[name] += 1
        status = self.refused.get(name)
        if status is not None:
            return web.Response(status=status, headers={"Cache-Control": "public, max-age=31536000"})
        await asyncio.sleep(self.pause)
        return await handler(request)


@dataclass
class Far:
    """A bench whose node fetches what it plays."""

    bench: Bench
    server: Server

    def digit(self, digit: str) -> str:
        """The name of its file."""
        settings = self.bench.home.settings
        key = load_or_make_key(settings.recording_key)
        shipped = ShippedPrompts(PromptLibrary(settings.prompt_dir), shared("sounds"), key)
        return f"{shipped.digit(CHINESE, digit).digest}.alaw"

    async def lose(self, name: str) -> None:
        """The node no longer has what it fetched."""
        async with ami_session(self.bench.home.settings.asterisk) as ami:
            [said] = await ami.command(f"media cache delete {self.server.url}/prompts/{name}")
            assert said.startswith("Deleted")

    async def kept(self) -> dict[str, Path]:
        """What the node keeps: name -> the node's file."""
        async with ami_session(self.bench.home.settings.asterisk) as ami:
            lines = [line.strip() for line in await ami.command("media cache show all")]
        pairs = pairwise(lines)
        return {uri.rpartition("/")[2]: Path(path) for uri, path in pairs if uri.startswith(self.server.url)}

    async def is_read(self, code: str) -> None:
        """A call in which the whole code is heard."""
        session = await self.bench.verify(code, times=1)
        heard = load_wav(await (await self.bench.phone.next_call()).recorded(timeout=30))
        statuses, _cdr = await self.bench.over(session)
        assert statuses[-1].info["stateCode"] == 0
        digit_starts(heard, CHINESE, code, 0.9)

    async def fails(self, code: str) -> list[str]:
        """A call that ends because something is missing; what was told of it."""
        session = await self.bench.verify(code, times=1)
        statuses, cdr = await self.bench.over(session)
        assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8006, 524)
        return [status.event_type for status in statuses]


StartFar = Callable[[], Awaitable[Far]]


@pytest.fixture
async def far(bench: StartBench) -> AsyncIterator[StartFar]:
    async with AsyncExitStack() as stack:
        [port] = stack.enter_context(reserved_ports(1))
        server = Server(f"http://127.0.0.1:{port}{LONG}")

        async def start() -> Far:
            app, prompts = web.Application(), web.Application(middlewares=[server.answer])
            prompts.add_routes(prompt_routes(server.folders))
            app.add_subapp(LONG, prompts)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", port).start()
            b = await bench(Answer(), node={"prompt_url": server.url}, controller=False)
            server.folders += [b.home.settings.prompt_dir, b.home.settings.speech_dir]
            await b.start_controller()
            return Far(b, server)

        yield start


@pytest.mark.parametrize("status", [404, 503, NOTHING])
async def test_E2_given_a_digit_that_the_node_does_not_get_when_asked_for_a_code_then_8006_and_no_call(
    far: StartFar, status: int
) -> None:
    f = await far()
    missing = f.digit(CODE[2])
    f.server.refused[missing] = status

    assert await f.fails(CODE) == ["disconnect"]
    if status == NOTHING:
        await f.lose(missing)
    f.server.refused.clear()

    await f.is_read(CODE)


async def test_E2_given_a_node_that_has_shown_its_digits_when_asked_for_codes_then_none_is_fetched_again(
    far: StartFar,
) -> None:
    f = await far()
    assert f.bench.controller.fleet.fetchers == {"127.0.0.1"}
    others = await asyncio.gather(
        *(f.bench.verify(CODE, times=1, calleeNbr=f"+99901601{talk:03}") for talk in (20, 21))
    )
    await f.is_read(CODE)
    asked = f.server.asked.copy()
    f.server.refused |= dict.fromkeys(asked, 503)

    await f.is_read(CODE[::-1])

    assert {f.digit(digit) for digit in CODE} <= set(asked)
    assert f.server.asked == asked
    for session in others:
        assert (await f.bench.over(session))[0][-1].info["stateCode"] == 0


async def test_E2_given_a_digit_that_the_node_has_lost_when_read_then_it_fails_and_the_next_calls_nobody(
    far: StartFar,
) -> None:
    f = await far()
    await f.is_read(CODE)
    missing = f.digit(CODE[-3])
    f.server.refused[missing] = 503
    await f.lose(missing)

    assert await f.fails(CODE) == ["callout", "alerting", "answer", "disconnect"]
    await f.bench.phone.next_call()
    assert await f.fails(CODE) == ["disconnect"]

    f.server.refused.clear()
    await f.is_read(CODE)


@pytest.mark.requirement("E2", "D3")
async def test_E2_given_prompts_that_the_controller_no_longer_has_when_looked_after_then_the_node_drops_them(
    far: StartFar,
) -> None:
    f = await far()
    settings, node = f.bench.home.settings, f.bench.controller.node
    folders = (settings.prompt_dir, settings.speech_dir)
    library, spoken = PromptLibrary(settings.prompt_dir), PromptLibrary(settings.speech_dir)
    stays, sound, speech = (
        library.add(distinct_prompt(31)),
        library.add(distinct_prompt(32)),
        spoken.add(distinct_prompt(33)),
    )
    for folder, prompt in ((library, stays), (library, sound), (spoken, speech)):
        await node.check_plays(folder.media(prompt.digest), prompt.seconds)
    before = await f.kept()
    assert await drop_from(settings.asterisk, folders) == 0

    library.discard(sound.digest)
    spoken.discard(speech.digest)
    assert await drop_from(settings.asterisk, folders) == 2

    after = await f.kept()
    assert before.keys() - after.keys() == {f"{prompt.digest}.alaw" for prompt in (sound, speech)}
    assert f"{stays.digest}.alaw" in after
    assert {name for name, path in before.items() if not path.exists()} == before.keys() - after.keys()


async def test_E2_given_a_prompt_that_no_node_has_when_many_calls_play_it_at_once_then_all_hear_it(
    far: StartFar,
) -> None:
    f = await far()
    f.server.pause = 0.3

    sessions = [
        await f.bench.notify({"notifyVoice": "two.wav"}, callee=f"+99901601{talk:03}")
        for talk in range(20, 26)
    ]
    ends = [(await f.bench.over(session, timeout=30))[0][-1].info["stateCode"] for session in sessions]

    assert ends == [0] * len(sessions)


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_that_the_node_keeps_when_uploaded_anew_by_that_name_then_the_new_one_is_heard(
    far: StartFar, tmp_path: Path
) -> None:
    f = await far()
    b = f.bench
    files, reviews = b.controller.content.sounds, b.controller.reviews
    kept: list[str] = []
    path = tmp_path / "source.wav"

    for seed in (41, 42):
        path.write_bytes(distinct_prompt(seed, 2.0))
        sound = load_wav(path)
        await files.upload("test", "offer.wav", pieces(path.read_bytes()))
        await files.submit("test", "offer.wav", by="dora")
        [waiting] = await reviews.page()
        await reviews.approve(waiting.id, by="oscar")
        async with asyncio.timeout(20):
            while not (await files.get("test", "offer.wav")).current:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.05)
        await b.controller.directory.refresh()
        session = await b.notify({"notifyVoice": "offer.wav"})
        heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
        await b.over(session)
        assert share_heard(sound, heard) >= HEARD, seed
        kept.append(f"{b.controller.directory.now.sound('test', 'offer.wav').digest}.alaw")

    # It had the one before, and has it still: that is not what it plays by this name.
    assert kept[0] != kept[1]
    assert set(kept) <= (await f.kept()).keys()
