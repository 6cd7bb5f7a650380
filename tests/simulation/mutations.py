"""Does the simulation notice what is missing? `make simulate-mutations` takes things away one by one."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from controller.ari import client
from controller.ari.connection import Connection
from controller.asterisk.node import Node
from controller.calls import line
from controller.calls.closing import Closing
from controller.calls.conversation import Conversation
from controller.calls.recovery import Recovery
from controller.calls.service import CallService
from controller.calls.timeline import Timeline
from controller.store import calls as rows
from controller.store import limits
from controller.store.database import Database
from controller.store.journal import Journal
from tests.simulation.simulation import changed, prepared, simulate


async def _nothing(*_args: Any, **_options: Any) -> None:
    return


def _instead(place: object, name: str, value: object) -> Callable[[], Any]:
    return lambda: changed(place, name, value)


@contextmanager
def _ignoring_gone_objects() -> Iterator[None]:
    """Nobody is told what became of objects in a gap."""
    with changed(client.Client, "_tell_what_became_of", _nothing):
        yield


@contextmanager
def _owning_nothing() -> Iterator[None]:
    """Recovery takes every channel for left behind, also those of running calls."""
    with changed(CallService, "running_ids", property(lambda _self: frozenset())):
        yield


@contextmanager
def _gathering_answers() -> Iterator[None]:
    with changed(Journal, "add_now", Journal.add):
        yield


@contextmanager
def _closing_without_looking() -> Iterator[None]:
    """A call that is closed already, or was never written down, is closed and told of."""
    end = rows.end_call

    def always(session: Any, call_id: str, **values: Any) -> bool:
        end(session, call_id, **values)
        return True

    with changed(rows, "end_call", always):
        yield


@contextmanager
def _closing_once() -> Iterator[None]:
    """The end of a call is written once, whether that works or not."""

    async def once(self: Any, work: Any) -> bool:
        try:
            return bool(await self._database.write(work))
        except Exception:
            return False

    with changed(Closing, "_persistently", once):
        yield


@contextmanager
def _accepting_unshielded() -> Iterator[None]:
    async def write(self: Database, work: Any, *, patience: float = 0.0) -> Any:
        return await self._hand_over(work, patience)

    with changed(Database, "write", write):
        yield


@contextmanager
def _hanging_up_nothing() -> Iterator[None]:
    with changed(line.Line, "hang_up", _nothing):
        yield


@contextmanager
def _sending_over_the_next_socket() -> Iterator[None]:
    """Calls are taken, and channels asked for, whether there is a connection or not."""
    with (
        changed(Node, "check_available", lambda _self: None),
        changed(Node, "takes_calls", property(lambda _self: True)),
    ):
        yield


@contextmanager
def _bridges_stay() -> Iterator[None]:
    async def leave(self: Conversation, *_error: object) -> None:
        self._events.close()

    with changed(Conversation, "__aexit__", leave):
        yield


@contextmanager
def _billing_from_the_dialling() -> Iterator[None]:
    add = Timeline.add

    def earlier(self: Timeline, entry: Any) -> None:
        add(self, entry)
        for times in self.legs.values():
            times.answered = times.answered and times.dialled

    with changed(Timeline, "add", earlier):
        yield


async def _never(*_args: object) -> None:
    await asyncio.Event().wait()


MUTATIONS: dict[str, Callable[[], Any]] = {
    "channels left behind are not hung up": _instead(Recovery, "_hang_up_left_behind", _nothing),
    "bridges left behind are not destroyed": _instead(Recovery, "_destroy_left_behind", _nothing),
    "rows left open are not closed": _instead(Recovery, "_close", _nothing),
    "no recovery after a connect": _instead(Recovery, "__call__", _nothing),
    "recovery doesn't look whose channels are": _owning_nothing,
    "answers are gathered like other entries": _gathering_answers,
    "ObjectGone is told to nobody": _ignoring_gone_objects,
    "calls of a lost Asterisk are not given up": _instead(Node, "_give_up_when_lost", _never),
    "the end of a call is written once": _closing_once,
    "a closed call is told of again": _closing_without_looking,
    "no gap in the sequence after a crash": _instead(Timeline, "skip", lambda _self, _numbers: None),
    "nobody hangs up": _hanging_up_nothing,
    "bridges are not destroyed": _bridges_stay,
    "calls are taken without a connection": _sending_over_the_next_socket,
    "live calls are not counted": _instead(limits, "_check_live", lambda *_: 1),
    "legs are billed from their dialling": _billing_from_the_dialling,
    "requests in flight outlive their socket": _instead(Connection, "_fail_unanswered", lambda _self: None),
}


def first_seed(mutation: Callable[[], Any], template: Any, seeds: int) -> tuple[int, str] | None:
    """The first seed that notices, and what it says."""
    with mutation():
        for seed in range(seeds):
            result = simulate(seed, template)
            if result.wrong:
                return seed, result.wrong[0]
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--seeds", type=int, default=2000, help="where to give up")
    parser.add_argument("--only", default="", help="mutations whose name has this")
    chosen = parser.parse_args()
    missed = 0
    with prepared() as template:
        for name, mutation in MUTATIONS.items():
            if chosen.only not in name:
                continue
            found = first_seed(mutation, template, chosen.seeds)
            missed += found is None
            print(
                f"{name}: {'NOT FOUND' if found is None else f'seed {found[0]}: {found[1][:110]}'}",
                flush=True,
            )
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
