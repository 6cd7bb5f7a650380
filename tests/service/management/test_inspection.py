"""Quality inspection: a sample of recordings, with consent, every access told."""

from datetime import timedelta
from typing import Any

import pytest
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, World
from sqlmodel import Session

from controller.management.roles import Role
from controller.store.recordings import RecordingState
from controller.store.tables import App, Recording

pytestmark = pytest.mark.requirement("C3", "C9")
LIST = "/inspection/recordings"


async def drawn(world: World, **fields: Any) -> str:
    """A recording that was drawn; its call's id."""

    def make(session: Session) -> str:
        name = SPECIMENS["inspected_id"](session)
        recording = session.get_one(Recording, name)
        recording.purge_at = world.clock.now() + timedelta(days=7)
        for field, value in fields.items():
            setattr(recording, field, value)
        return name

    return str(await world.write(make))


async def listed(world: World) -> list[str]:
    reply = await world.ask("GET", LIST, role=Role.OPERATOR)
    assert reply.status == 200, reply.text
    return [one["call_id"] for one in reply.body["items"]]


async def test_C3_given_drawn_recordings_when_listened_to_then_it_is_in_the_audit_trail_of_both_sides(
    here: World,
) -> None:
    name = await drawn(here)
    assert await listed(here) == [name]

    link = await here.ask("POST", f"{LIST}/{name}/link", role=Role.OPERATOR)

    assert link.status == 201
    assert link.body["location"].startswith(f"/recordings/{name}.wav?expires=")
    for of in (None, ALPHA):
        trail = (await here.ask("GET", "/audit", of=of)).body["items"]
        [told] = [entry for entry in trail if entry["action"] == "inspect_recording"]
        assert (told["login"], told["target"]) == ("operator@operator", name)
        assert "signature" not in str(told)
    assert "inspect_recording" not in (await here.ask("GET", "/audit", of=BETA)).text


async def test_C3_given_recordings_that_were_not_drawn_or_without_consent_when_asked_for_then_there_are_none(
    here: World,
) -> None:
    other = await drawn(here, inspected=False)
    purged = await drawn(here, state=RecordingState.PURGED)
    assert await listed(here) == []
    name = await drawn(here)

    def withdraw(session: Session) -> None:
        session.get_one(App, f"app_of_{ALPHA}").quality_inspection = False

    await here.write(withdraw)
    assert await listed(here) == []
    for call_id in (other, purged, name, "1200_nothing"):
        assert (await here.ask("POST", f"{LIST}/{call_id}/link", role=Role.OPERATOR)).status == 404


async def test_C3_given_the_accounts_own_people_when_asking_for_the_sample_then_403(here: World) -> None:
    name = await drawn(here)
    for role in Role:
        assert (await here.ask("GET", LIST, role=role, of=ALPHA)).status == 403
        assert (await here.ask("POST", f"{LIST}/{name}/link", role=role, of=ALPHA)).status == 403
    assert (await here.ask("GET", LIST, role=Role.DEVELOPER)).status == 403
