"""A bench for each test: an Asterisk, a controller, phones and a push receiver of its own."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from engine import database_at, engine_name
from integration.several_nodes import StartNodes, several_nodes
from integration.speaking import TEMPLATES, StartSpeaking
from integration.support import CALLED, QUICK, Bench, StartBench

from controller import wiring
from controller.calls import brake
from controller.settings import DatabaseSettings, SpeechSettings
from testbed.asterisk import AsteriskProgram, obtain_asterisk
from testbed.ear import Ear
from testbed.platform import platform
from testbed.push_receiver import PushReceiver
from testbed.softphone import Softphone
from testbed.softphone_plan import Answer, Plan


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests work out, and write beside each other, holds things up, and is no reason to refuse calls."""
    monkeypatch.setattr(brake, "_LOOP_LATE", 30.0)
    monkeypatch.setattr(wiring, "_WRITES_LATE", 30.0)
    monkeypatch.setattr(wiring, "LATE", 30.0)


@pytest.fixture(scope="session")
def program() -> AsteriskProgram:
    return obtain_asterisk()


@pytest.fixture(scope="session")
def ear() -> Ear:
    """Understands what a phone has heard."""
    return Ear.open()


@pytest.fixture
async def bench(tmp_path: Path, program: AsteriskProgram) -> AsyncIterator[StartBench]:
    """`await bench(plan, ...)`: a bench whose phone follows the plan; more phones by number."""
    async with AsyncExitStack() as stack:

        async def start(
            plan: Plan | list[Plan] | None = None,
            *,
            phones: Mapping[str, Plan] | None = None,
            sections: Mapping[str, Any] | None = None,
            node: Mapping[str, Any] | None = None,
            app: Mapping[str, Any] | None = None,
            files: Iterable[tuple[str, str]] = (),
            controller: bool = True,
        ) -> Bench:
            home = await stack.enter_async_context(
                platform(
                    tmp_path,
                    program,
                    {**_database(tmp_path), "calls": QUICK, **(sections or {})},
                    node,
                    files,
                )
            )
            plans: dict[str, Any] = {CALLED: plan or Answer(), **(phones or {})}
            running = {
                number: await stack.enter_async_context(
                    Softphone.start(plan=phone_plan, directory=tmp_path / f"phone{index}")
                )
                for index, (number, phone_plan) in enumerate(plans.items())
            }
            receiver = await stack.enter_async_context(PushReceiver.start())
            made = Bench(home, receiver, running, stack)
            await made.declare(**(app or {}))
            if controller:
                await made.start_controller()
            return made

        yield start


def _database(directory: Path) -> dict[str, DatabaseSettings]:
    """Where the engine that tests run on keeps a platform's data; SQLite where it always does."""
    if engine_name() == "sqlite":
        return {}
    return {"database": DatabaseSettings(url=database_at(directory / "platform.db"))}


@pytest.fixture
def speaking(bench: StartBench) -> StartSpeaking:
    """`await speaking(settings, plan)`: a bench whose account has templates."""

    async def start(speech: SpeechSettings, *plan: Any, controller: bool = True, **more: Any) -> Bench:
        b = await bench(*plan, sections={"speech": speech}, controller=False, **more)
        await b.home.declare(TEMPLATES)
        if controller:
            await b.start_controller()
        return b

    return start


@pytest.fixture
async def nodes(bench: StartBench, program: AsteriskProgram) -> AsyncIterator[StartNodes]:
    """`await nodes(plan, ...)`: a bench whose controller has three nodes; node1 shares its disk."""
    async with several_nodes(bench, program) as start:
        yield start
