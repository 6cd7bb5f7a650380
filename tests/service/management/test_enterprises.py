"""Enterprises: a qualification is filled in, submitted, and approved or rejected with a reason."""

import hashlib
from typing import Any

import pytest
from service.management.world import ALPHA, BETA, Reply, World

from controller.accounts.qualification import LARGEST_DOCUMENT
from controller.management.roles import Role
from controller.store.enterprise_tables import DocumentKind

pytestmark = pytest.mark.requirement("C2")

WHOLE = {
    "full_name": "Acme (Hangzhou) Co., Ltd.",
    "code": "91330100000000000X",
    "phone": "+86 571 2688 0000",
    "legal_representative": "L. R.",
    "scenario": "Parcels",
    "script": "Your parcel has come.",
    "calls_per_day": 1000,
    "peak_calls": 10,
    "handler_name": "H. P.",
    "handler_phone": "+86 139 0000 1111",
    "handler_address": "1 Road, Hangzhou",
}
PDF = b"%PDF-1.7 a licence"


async def draft(world: World, **more: Any) -> str:
    """A new enterprise of alpha's; its path."""
    reply = await world.ask("POST", "/enterprises", {**WHOLE, **more}, role=Role.DEVELOPER, of=ALPHA)
    assert reply.status == 201, reply.text
    return f"/enterprises/{reply.body['id']}"


async def upload(
    world: World, path: str, kind: str, content: bytes = PDF, media_type: str = "application/pdf", **who: Any
) -> Reply:
    headers = {"Content-Type": media_type}
    return await world.ask("PUT", f"{path}/document?kind={kind}", content, headers=headers, **who)


async def submitted(world: World) -> str:
    """A whole qualification that was submitted."""
    path = await draft(world)
    for kind in DocumentKind:
        assert (await upload(world, path, kind)).status == 200
    reply = await world.ask("POST", f"{path}/submit", role=Role.DEVELOPER, of=ALPHA)
    assert reply.body["state"] == "submitted", reply.text
    return path


async def decide(world: World, path: str, how: str, body: Any = None) -> Reply:
    """Approve or reject what is there now."""
    read = await world.ask("GET", path)
    return await world.ask("POST", f"{path}/{how}", body, headers=read.etag)


async def edit(world: World, path: str, **changes: Any) -> Reply:
    return await world.ask("PATCH", path, changes, headers={"If-Match": "*"}, of=ALPHA)


async def state(world: World, path: str) -> str:
    return str((await world.ask("GET", path)).body["state"])


async def test_C2_given_a_whole_qualification_when_submitted_and_approved_then_it_is_so_and_fixed(
    here: World,
) -> None:
    path = await submitted(here)

    approved = await decide(here, path, "approve")
    edited = await edit(here, path, scenario="Something else")
    document = await upload(here, path, "licence", PDF + b"!")
    again = await decide(here, path, "reject", {"reason": "no"})

    assert (approved.status, approved.body["state"]) == (200, "approved")
    assert {name: approved.body[name] for name in WHOLE} == WHOLE
    assert approved.body["decided_at"] == "2026-11-24T08:00:00.000000Z"
    assert [reply.slug for reply in (edited, document, again)] == ["conflict"] * 3


@pytest.mark.requirement("C7")
async def test_C7_given_a_submitted_qualification_when_decided_in_the_queue_then_contacts_are_told(
    here: World,
) -> None:
    contact = {"email": "ops@alpha.example"}
    assert (await here.ask("POST", "/contacts", contact, role=Role.ADMINISTRATOR, of=ALPHA)).status == 201
    path = await submitted(here)

    [waiting] = (await here.ask("GET", "/reviews?state=pending&kind=enterprise")).body["items"]
    assert (waiting["subject"], waiting["submitted_by"]) == (path.rpartition("/")[2], "developer@alpha")
    reason = {"reason": "The licence can't be read."}
    decided = await here.ask("POST", f"/reviews/{waiting['id']}/reject", reason, role=Role.OPERATOR)
    assert decided.status == 200, decided.text
    read = (await here.ask("GET", path)).body
    assert (read["state"], read["reason"]) == ("rejected", "The licence can't be read.")
    assert read["decided_at"] == "2026-11-24T08:00:00.000000Z"
    [notice] = (await here.ask("GET", "/notices", of=ALPHA)).body["items"]
    assert notice["event"] == "review.rejected"

    await here.ask("POST", f"{path}/submit", of=ALPHA)
    approved = await decide(here, path, "approve")
    assert approved.body["state"] == "approved"
    queue = (await here.ask("GET", "/reviews?kind=enterprise&newest_first=true")).body["items"]
    assert [one["state"] for one in queue] == ["approved", "rejected"]
    assert (await here.ask("GET", "/reviews?state=pending")).body["items"] == []
    told = (await here.ask("GET", "/notices", of=ALPHA)).body["items"]
    assert sorted(one["event"] for one in told) == ["review.approved", "review.rejected"]


@pytest.mark.requirement("C7")
async def test_C7_given_a_qualification_that_is_edited_while_it_waits_when_decided_then_it_left_the_queue(
    here: World,
) -> None:
    path = await submitted(here)
    [waiting] = (await here.ask("GET", "/reviews?state=pending")).body["items"]
    await edit(here, path, script="Another text.")
    late = await here.ask("POST", f"/reviews/{waiting['id']}/approve", role=Role.OPERATOR)
    assert (late.status, await state(here, path)) == (409, "draft")
    [withdrawn] = (await here.ask("GET", "/reviews")).body["items"]
    assert withdrawn["state"] == "withdrawn"


