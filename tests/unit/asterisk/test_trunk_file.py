"""Trunks that can't be brought into force at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from unit.calls.support import make_node
from unit.support import soon

from controller.ari.fake import FakeAsterisk
from controller.asterisk import trunk_file
from controller.asterisk.node import Node
from controller.asterisk.routing import TrunkConfiguration, render_trunks
from controller.asterisk.trunk_file import TRUNKS_FILE
from controller.store.errors import TurnLost

pytestmark = pytest.mark.requirement("E1", "E4")

TRUNK = TrunkConfiguration("carrier-a", "192.0.2.1")


@dataclass
class FakeAmi:
    """Answers as AMI does, but refuses as many reloads as it is told to."""

    refuses: int = 0
    hangs: bool = False
    reloads: int = 0
    port: int = 0
    sections: list[str] = field(default_factory=list)
    """Of the file of trunks."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """Of each section: variable=value."""
    updates: int = 0
    deletes_all: bool = False
    """Whether deleting a section takes away all that have its name, or the first."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        while message := await self._message(reader):
            if message["Action"] == "Reload":
                self.reloads += 1
                self.news.set()
                if self.hangs:
                    continue
            more = "".join(f"{line}\r\n" for line in self._answer(message))
            writer.write(f"ActionID: {message['ActionID']}\r\n{more}\r\n".encode())
        writer.close()

    def _answer(self, message: dict[str, str]) -> list[str]:
        match message["Action"]:
            case "Reload" if self.reloads <= self.refuses:
                return ["Response: Error"]
            case "CreateConfig":
                return ["Response: Error", "Message: Config file already exists"]
            case "GetConfig":
                return ["Response: Success", *self._listed()]
            case "UpdateConfig" if fault := self._update(message):
                return ["Response: Error", f"Message: {fault}"]
        return ["Response: Success"]

    def _listed(self) -> Iterator[str]:
        for number, section in enumerate(self.sections):
            yield f"Category-{number:06}: {section}"
            for index, line in enumerate(self.lines.get(section, [])):
                yield f"Line-{number:06}-{index:06}: {line}"

    def _update(self, message: dict[str, str]) -> str:
        """All of it or nothing; what is wrong with it."""
        self.updates += 1
        made, lines = list(self.sections), {name: list(said) for name, said in self.lines.items()}
        for number in range(sum(name.startswith("Action-") for name in message)):
            action, section = message[f"Action-{number:06}"], message[f"Cat-{number:06}"]
            if (action == "NewCat") == (section in made):
                return f"{action} {section}"
            if action == "NewCat":
                made.append(section)
                lines[section] = []
            elif action == "DelCat":
                made.remove(section)
                made = [name for name in made if name != section or not self.deletes_all]
            else:
                lines[section].append(f"{message[f'Var-{number:06}']}={message[f'Value-{number:06}']}")
        self.sections, self.lines = made, lines
        return ""

    async def _message(self, reader: asyncio.StreamReader) -> dict[str, str]:
        lines: dict[str, str] = {}
        async for line in reader:
            if not line.strip():
                return lines
            name, _, value = line.decode().strip().partition(": ")
            lines[name] = value
        return {}


@asynccontextmanager
async def ready_node(fake: FakeAsterisk, folder: Path, ami: FakeAmi, **settings: str) -> AsyncIterator[Node]:
    """A node that is connected, and AMI beside it."""
    async with ami.running(), make_node(fake, folder, ami_port=ami.port, **settings) as node:
        await soon(node.ari.wait_ready())
        yield node


async def in_force(node: Node) -> None:
    while not node.trunks_in_force:  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_file, "_FIRST_PAUSE", 0.01)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as asterisk:
        yield asterisk


