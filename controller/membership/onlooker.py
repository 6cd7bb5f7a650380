"""Who is no controller sees which of them run, also in a database whose schema is older than this program."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine

from controller.membership.membership import BEAT, GONE, GONE_ALONE
from controller.store.controllers import signs_of_life
from controller.store.engines import faults_in_one_line, make_engine

LOOK = BEAT / 2
"""Seconds from one look to the next."""

SILENCE: Final = {"postgresql": GONE, "sqlite": GONE_ALONE}
"""Seconds without a sign of life after which a controller is gone, by the kind of the database."""

_SINCE: Final = {"postgresql": "0020", "sqlite": "0024"}
"""The schema from which on controllers give signs of life."""

Check = Callable[[Connection], None]
Signs = dict[str, tuple[int, int]]


class ControllersRun(Exception):
    """Controllers run; says which."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(f"controllers are running: {', '.join(sorted(names))}")
        self.names = names


async def none_runs(url: str, schema: str, tell: Callable[[str], None]) -> Check:
    """Returns when no controller runs on this database of this schema, with a check that none began to since.

    `tell` is told what can't be seen, and what is waited for. Raises ControllersRun, DatabaseUnusable.
    """
    engine = make_engine(url)
    try:
        kind = engine.dialect.name
        if schema < _SINCE[kind]:
            tell(f"schema {schema} has no signs of life of controllers: that none runs can't be seen")
            return lambda _connection: None
        look = partial(asyncio.to_thread, _look, engine, url)
        seen = first = await look()
        if first:
            names = ", ".join(sorted(first))
            tell(f"not known to have ended: {names}; waiting {SILENCE[kind]:g} s for a sign of life")
        loop = asyncio.get_running_loop()
        until = loop.time() + SILENCE[kind]
        while seen.keys() - _living(first, seen) and loop.time() < until:
            await asyncio.sleep(LOOK)
            seen = await look()
    finally:
        engine.dispose()
    _check(first, seen)
    return lambda connection: _check(first, signs_of_life(connection))


def _look(engine: Engine, url: str) -> Signs:
    with faults_in_one_line(url), engine.connect() as connection:
        return signs_of_life(connection)


def _living(before: Signs, now: Signs) -> set[str]:
    return {name for name, sign in now.items() if before.get(name) != sign}


def _check(before: Signs, now: Signs) -> None:
    if living := _living(before, now):
        raise ControllersRun(living)
