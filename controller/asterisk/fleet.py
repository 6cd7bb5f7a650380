"""The fleet: all Asterisk nodes that this controller makes calls on, and which of them gets a call.

Both legs of a call are on one node. It is one that takes calls, that has the trunks that were declared, that
reaches the numbers over a trunk of which nothing bad is known, whose calls don't all fail there, that is not
late with what it was asked to do, and of these the one that has the fewest calls in proportion to its weight.

A node that a carrier refuses has few calls just because they fail: it would get all of them.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from controller import ari
from controller.asterisk.errors import NodeUnavailable, NoRoute
from controller.asterisk.node import Node
from controller.asterisk.phones import Phones
from controller.asterisk.routing import RouteConfiguration, TrunkConfiguration, Way
from controller.asterisk.trunk_states import TrunkState
from controller.phone_number import PhoneNumber
from controller.settings import AsteriskSettings, PhoneSettings

log = logging.getLogger(__name__)

LATE: Final = 1.0
"""Seconds that a command for Asterisk may wait for its turn; then the node gets calls last."""


def retry_unless_replaced(error: BaseException, attempt: int, random: Random) -> float | None:
    """For one node of several: what refuses the password now may have it set right while others go on."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return random.uniform(2.5, 5.0)
    return ari.retry_unless_refused(error, attempt, random)


def made_fleet(settings: Sequence[AsteriskSettings], *, phone: PhoneSettings, **parts: Any) -> "Fleet":
    """The nodes of these settings, of which the first has the phones; `parts` are those of `Node`."""
    if len(settings) == 1:
        return Fleet([Node(settings[0], phone=phone, **parts)])
    first, *others = settings
    parts["retry"] = retry_unless_replaced
    return Fleet([Node(first, phone=phone, **parts), *(Node(one, **parts) for one in others)])


class Fleet:
    """Nodes in the order of the settings, one at least."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self.first = nodes[0]
        """Has the phones in browsers."""

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        """The node of this name. Raises KeyError."""
        return self._nodes[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all nodes."""
        return tuple(self._nodes)

    @property
    def takes_calls(self) -> bool:
        """Calls can be made now."""
        return any(node.takes_calls for node in self)

    @property
    def trunks_in_force(self) -> bool:
        """A node that takes calls has the trunks that were declared."""
        takers = [node for node in self if node.takes_calls] or [self.first]
        return any(node.trunks_in_force for node in takers)

    @property
    def phones(self) -> Phones:
        """The phones in browsers."""
        return self.first.phones

    @property
    def fetchers(self) -> set[str]:
        """The IP addresses at which nodes were reached that fetch what they play."""
        return {node.ari.peer for node in self if node.fetches} - {""}

    @property
    def longest_wait(self) -> float:
        """Seconds that commands wait for their turn where that takes the least time."""
        return min((node.ari.longest_wait for node in self if node.takes_calls), default=0.0)

    @property
    def in_flight(self) -> int:
        """Commands without an answer, of all nodes."""
        return sum(node.ari.in_flight for node in self)

    def media(self, media: str) -> str:
        """What any node can play: an address as soon as one of them shares no files with the controller."""
        apart = (node for node in self if node.fetches)
        return next(apart, self.first).media(media)

    def choose(self, numbers: Collection[PhoneNumber]) -> Node:
        """The node for a call to these numbers. Raises NodeUnavailable, NoRoute."""
        takers = [node for node in self if node.takes_calls]
        if any(self.phones.has(number) for number in numbers):
            takers = [node for node in takers if node is self.first]
        if not takers:
            raise NodeUnavailable(self._why_unavailable())
        refused: NoRoute | None = None
        reached: list[tuple[tuple[bool, bool, int, bool, float], Node]] = []
        for node in takers:
            try:
                cut = any(node.is_cut(number) for number in numbers)
                failures = max(node.failures(number) for number in numbers)
            except NoRoute as error:
                refused = error
            else:
                late = node.ari.longest_wait > LATE
                reached.append(((not node.trunks_in_force, cut, failures, late, node.load), node))
        if not reached:
            assert refused is not None
            raise refused
        return min(reached, key=lambda found: found[0])[1]

    def ways_from(self, name: str, number: PhoneNumber) -> tuple[Way, ...]:
        """The ways to a number for a node that dials it for a dialplan of its own, drained or not.

        Of a name that none has, those of the node that a call to the number would get.
        Raises NodeUnavailable, NoRoute.
        """
        node = self._nodes.get(name) or self.choose([number])
        if node is not self.first and self.phones.has(number):
            raise NoRoute(number, f"the phone in a browser {number} is reached from {self.first.name} alone")
        return node.ways(number)

    def _why_unavailable(self) -> str:
        if len(self) == 1:
            return f"{self.first.name} takes no calls now"
        return "no node takes calls now"

    async def configure(
        self,
        trunks: Iterable[TrunkConfiguration],
        routes: Iterable[RouteConfiguration],
        draining: Collection[str],
    ) -> None:
        """Put trunks, routes and draining into force; running calls are not touched.

        What can't be done now is tried again until it succeeds; meanwhile the node gets calls last.
        """
        trunks, routes = list(trunks), list(routes)
        for node in self:
            node.draining = node.name in draining
        await asyncio.gather(*(node.configure(trunks, routes) for node in self))

    def trunk_states(self) -> list[tuple[str, TrunkState]]:
        """How all trunks are on each node: (node, state), by trunk."""
        found = [(node.name, state) for node in self for state in node.trunks.all()]
        return sorted(found, key=lambda pair: pair[1].name)

    def trunks_work(self) -> dict[str, bool]:
        """Whether nothing is known against a trunk on any node."""
        works: dict[str, bool] = {}
        for _node, state in self.trunk_states():
            works[state.name] = works.get(state.name, True) and state.works
        return works

    def set_variable(self, name: str, value: Callable[[str], str]) -> None:
        """Have every node's dialplan know what `value` makes of the node's name, after each connect."""
        for node in self:
            node.global_variables[name] = value(node.name)

    def prove_with(self, media: str, seconds: float) -> None:
        """Have nodes show that they play this before they get calls, after each connect.

        Of a single node that shares the controller's files nothing is asked: without it there are no calls.
        """
        for node in self:
            if len(self) > 1 or node.fetches:
                node.probe = (media, seconds)

    async def wait_ready(self) -> None:
        """Wait until a node takes calls. Raises what every node was given up for."""
        waiting = {asyncio.ensure_future(node.wait_takes_calls()) for node in self}
        try:
            while True:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(task.exception() is None for task in done):
                    return
                if not waiting:
                    done.pop().result()
        finally:
            for task in waiting:
                task.cancel()

    async def ended(self) -> None:
        """Wait until a node is given up for good, as no waiting mends it. Raises FleetError."""
        waiting = {asyncio.ensure_future(node.ended()) for node in self}
        try:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in waiting:
                task.cancel()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for node in self:
                await stack.enter_async_context(node)
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, trace)
