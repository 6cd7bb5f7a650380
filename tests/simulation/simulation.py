"""Runs one world: trouble, then peace, then judgement."""

import asyncio
import gc
import hashlib
import json
import logging
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from controller import wiring
from controller.accounts import directory
from controller.management import server
from controller.management.catalogue import OPERATIONS
from controller.pushes import due, retry
from controller.store import database
from tests.simulation.faults import heal, trouble
from tests.simulation.invariants import check, is_quiet, watch
from tests.simulation.loop import SimulatedLoop
from tests.simulation.world import SECRET_KEY, SYNCHRONOUS, World, make_template

_TROUBLE = 20.0
"""Seconds in which calls are asked for and things go wrong."""

_PEACE = 400.0
"""Seconds in which everything must come to its end once nothing goes wrong any more."""


_COLLECT_EVERY = 10
"""Worlds after which garbage is looked for; never in one, so that each runs the same every time."""


@dataclass
class Result:
    """What became of a world."""

    seed: int
    wrong: list[str]
    calls: int
    faults: list[tuple[float, str]]
    virtual_seconds: float
    trace: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def replay(self) -> str:
        """The command that runs this world again."""
        return f"python -m tests.simulation --seed {self.seed}"

    @property
    def digest(self) -> str:
        """Of everything that happened: the same for the same seed."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]


def scratch() -> Path:
    """A folder in memory, if there is one: nothing here survives a power failure anyway."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))


@contextmanager
def prepared() -> Iterator[Path]:
    """Everything that worlds share. What happens every half second or after hours happens at other times."""
    folder = scratch()
    template = folder / "template.db"
    make_template(template)
    described = server.document(OPERATIONS)
    seal = database.seal_of(SECRET_KEY, folder)
    gc.disable()
    try:
        with (
            changed(directory, "REFRESH_INTERVAL", 20.0),
            changed(due, "LOOK_AGAIN", timedelta(seconds=20)),
            changed(retry, "DURABLE_PAUSES", (timedelta(seconds=2),) * 9),
            # The template has the present schema; to find that out takes longer than a whole world.
            changed(wiring, "migrate", lambda _url: None),
            # So does writing the management API's document, which is made once in a program's life.
            changed(server, "document", lambda _operations: described),
            # Statements are compiled once for each engine; every world has its database in the same place.
            changed(database, "seal_of", lambda _key, _file: seal),
            changed(database, "make_engine", cache(database.make_engine)),
        ):
            # The first world makes what is made once.
            simulate(0, template)
            gc.freeze()
            yield template
    finally:
        gc.unfreeze()
        with _quietly():
            _collect_all()
        gc.enable()
        shutil.rmtree(folder)


@contextmanager
def changed(place: object, name: str, value: object) -> Iterator[None]:
    """Have something else under this name for a while."""
    kept = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, kept)


@contextmanager
def _quietly() -> Iterator[None]:
    """What a killed program would say while it is taken apart is nothing that happened."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        sys.unraisablehook = hook


def simulate(seed: int, template: Path) -> Result:
    """Run the world of a seed to its end."""
    loop = SimulatedLoop(Random(f"{seed} loop"))
    faults: list[str] = []
    loop.set_exception_handler(lambda _loop, context: faults.append(_said(context)))
    world = World(seed, loop, template.parent / "world", template)
    logger, level = logging.getLogger("controller"), logging.getLogger("controller").level
    logger.addHandler(world.lines)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        asyncio.set_event_loop(loop)
        wrong = loop.run_until_complete(_run(world))
        wrong += [f"nobody dealt with: {fault}" for fault in faults]
        return Result(
            seed, wrong, len(world.accepted), world.faults, loop.time(), _trace(world), world.lines.lines
        )
    finally:
        logger.removeHandler(world.lines)
        _throw_away(world, loop)
        logger.setLevel(level)
        logger.propagate = True


def _said(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context['message']} {''.join(traceback.format_exception(error)) if error else ''}"


def _throw_away(world: World, loop: SimulatedLoop) -> None:
    with _quietly():
        loop.set_exception_handler(lambda *_: None)
        world.close()
        seal = database.seal_of(SECRET_KEY, world.folder)
        database.make_engine(world.url, synchronous=SYNCHRONOUS, seal=seal).dispose()
        loop.close()
        asyncio.set_event_loop(None)
        if world.seed % _COLLECT_EVERY == 0:
            _collect_all()


def _collect_all() -> None:
    """Throw away what nobody holds, and then what only that held: a killed program goes in rounds."""
    for _round in range(9):
        if not gc.collect():
            return


async def _run(world: World) -> list[str]:
    random = Random(f"{world.seed} faults")
    watching = asyncio.create_task(watch(world))
    async with world.asterisk:
        world.start_controller()
        await world.until(lambda: world.controller is not None, 30)
        customers = asyncio.create_task(world.customers(random.randrange(3, 11), _TROUBLE))
        await trouble(world, random, _TROUBLE)
        await customers
        await world.until(lambda: world.controller is not None, 60)
        world.loop.spare()
        heal(world)
        await world.until(lambda: is_quiet(world), _PEACE)
        wrong = check(world)
        watching.cancel()
        if world.controller is not None:
            await world.stop_controller()
            wrong += world.wrong
        return wrong


def _trace(world: World) -> list[str]:
    """All that happened, in words, in the order of its kind."""
    asterisk = world.asterisk
    return [
        *(f"{at:.6f} fault {fault}" for at, fault in world.faults),
        *(
            f"{asked.at:.6f} asked {asked.method} {asked.uri} {dict(asked.parameters)}"
            for asked in asterisk.requests
        ),
        *(json.dumps(event, sort_keys=True) for event in asterisk.events),
        *(
            f"{push.at:.6f} push {push.session} {push.kind} {push.sequence}"
            for push in world.receivers.received
        ),
        *(f"{at:.6f} accepted {session}" for session, at in world.accepted.items()),
        f"{world.loop.time():.6f} end after {world.loop.steps} steps",
    ]