async def test_C2_given_a_rejected_qualification_when_mended_then_it_can_be_submitted_again(
    here: World,
) -> None:
    path = await submitted(here)

    rejected = await decide(here, path, "reject", {"reason": "The licence can't be read."})
    mended = await upload(here, path, "licence", PDF + b", readable")
    again = await here.ask("POST", f"{path}/submit", of=ALPHA)

    assert (rejected.body["state"], rejected.body["reason"]) == ("rejected", "The licence can't be read.")
    assert (mended.body["state"], mended.body["reason"]) == ("draft", "The licence can't be read.")
    assert (again.body["state"], again.body["reason"]) == ("submitted", None)
    assert (await decide(here, path, "approve")).body["state"] == "approved"


async def test_C2_given_a_submitted_qualification_when_edited_then_it_must_be_submitted_again(
    here: World,
) -> None:
    path = await submitted(here)
    read = await here.ask("GET", path)

    await edit(here, path, script="Another text.")
    outdated = await here.ask("POST", f"{path}/approve", headers=read.etag)
    unsubmitted = await decide(here, path, "approve")

    assert (outdated.status, unsubmitted.status) == (412, 409)
    assert await state(here, path) == "draft"


async def test_C2_given_holes_when_submitted_then_422_names_each_and_it_stays_a_draft(here: World) -> None:
    path = await draft(here, script="", peak_calls=None)
    await upload(here, path, "licence")

    reply = await here.ask("POST", f"{path}/submit", of=ALPHA)

    assert (reply.status, reply.slug) == (422, "invalid")
    assert reply.fields == [
        "script",
        "peak_calls",
        *(f"documents.{kind}" for kind in DocumentKind if kind is not DocumentKind.LICENCE),
    ]
    assert await state(here, path) == "draft"


@pytest.mark.parametrize("how", ["approve", "reject"])
async def test_C2_given_an_accounts_own_people_when_they_decide_then_403(here: World, how: str) -> None:
    path = await submitted(here)

    body = {"reason": "no"} if how == "reject" else None
    reply = await here.ask("POST", f"{path}/{how}", body, headers={"If-Match": "*"}, of=ALPHA)

    assert reply.status == 403
    assert await state(here, path) == "submitted"


async def test_C2_given_a_rejection_without_a_reason_when_sent_then_422(here: World) -> None:
    path = await submitted(here)

    replies = [await decide(here, path, "reject", body) for body in ({}, {"reason": ""})]

    assert [reply.fields for reply in replies] == [["reason"], ["reason"]]


async def test_C2_given_a_document_when_uploaded_then_it_can_be_read_by_operators_and_its_digest_is_told(
    here: World,
) -> None:
    path = await draft(here)
    await upload(here, path, "licence", PDF + b" old")

    told = (await upload(here, path, "licence")).body["documents"]
    operators = await here.ask("GET", f"{path}/document?kind=licence")
    developers = await here.ask("GET", f"{path}/document?kind=licence", role=Role.DEVELOPER, of=ALPHA)
    others = await here.ask("GET", f"{path}/document?kind=licence", of=BETA)
    missing = await here.ask("GET", f"{path}/document?kind=identity_back")
    audit = await here.ask("GET", "/audit?action=get_enterprise_document")

    digest = hashlib.sha256(PDF).hexdigest()
    assert told == {"licence": {"media_type": "application/pdf", "bytes": len(PDF), "digest": digest}}
    assert (operators.status, operators.text) == (200, PDF.decode())
    assert operators.headers["Content-Disposition"].startswith("attachment")
    assert [reply.status for reply in (developers, others, missing)] == [403, 404, 404]
    assert [(entry["target"], entry["after"]) for entry in audit.body["items"]] == [
        (path.rpartition("/")[2], {"document": "licence"})
    ]


@pytest.mark.parametrize(
    ("content", "media_type", "kind", "status"),
    [
        (b"MZ not a picture", "image/png", "licence", 422),
        (PDF, "image/jpeg", "licence", 422),
        (b"", "application/pdf", "licence", 422),
        (b"<svg/>", "image/svg+xml", "licence", 415),
        (PDF, "application/pdf", "../licence", 422),
        (PDF + b"x" * LARGEST_DOCUMENT, "application/pdf", "licence", 413),
    ],
)
async def test_C2_given_what_is_no_document_when_uploaded_then_it_is_refused_and_nothing_is_kept(
    here: World, content: bytes, media_type: str, kind: str, status: int
) -> None:
    path = await draft(here)

    reply = await upload(here, path, kind, content, media_type)

    assert reply.status == status, reply.text
    assert (await here.ask("GET", path)).body["documents"] == {}


async def test_C2_given_enterprises_in_several_states_when_listed_then_the_queue_is_what_was_submitted(
    here: World,
) -> None:
    await draft(here)
    waiting = await submitted(here)

    listed = (await here.ask("GET", "/enterprises?state=submitted")).body["items"]

    assert [f"/enterprises/{item['id']}" for item in listed] == [waiting]
