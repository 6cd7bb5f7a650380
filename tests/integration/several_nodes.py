"""What tests of one controller and three real Asterisk nodes work with: two share no files with it."""

import asyncio
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.support import Bench, StartBench
from sqlmodel import Session, select

from controller.asterisk.ami import ami_session
from controller.asterisk.trunk_file import TRUNKS_FILE
from controller.settings import AsteriskSettings, HttpSettings
from controller.store.tables import Call
from testbed.asterisk import AsteriskProgram, RunningAsterisk, running_asterisk, start_asterisk
from testbed.platform import node_settings
from testbed.ports import reserved_ports

NODES = ("node1", "node2", "node3")

NOWHERE = Path("/nonexistent")
"""Where a node that shares no files with the controller has them, as seen from the controller."""


def callee(index: int, talk: int = 3) -> str:
    """Answers after a second and hangs up `talk` seconds later, if what it hears is not over before."""
    return f"+9990160{1}{talk:03}{index:03}"


@dataclass
class Nodes:
    """A bench whose controller has three nodes."""

    bench: Bench
    stack: AsyncExitStack
    running: dict[str, RunningAsterisk]

    async def until(self, true: Callable[[], bool], timeout: float = 20) -> None:
        async with asyncio.timeout(timeout):
            while not true():  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.05)

    async def node_of(self, session_id: str) -> str:
        def find_it(session: Session) -> str:
            return session.exec(select(Call.node).where(Call.session_id == session_id)).one()

        return await self.bench.controller.database.read(find_it)

    async def call(self, index: int, talk: int = 3) -> str:
        """A call that lasts `talk` seconds, six at most."""
        return await self.bench.notify({"notifyVoice": "long.wav"}, callee=callee(index, talk))

    async def calls(self, count: int, talk: int = 3) -> dict[str, str]:
        """Ask for so many calls; session id -> node."""
        sessions = [await self.call(index, talk) for index in range(count)]
        return {session: await self.node_of(session) for session in sessions}

    async def drain(self, name: str, what: str = "drain") -> None:
        """As an operator on the machine does."""
        from controller.management.catalogue import OPERATIONS
        from controller.management.local import LocalDesk

        controller = self.bench.controller
        [operation] = [found for found in OPERATIONS if found.name == f"{what}_node"]
        desk = LocalDesk(controller.settings, controller.database)
        await desk.run(operation, {"node_name": name})
        await controller.directory.refresh()

    async def only(self, name: str) -> None:
        for other in set(NODES) - {name}:
            await self.drain(other)

    async def kill(self, name: str) -> None:
        await self.running[name].kill()
        await self.bench.controller.fleet[name].ari.wait_lost()

    async def revive(self, name: str) -> None:
        gone = self.running[name]
        again = await start_asterisk(gone.configuration, gone.program)
        self.stack.push_async_callback(again.stop)
        self.running[name] = again

    async def reach(self, name: str, url: str) -> None:
        """Have the controller, which is started anew, use another address for the ARI of a node."""
        b = self.bench
        settings = b.home.settings
        settled = [
            node.model_copy(update={"ari_url": url}) if node.name == name else node
            for node in settings.asterisk.nodes
        ]
        await b.close_controller()
        b.home.settings = settings.model_copy(update={"asterisk": AsteriskSettings(nodes=tuple(settled))})
        await b.start_controller()
        await self.until_all_take_calls()

    async def until_all_take_calls(self) -> None:
        await self.until(lambda: all(self.takes_calls(name) for name in NODES))

    def send(self, name: str, number: signal.Signals) -> None:
        self.running[name].process.send_signal(number)

    async def misdirect(self, name: str, port: int) -> None:
        """Have a node that shares no files call another port than the declared trunks'."""
        file = self.running[name].configuration.etc_dir / TRUNKS_FILE
        file.write_text(re.sub(r"(?m)^(contact *= *sip:.*):\d+$", rf"\1:{port}", file.read_text()))
        async with ami_session(self.bench.controller.fleet[name].settings) as ami, asyncio.timeout(10):
            await ami.reload("res_pjsip.so")
            while f":{port}" not in "".join(await ami.command("pjsip show contacts")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def takes_calls(self, name: str) -> bool:
        return self.bench.controller.fleet[name].takes_calls


StartNodes = Callable[..., Awaitable[Nodes]]


@asynccontextmanager
async def several_nodes(bench: StartBench, program: AsteriskProgram) -> AsyncIterator[StartNodes]:
    """`await start(plan, ...)`: node1 shares the controller's disk, node2 and node3 have theirs."""
    async with AsyncExitStack() as stack:
        # Asterisk's issue 444: a prompt's address must be longer than its path in the node's cache.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vc")))
        [port] = stack.enter_context(reserved_ports(1))

        async def start(
            *plan: object, weights: Sequence[float] = (1, 1, 1), phones: dict[str, object] | None = None
        ) -> Nodes:
            b = await bench(*plan, phones=phones, controller=False, app={"max_calls": 100})
            others = [
                await stack.enter_async_context(running_asterisk(folder / name[-1], program, name=name))
                for name in NODES[1:]
            ]
            whole = [
                node_settings(b.home.asterisk.configuration, weight=weights[0]),
                *(
                    node_settings(
                        other.configuration,
                        weight=weight,
                        prompt_url=f"http://127.0.0.1:{port}",
                        etc_dir=NOWHERE,
                        recording_dir=NOWHERE,
                    )
                    for other, weight in zip(others, weights[1:], strict=True)
                ),
            ]
            b.home.settings = b.home.settings.model_copy(
                update={"asterisk": AsteriskSettings(nodes=tuple(whole)), "http": HttpSettings(port=port)}
            )
            await b.start_controller()
            running = dict(zip(NODES, (b.home.asterisk, *others), strict=True))
            made = Nodes(b, stack, running)
            await made.until_all_take_calls()
            return made

        yield start
