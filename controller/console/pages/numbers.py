"""Numbers that calls show."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from controller.console.forms import ALL, Field, Form, Sent
from controller.console.listing import ACCOUNT, list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind
from controller.console.pages.terms import NUMBER_STATES, any_of
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import Problem
from controller.management.resources.applications import (
    ApplicationView,
    edit_application,
    list_applications,
)
from controller.management.resources.numbers import (
    NumberView,
    allot_number,
    edit_number,
    get_number,
    list_numbers,
    order_number,
    release_number,
    resume_number,
    suspend_number,
)
from controller.store.tables import NumberState

pages = Pages()
NUMBERS: Final = Kind[NumberView](
    "/numbers", N_("Numbers"), lambda number: number.number, lambda number: number.number, "number"
)

FILTERS: Final = Form((ACCOUNT, Field("state", N_("State"), "choice", choices=any_of(NUMBER_STATES))))
NEW: Final = Form(
    (
        ACCOUNT,
        Field(
            "number",
            N_("Number"),
            required=True,
            placeholder="+8657126880001",
            help=N_("With its country code, and the area code without its leading 0."),
        ),
    )
)
EDIT: Final = Form(
    (
        Field(
            "app_keys",
            N_("Applications that may show it"),
            "several",
            help=N_("If nothing is chosen, no call shows it."),
        ),
        Field("max_calls", N_("Calls at a time that show it"), "number", help=N_("Nothing: any number.")),
    )
)
BIND: Final = Form((Field("app_key", N_("Application"), "choice"),))
RELEASE: Final = Form((Field("again", N_("Type the number"), "confirm", required=True),))
NOTHING: Final = Form(())


@pages.get("/numbers")
async def numbers(visit: Visit) -> web.StreamResponse:
    """All that there are."""
    return await list_page(
        visit,
        "numbers.html",
        list_numbers,
        FILTERS,
        title=visit.text("Numbers"),
        states=NUMBER_STATES,
        may_order=visit.allows(order_number),
    )


NUMBERS.made_by(
    pages,
    order_number,
    NEW,
    N_("The number is ordered. Calls can show it when it is allotted."),
    title=N_("Order a number"),
    button=N_("Order"),
    before=[N_("A number costs rent from the day it is allotted, until it is released.")],
)


@pages.get("/numbers/{number}")
async def number(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit)


@pages.post("/numbers/{number}/allot")
async def allot(visit: Visit) -> web.StreamResponse:
    """From now on calls can show it."""
    return await _moved(visit, allot_number, N_("The number is allotted: calls can show it from now on."))


@pages.post("/numbers/{number}/suspend")
async def suspend(visit: Visit) -> web.StreamResponse:
    """Calls that ask for it show another one."""
    return await _moved(visit, suspend_number, N_("The number is suspended: calls show another one."))


@pages.post("/numbers/{number}/resume")
async def resume(visit: Visit) -> web.StreamResponse:
    """Calls show it again."""
    return await _moved(visit, resume_number, N_("Calls show the number again."))


@pages.post("/numbers/{number}/bind")
async def bind(visit: Visit) -> web.StreamResponse:
    """It becomes the business number of an application."""
    sent = await visit.sent(BIND)
    try:
        await visit.run(
            edit_application,
            {"app_key": sent.typed.get("app_key", "")},
            body={"bind_number": visit.path["number"]},
            version="*",
        )
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        sent.form = BIND
        sent.refused(problem, {"bind_number": "app_key"})
        return await _show(visit, bound=sent)
    return visit.go(NUMBERS.place_in(visit), "It is the application's business number now.")


@pages.get("/numbers/{number}/release")
async def release_page(visit: Visit) -> web.StreamResponse:
    """What releasing it means, and the form for it."""
    visit.check(release_number)
    return _release(visit, visit.blank(RELEASE), await visit.run(get_number))


@pages.post("/numbers/{number}/release")
async def release(visit: Visit) -> web.StreamResponse:
    """It is given back for good."""
    present = await visit.run(get_number)
    sent = await visit.sent(RELEASE)
    if sent.confirms(present.number):
        await sent.to(release_number)
    if sent.is_refused:
        return _release(visit, sent, present)
    return visit.go("/numbers", "The number %(number)s is released.", number=present.number)


async def _moved(visit: Visit, handler: Callable[..., Awaitable[Any]], notice: str) -> web.Response:
    sent = await visit.sent(NOTHING)
    await sent.to(handler)
    if sent.is_refused:
        return await _show(visit, sent)
    return visit.go(NUMBERS.place_in(visit), notice)


async def _show(visit: Visit, done: Sent | None = None, bound: Sent | None = None) -> web.Response:
    present = await visit.run(get_number)
    apps = await _apps(visit, present)
    able = [app for app in apps if present.app_keys is None or app.app_key in present.app_keys]
    offered = [(app.app_key, app.name or app.app_key) for app in able if app.bind_number != present.number]
    bind_form = BIND.offering(app_key=offered)
    if bound is not None:
        bound.form = bind_form
    return visit.render(
        "number.html",
        number=present,
        state=NUMBER_STATES[present.state],
        done=done or visit.blank(NOTHING),
        bind=bound or visit.blank(bind_form),
        able=able,
        bound_to=[app for app in apps if app.bind_number == present.number],
        may_bind=bool(offered)
        and visit.allows(edit_application)
        and present.state in (NumberState.ACTIVE, NumberState.SUSPENDED),
        may_edit=visit.allows(edit_number) and present.state != NumberState.RELEASED,
        may_move=visit.allows(allot_number),
        may_release=visit.allows(release_number) and present.state != NumberState.RELEASED,
        status=(done or bound or visit.blank(Form(()))).status,
    )


async def _apps(visit: Visit, present: NumberView) -> list[ApplicationView]:
    return await visit.all_of(list_applications, query={"account_id": present.account_id})


async def _edit_form(visit: Visit, present: NumberView) -> Form:
    choices = [(app.app_key, app.name or app.app_key) for app in await _apps(visit, present)]
    return EDIT.offering(app_keys=[(ALL, N_("all of the account, also those to come")), *choices])


NUMBERS.changed_by(pages, get_number, edit_number, _edit_form, N_("The number is changed."))


def _release(visit: Visit, form: Sent, present: NumberView) -> web.Response:
    return NUMBERS.deed(
        visit,
        form,
        present,
        "release",
        title=visit.text("Release %(number)s", number=present.number),
        button=visit.text("Release the number"),
        before=[
            visit.text(
                "The number is given back for good: this can't be undone, and another account may order it "
                "at once. People who call it back no longer reach you."
            ),
            visit.text(
                "Its rent for this month is charged already and is not paid back. From next month on it "
                "costs nothing. Whoever orders it again pays rent from the day it is allotted."
            ),
        ],
        danger=True,
    )
