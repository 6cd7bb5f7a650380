"""What a first call needs and isn't there yet: account, applications, number and sound, all named test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.operations import Stream
from controller.management.problems import Conflict
from controller.management.resources.accounts import create_account, list_accounts
from controller.management.resources.applications import (
    ApplicationView,
    create_application,
    list_applications,
)
from controller.management.resources.numbers import allot_number, list_numbers, order_number
from controller.management.resources.reviews import approve_review, list_reviews
from controller.management.resources.sounds import get_sound, list_sounds, submit_sound, upload_sound
from controller.share import shared
from controller.store.tables import NumberState, ReviewState, Service

ACCOUNT: Final = "test"
NUMBER: Final = "+8657100000001"
"""Nobody has it: after an area code no number begins with 0."""
SOUND: Final = "test-welcome.wav"
NAMES: Final = {
    Service.NOTIFICATION: "Test notification",
    Service.VERIFICATION: "Test verification",
    Service.CALLBACK: "Test callback",
}

_LOOKS, _PAUSE = 20, 0.2
"""How often, and how many seconds apart, it is looked whether the sound can be used."""

MISSING_APP = N_("an application for each service")
MISSING_NUMBER = N_("a number to show")
MISSING_SOUND = N_("a sound file")


def missing(
    visit: Visit,
    apps: Sequence[ApplicationView],
    numbers: Sequence[str],
    sounds: Sequence[str],
    app: ApplicationView | None,
) -> list[str]:
    """What stands between who is logged in and a call of this app; nothing, once there is enough."""
    found = []
    if app is None or (not apps):
        found.append(MISSING_APP)
    if not numbers:
        found.append(MISSING_NUMBER)
    if not sounds and _needs_sound(visit, app):
        found.append(MISSING_SOUND)
    return found


def _needs_sound(visit: Visit, app: ApplicationView | None) -> bool:
    speaks = visit.services.settings.speech.engine != "off"
    return (
        app is None
        or app.service == Service.VERIFICATION
        or (app.service == Service.NOTIFICATION and not speaks)
    )


def may_prepare(visit: Visit) -> bool:
    """Whether all of it can be made at once: by the operator's people who make accounts and decide."""
    return all(
        visit.allows(operation)
        for operation in (create_account, create_application, order_number, allot_number, approve_review)
    )


async def prepare(visit: Visit) -> None:
    """Make what is not there; what is, stays as it is. Raises Problem."""
    accounts = {account.id for account in await visit.all_of(list_accounts)}
    if ACCOUNT not in accounts:
        await visit.run(create_account, body={"id": ACCOUNT, "name": "Test"})
    mine = {"account_id": ACCOUNT}
    present = {app.service for app in await visit.all_of(list_applications, query={**mine, "active": True})}
    for service, name in NAMES.items():
        if service not in present:
            body: dict[str, Any] = {**mine, "name": name, "service": service}
            await visit.run(create_application, body={**body, "recording": service is Service.CALLBACK})
    await _number(visit)
    await _sound(visit)


async def _number(visit: Visit) -> None:
    mine = {"account_id": ACCOUNT}
    numbers = await visit.all_of(list_numbers, query=mine)
    if any(number.state == NumberState.ACTIVE for number in numbers):
        return
    if not any(number.number == NUMBER and number.state == NumberState.ORDERED for number in numbers):
        await visit.run(order_number, body={**mine, "number": NUMBER})
    await visit.run(allot_number, {"number": NUMBER})


async def _sound(visit: Visit) -> None:
    mine = {"account_id": ACCOUNT}
    sounds = {sound.name: sound for sound in await visit.all_of(list_sounds, query=mine)}
    if any(sound.usable for sound in sounds.values()):
        return
    language = "en" if visit.look.language == "en" else "zh"
    if SOUND not in sounds:
        content = (shared("sounds") / language / "welcome.wav").read_bytes()
        upload = Stream(_at_once(content), len(content))
        await visit.run(upload_sound, query={**mine, "name": SOUND}, body=upload)
    sound_id = f"{ACCOUNT}:{SOUND}"
    if SOUND not in sounds or sounds[SOUND].state == ReviewState.DRAFT:
        await visit.run(submit_sound, {"sound_id": sound_id})
    waiting = await visit.all_of(list_reviews, query={**mine, "state": "pending"})
    review = next((it for it in waiting if it.subject == SOUND), None)
    if review is None:
        raise Conflict(f"There is no submission of {SOUND}")
    await visit.run(approve_review, {"review_id": review.id})
    # A node has to show that it plays it, which takes a moment.
    for _ in range(_LOOKS):
        if (await visit.run(get_sound, {"sound_id": sound_id})).usable:
            return
        await asyncio.sleep(_PAUSE)


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content