async def test_given_an_asterisk_that_refuses_to_reload_when_it_no_longer_does_then_the_trunks_are_in_force(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi(refuses=3)
    async with ready_node(fake, tmp_path, ami) as node:
        await soon(node.configure([TRUNK], []))
        assert not node.trunks_in_force
        assert node.available

        await soon(in_force(node))

        assert ami.reloads == 4
        assert "carrier-a" in (tmp_path / TRUNKS_FILE).read_text()


async def test_given_an_ami_that_is_away_when_it_comes_without_a_reconnect_then_the_trunks_are_in_force(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi()
    async with ami.running():
        pass
    node = make_node(fake, tmp_path, ami_port=ami.port)
    await soon(node.configure([TRUNK], []))
    async with node:
        await soon(node.ari.wait_ready())
        assert not node.trunks_in_force

        async with ami.running():
            await soon(in_force(node))

    assert ami.reloads == 1


async def test_given_a_file_that_can_not_be_written_when_it_can_then_the_trunks_are_in_force(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami, folder = FakeAmi(), tmp_path / "etc"
    async with ready_node(fake, folder, ami) as node:
        await soon(node.configure([TRUNK], []))
        assert (node.trunks_in_force, ami.reloads) == (False, 0)

        folder.mkdir()
        await soon(in_force(node))

    assert "carrier-a" in (folder / TRUNKS_FILE).read_text()


async def test_given_a_reload_that_failed_when_the_trunks_are_put_back_then_asterisk_is_told_again(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi()
    async with ready_node(fake, tmp_path, ami) as node:
        await soon(node.configure([], []))
        ami.refuses = 2
        await soon(node.configure([TRUNK], []))
        ami.refuses = 0
        await soon(node.configure([], []))
        await soon(in_force(node))

        assert ami.reloads >= 3
        assert "carrier-a" not in (tmp_path / TRUNKS_FILE).read_text()


@pytest.mark.parametrize("deletes_all", [False, True])
async def test_E1_given_a_node_whose_file_has_a_section_twice_when_trunks_are_put_then_it_has_them_alone(
    fake: FakeAsterisk, tmp_path: Path, deletes_all: bool
) -> None:
    ami = FakeAmi(sections=["a", "a-aor", "a-identify", "a-aor", "a-aor-aor"], deletes_all=deletes_all)
    address = "http://127.0.0.1:8080"
    async with ready_node(fake, tmp_path, ami, prompt_url=address) as node:
        trunks = [TrunkConfiguration(name, "192.0.2.1") for name in ("a", "a-aor")]
        await soon(node.configure(trunks, []))

        assert node.trunks_in_force
    names = [name + part for name in ("a", "a-aor") for part in ("", ".aor", ".identify")]
    assert ami.sections == ["voicecall-contact", *names]


async def test_E2_given_a_file_that_nobody_had_asterisk_read_when_another_controller_puts_it_then_it_is_read(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi()
    async with ready_node(fake, tmp_path, ami) as node:
        await soon(node.configure([], []))
        (tmp_path / TRUNKS_FILE).write_text(render_trunks([TRUNK]))
        assert ami.reloads == 1

        await soon(node.configure([TRUNK], []))

        assert (node.trunks_in_force, ami.reloads) == (True, 2)


async def test_E2_given_a_node_whose_file_has_the_trunks_when_another_puts_them_then_it_is_only_read(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi()
    address = "http://127.0.0.1:8080"
    async with ami.running():
        for reloads in (1, 2):
            async with make_node(fake, tmp_path, ami_port=ami.port, prompt_url=address) as node:
                await soon(node.ari.wait_ready())
                await soon(node.configure([TRUNK], []))
                assert node.trunks_in_force
            assert ami.reloads == reloads
            if reloads == 1:
                written = ami.updates

    assert written > 0
    assert ami.updates == written
    assert ami.lines["carrier-a.aor"][1] == "contact=sip:192.0.2.1:5060"


async def test_E2_given_a_turn_that_is_lost_in_the_middle_when_it_is_had_again_then_the_trunks_are_in_force(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami, steps = FakeAmi(), 0

    async def lost_once() -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise TurnLost("another controller may be at it by now")

    def turn(name: str) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
        assert name == "trunks of node1"
        return nullcontext(lost_once)

    address = "http://127.0.0.1:8080"
    async with (
        ami.running(),
        make_node(fake, tmp_path, ami_port=ami.port, prompt_url=address, turn=turn) as node,
    ):
        await soon(node.ari.wait_ready())
        await soon(node.configure([TRUNK], []))
        assert (node.trunks_in_force, ami.updates, ami.reloads) == (False, 1, 0)

        await soon(in_force(node))

    assert ami.reloads == 1
    assert "carrier-a.identify" in ami.sections


async def test_given_trunks_that_are_in_force_when_asterisk_reconnects_then_it_is_not_told_again(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi()
    async with ready_node(fake, tmp_path, ami) as node:
        await soon(node.configure([TRUNK], []))
        fake.drop_sockets()
        await soon(node.ari.wait_lost())
        await soon(node.ari.wait_ready())
        await soon(node.configure([TRUNK], []))

    assert ami.reloads == 1


async def test_given_an_ami_that_says_nothing_when_trunks_are_put_then_calls_are_taken_meanwhile(
    fake: FakeAsterisk, tmp_path: Path
) -> None:
    ami = FakeAmi(hangs=True)
    async with ready_node(fake, tmp_path, ami) as node:
        putting = asyncio.create_task(node.configure([TRUNK], []))
        await soon(ami.news.wait())

        assert node.available
        assert await soon(node.info()) is not None
        assert not node.trunks_in_force

        # Who declared them goes away.
        putting.cancel()
        ami.hangs = False
        await soon(in_force(node))


def test_given_failure_after_failure_when_asterisk_is_asked_again_then_ever_later_and_never_in_step() -> None:
    randoms = Random(1), Random(2)
    pauses = [[trunk_file.pause(failures, random) for failures in range(20)] for random in randoms]

    assert not set(pauses[0]) & set(pauses[1])
    for one in pauses:
        assert max(one) <= 30
        assert one[0] < one[4] < one[19]
