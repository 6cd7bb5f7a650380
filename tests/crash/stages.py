"""Calls that are brought to a stage and kept there, and how far each one has come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.crash.invariants import WRITTEN_AT_A_TIME
from tests.crash.world import ANSWERS, World

SAYS_NOTHING, RINGS, BUSY = "+99901999002", "+99901999000", "+99901700000"


@dataclass(frozen=True)
class Place:
    """A stage of a service: what is asked for, and the entry of the timeline that tells that it is there.

    `outlives` names who may die meanwhile without the call ending.
    """

    stage: str
    service: str
    fields: dict[str, Any] = field(default_factory=dict)
    reached: tuple[str, str | None] = ("accepted", None)
    variant: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.service, self.stage, self.variant)))


@dataclass
class Scene:
    """Calls at their stages; `steady` ones stay there until somebody ends them."""

    world: World
    steady: dict[str, Place] = field(default_factory=dict)
    passing: dict[str, Place] = field(default_factory=dict)

    async def bring_on(self, places: Sequence[Place]) -> None:
        """A call to each of these places."""
        await asyncio.gather(*(self._bring(place) for place in places))

    async def _bring(self, place: Place) -> None:
        session = await self.world.start(str(place), place.service, **place.fields)
        self.steady[session] = place
        if place.reached[0] != "accepted":
            await self.world.until(session, *place.reached)
        if place.stage == "collecting":
            await asyncio.sleep(0.6)  # the prompt of 0.3 s is over then
        if place.stage == "recording":
            await asyncio.sleep(WRITTEN_AT_A_TIME)

    async def end_unpushed(self, places: Sequence[Place]) -> None:
        """Calls that end by themselves; their CDRs stay here, as the receiver takes none."""
        for place in places:
            session = await self.world.start(str(place), place.service, **place.fields)
            self.passing[session] = place
        query = "select count(*) from cdr where call_id = ?"
        async with asyncio.timeout(40):
            for session in [s for s, place in self.passing.items() if place in places]:
                while not self.world.sql(query, session.partition("@")[0])[0][0]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def while_nothing_passes(self, accepted: Sequence[Place], ending: Sequence[Place]) -> None:
        """Calls of which Asterisk has not been told, and others whose end it was not told of."""
        before = dict(self.steady)
        await self.bring_on(ending)
        ended = [session for session in self.steady if session not in before]
        self.world.link.hold()
        for session in ended:
            place = self.steady.pop(session)
            self.passing[session] = Place("ending", place.service)
            assert (await self.world.stop(session)).code == "0"
        for place in accepted:
            session = await self.world.start(str(place), place.service, **place.fields)
            self.passing[session] = place


STEADY = (
    Place("accepted", "notification", {"playInfoList": [{"templateId": "words", "templateParas": ["1"]}]}),
    Place("dialling", "notification", {"calleeNbr": SAYS_NOTHING}, ("callout", "a")),
    Place("dialling", "verification", {"calleeNbr": SAYS_NOTHING}, ("callout", "a")),
    Place("dialling", "callback", {"callerNbr": SAYS_NOTHING}, ("callout", "a"), "A"),
    Place("dialling", "callback", {"calleeNbr": SAYS_NOTHING}, ("callout", "b"), "B"),
    Place("ringing", "notification", {"calleeNbr": RINGS}, ("alerting", "a")),
    Place("ringing", "verification", {"calleeNbr": RINGS}, ("alerting", "a")),
    Place("ringing", "callback", {"callerNbr": RINGS}, ("alerting", "a"), "A"),
    Place("ringing", "callback", {"calleeNbr": RINGS}, ("alerting", "b"), "B"),
    Place("prompt", "notification", {"playInfoList": [{"notifyVoice": "long.wav"}]}, ("prompt", "a")),
    Place("prompt", "verification", {"preTone": "long.wav"}, ("answer", "a")),
    Place("prompt", "callback", {"playPreVoice": "true", "preVoice": "long.wav"}, ("prompt", "a")),
    Place(
        "collecting",
        "notification",
        {"playInfoList": [{"notifyVoice": "short.wav", "collectInd": 1}]},
        ("prompt", "a"),
    ),
    Place("talking", "callback", {"calleeNbr": ANSWERS}, ("answer", "b")),
    Place("recording", "callback", {"calleeNbr": ANSWERS, "recordFlag": "true"}, ("recording", None)),
)
"""Calls that stay where they are."""

UNPUSHED = tuple(
    Place("CDR not pushed", service, {number: BUSY})
    for service, number in (
        ("notification", "calleeNbr"),
        ("verification", "calleeNbr"),
        ("callback", "callerNbr"),
    )
)

UNTOLD = tuple(
    Place("accepted", service, variant="and not told to Asterisk")
    for service in ("notification", "verification", "callback")
)

ENDING = tuple(
    place
    for place in STEADY
    if (place.stage, place.service)
    in {("prompt", "notification"), ("prompt", "verification"), ("talking", "callback")}
)
"""Calls that are just being ended."""
