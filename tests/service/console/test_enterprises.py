"""Enterprises and their qualification in the browser."""

import re

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, World

from controller.accounts.qualification import LARGEST_DOCUMENT
from controller.management.roles import Role
from controller.store.enterprise_tables import DocumentKind, Enterprise, EnterpriseState

pytestmark = pytest.mark.requirement("C2")

PDF = b"%PDF-1.7 a licence"
RECORD = {
    "code": "91330100000000000X",
    "phone": "+86 571 26880001",
    "legal_representative": "Li Wei",
    "scenario": "Parcels",
    "script": "Your parcel is here.",
    "calls_per_day": "1000",
    "peak_calls": "20",
    "handler_name": "Wang Fang",
    "handler_phone": "+86 139 0000 1111",
    "handler_address": "Hangzhou",
}
HOSTILE = '<img src=x onerror="alert(1)"> 100%'


async def _state(here: World, enterprise_id: str) -> str:
    return str((await here.read(lambda session: session.get_one(Enterprise, enterprise_id))).state)


async def test_given_a_qualification_when_completed_submitted_and_decided_then_each_side_sees_its_steps(
    here: World, admin: Browser
) -> None:
    developer = await browser(here, Role.DEVELOPER, ALPHA)
    made = await developer.fill("/enterprises/new", "/enterprises/new", {"full_name": HOSTILE})
    place = made.place.removeprefix("/console")
    enterprise_id = place.rsplit("/", 1)[1]
    early = await developer.fill(place, f"{place}/submit", {})
    assert early.status == 422
    assert "It can&#39;t be submitted yet" in early.text
    assert early.text.count('class="fault"') == len(RECORD) + len(DocumentKind)
    assert "<img src=x" not in early.text
    edited = await developer.fill(f"{place}/edit", f"{place}/edit", RECORD)
    assert edited.status == 303
    for kind in DocumentKind:
        sent = await developer.upload(
            place, f"{place}/documents/{kind}", {}, "licence.pdf", PDF, "application/pdf"
        )
        assert sent.status == 303
    submitted = await developer.fill(place, f"{place}/submit", {})
    assert submitted.status == 303
    assert f"{place}/approve" not in (await developer.get(place)).text
    no_reason = await admin.fill(place, f"{place}/reject", {"reason": ""})
    assert no_reason.status == 422
    assert 'id="field-reason-fault"' in no_reason.text
    rejected = await admin.fill(place, f"{place}/reject", {"reason": "The licence can't be read."})
    assert rejected.status == 303
    assert "The licence can&#39;t be read." in (await developer.get(place)).text
    assert (await developer.fill(place, f"{place}/submit", {})).status == 303
    document = await admin.get(f"{place}/documents/licence/download")
    assert document.text == PDF.decode()
    assert document.headers["Content-Disposition"].startswith("attachment")
    approved = await admin.fill(place, f"{place}/approve", {})
    assert approved.status == 303
    assert await _state(here, enterprise_id) == EnterpriseState.APPROVED
    assert f"{place}/edit" not in (await developer.get(place)).text


@pytest.mark.parametrize(
    ("content", "media_type", "status", "fault"),
    [
        (b"GIF89a", "image/gif", 415, "Content-Type must be application/pdf or image/jpeg or image/png"),
        (b"no pdf", "application/pdf", 422, "is not application/pdf"),
        (PDF + b" " * LARGEST_DOCUMENT, "application/pdf", 413, "The body may have 5242880 bytes at most"),
    ],
)
async def test_given_a_wrong_document_when_uploaded_then_that_is_said_beside_it(
    here: World, admin: Browser, content: bytes, media_type: str, status: int, fault: str
) -> None:
    place = f"/enterprises/{await here.write(SPECIMENS['enterprise_id'])}"
    refused = await admin.upload(place, f"{place}/documents/licence", {}, "licence", content, media_type)
    assert refused.status == status
    assert f'id="fault-licence">{fault}<' in refused.text
    assert refused.text.count('class="fault"') == 1


async def test_given_no_document_when_uploaded_then_that_is_said(here: World, admin: Browser) -> None:
    place = f"/enterprises/{await here.write(SPECIMENS['enterprise_id'])}"
    nothing = await admin.upload(place, f"{place}/documents/licence", {}, "", b"")
    assert nothing.status == 422
    assert 'id="fault-licence">is missing<' in nothing.text


async def test_given_a_change_while_the_operator_reads_when_approved_then_it_is_not(
    here: World, admin: Browser
) -> None:
    enterprise_id = await here.write(SPECIMENS["enterprise_id"])

    def submit(session: object) -> None:
        session.get_one(Enterprise, enterprise_id).state = EnterpriseState.SUBMITTED  # type: ignore[attr-defined]

    await here.write(submit)
    place = f"/enterprises/{enterprise_id}"
    read = await admin.get(place)
    version = re.search(r'/approve".*?name="version" value="([^"]+)"', read.text, re.DOTALL)
    csrf = re.search(r'name="csrf" value="([^"]+)"', read.text)
    assert version
    assert csrf
    await admin.fill(f"{place}/edit", f"{place}/edit", {"phone": "+86 571"})
    await here.write(submit)
    late = await admin.post(
        f"{place}/approve", {"csrf": csrf[1], "version": version[1].replace("&#34;", '"')}
    )
    assert late.status == 412
    assert "Somebody else has changed this meanwhile" in late.text
    assert await _state(here, enterprise_id) == EnterpriseState.SUBMITTED


@pytest.mark.requirement("C1")
async def test_given_another_accounts_enterprise_when_opened_then_there_is_none(here: World) -> None:
    place = f"/enterprises/{await here.write(SPECIMENS['enterprise_id'])}"
    foreign = await browser(here, Role.ADMINISTRATOR, BETA)
    for path in ("", "/edit", "/documents/licence/download"):
        assert (await foreign.get(place + path)).status == 404
    viewer = await browser(here, Role.VIEWER, ALPHA)
    seen = await viewer.get(place)
    assert seen.status == 200
    assert 'type="file"' not in seen.text
    assert f"{place}/submit" not in seen.text
