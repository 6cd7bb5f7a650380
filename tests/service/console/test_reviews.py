"""The page of the review queue."""

import pytest
from service.console.conftest import Browser, browser, hidden_of
from service.management.world import ALPHA, BETA, World

from controller.management.roles import Role
from controller.store.tables import Review, Template
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("C7", "C9")
FILE = {"Content-Type": "application/octet-stream"}


async def submit_sound(here: World, name: str = "hello.wav", number: int = 1) -> None:
    sound = await here.ask(
        "POST", f"/sounds?name={name}", distinct_prompt(number), role=Role.DEVELOPER, of=ALPHA, headers=FILE
    )
    assert sound.status == 201, sound.text
    done = await here.ask("POST", f"/sounds/alpha:{name}/submit", role=Role.DEVELOPER, of=ALPHA)
    assert done.status == 200, done.text


async def submit_template(here: World, text: str = "您好，${TXT_8}") -> None:
    body = {"template_id": "greet", "text": text}
    await here.ask("POST", "/templates", body, role=Role.DEVELOPER, of=ALPHA)
    await here.ask("POST", "/templates/alpha:greet/submit", role=Role.DEVELOPER, of=ALPHA)


async def state(here: World, number: int) -> tuple[str, str | None]:
    row = await here.read(lambda session: session.get(Review, number))
    return row.state, row.reason


async def test_C7_given_what_waits_when_decided_one_after_another_then_each_leads_to_the_next(
    here: World, admin: Browser
) -> None:
    await submit_sound(here)
    await submit_template(here)
    queue = await admin.get("/reviews")
    assert 'src="/api/v1/sounds/alpha%3Ahello.wav/audio"' in queue.text
    assert "<mark>${TXT_8}</mark>" in queue.text
    page = await admin.get("/reviews/rev-1")
    assert "<path d=" in page.text

    approved = await admin.answer(page, "/reviews/rev-1/approve", {})
    assert approved.place == "/console/reviews/rev-2"
    empty = await admin.fill("/reviews/rev-2", "/reviews/rev-2/reject", {"reason": " "})
    assert empty.status == 422
    assert 'id="field-reason-fault"' in empty.text
    rejected = await admin.fill("/reviews/rev-2", "/reviews/rev-2/reject", {"reason": "Says nothing."})
    assert rejected.place == "/console/reviews"

    assert await state(here, 1) == ("approved", None)
    assert await state(here, 2) == ("rejected", "Says nothing.")
    assert "Says nothing." in (await admin.get("/reviews?state=rejected")).text
    assert "hello.wav" not in (await admin.get("/reviews")).text
    twice = await admin.answer(page, "/reviews/rev-1/approve", {})
    assert twice.status == 409
    # The account sees why, where it can mend it.
    developer = await browser(here, Role.DEVELOPER, ALPHA)
    assert "Says nothing." in (await developer.get("/templates/alpha:greet")).text


async def test_C7_given_a_thing_that_was_submitted_again_when_looked_at_then_its_history_is_there(
    here: World, admin: Browser
) -> None:
    await submit_template(here)
    await admin.fill("/reviews/rev-1", "/reviews/rev-1/reject", {"reason": "Too short."})
    await here.ask("POST", "/templates/alpha:greet/submit", role=Role.DEVELOPER, of=ALPHA)
    page = await admin.get("/reviews/rev-2")
    assert "Too short." in page.text
    narrowed = await admin.get("/reviews?state=&kind=sound")
    assert "greet" not in narrowed.text
    assert "greet" in (await admin.get("/reviews?state=&kind=template&account_id=alpha")).text


async def test_C7_given_a_submission_of_something_deleted_when_looked_at_then_it_says_so(
    here: World, admin: Browser
) -> None:
    await submit_template(here)
    await here.ask("DELETE", "/templates/alpha:greet", role=Role.DEVELOPER, of=ALPHA)
    page = await admin.get("/reviews/rev-1")
    assert (page.status, "It is no longer there." in page.text) == (200, True)
    assert await here.read(lambda session: session.get(Template, (ALPHA, "greet"))) is None


async def test_C9_given_a_hostile_text_when_reviewed_then_it_is_text(here: World, admin: Browser) -> None:
    await submit_template(here, "<img src=x onerror=alert(1)>您好${TXT_1}")
    for path in ("/reviews", "/reviews/rev-1"):
        assert "<img src=x" not in (await admin.get(path)).text


@pytest.mark.requirement("C1")
async def test_C1_given_who_may_not_decide_when_asking_then_they_see_their_own_and_decide_nothing(
    here: World,
) -> None:
    await submit_template(here)
    owner = await browser(here, Role.ADMINISTRATOR, ALPHA)
    stranger = await browser(here, Role.ADMINISTRATOR, BETA)
    seen = await owner.get("/reviews/rev-1")
    assert (seen.status, "/approve" in seen.text) == (200, False)
    csrf = hidden_of(seen, "/logout")["csrf"]
    assert (await owner.post("/reviews/rev-1/approve", {"csrf": csrf})).status == 403
    assert (await stranger.get("/reviews/rev-1")).status == 404
    assert "greet" not in (await stranger.get("/reviews")).text
    assert await state(here, 1) == ("pending", None)
