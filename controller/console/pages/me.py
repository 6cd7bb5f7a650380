"""One's own login: password, second factor, sessions."""

from typing import Final

import segno
from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.own_sessions import end_sessions, list_sessions
from controller.management.resources.second_factors import (
    NewSecondFactor,
    begin_second_factor,
    confirm_second_factor,
    remove_second_factor,
)
from controller.management.resources.sessions import change_password, get_me

pages = Pages()

PASSWORD: Final = Form(
    (
        Field("old", N_("Password until now"), "password", required=True),
        Field("new", N_("New password"), "password", required=True, help=N_("12 characters or more.")),
    )
)
_PROOF: Final = Field("password", N_("Your password"), "password", required=True)
_CODE: Final = Field(
    "code", N_("Code"), "code", required=True, empty="", help=N_("Six digits that the app shows.")
)
BEGIN: Final = Form((_PROOF,))
CONFIRM: Final = Form((_CODE,))
REMOVE: Final = Form((_PROOF, _CODE))
END: Final = Form((Field("session_id", N_("Which"), "choice", empty=""), _PROOF))


@pages.get("/me")
async def me(visit: Visit) -> web.StreamResponse:
    """One's login, and the form for another password."""
    return await _me(visit, visit.blank(PASSWORD))


@pages.post("/me/password")
async def password(visit: Visit) -> web.StreamResponse:
    """Another password."""
    sent = await visit.sent(PASSWORD)
    await sent.to(change_password)
    if sent.is_refused:
        return await _me(visit, sent)
    return visit.go("/me", "The password is changed; all your other sessions have ended.")


@pages.get("/me/second-factor")
async def second_factor(visit: Visit) -> web.StreamResponse:
    """The form to begin with one, or to take it away."""
    has_one = (await visit.run(get_me)).second_factor
    return _factor(visit, visit.blank(REMOVE if has_one else BEGIN), has_one=has_one)


@pages.post("/me/second-factor")
async def begin(visit: Visit) -> web.StreamResponse:
    """What the app is to know, shown now and never again."""
    sent = await visit.sent(BEGIN)
    made = await sent.to(begin_second_factor)
    if made is None:
        return _factor(visit, sent)
    return _confirmation(visit, visit.blank(CONFIRM), made)


@pages.post("/me/second-factor/confirm")
async def confirm(visit: Visit) -> web.StreamResponse:
    """It counts from now on."""
    sent = await visit.sent(CONFIRM)
    await sent.to(confirm_second_factor)
    if sent.is_refused:
        return _confirmation(visit, sent)
    return visit.go("/me", "The second factor counts from now on; all your other sessions have ended.")


@pages.post("/me/second-factor/remove")
async def remove(visit: Visit) -> web.StreamResponse:
    """It counts no longer."""
    sent = await visit.sent(REMOVE)
    await sent.to(remove_second_factor)
    if sent.is_refused:
        return _factor(visit, sent, has_one=True)
    return visit.go("/me", "The second factor is gone; all your other sessions have ended.")


@pages.get("/me/sessions")
async def sessions(visit: Visit) -> web.StreamResponse:
    """Where one is logged in."""
    return await _sessions(visit)


@pages.post("/me/sessions/end")
async def end(visit: Visit) -> web.StreamResponse:
    """One of them ends, or all others."""
    sent = await visit.sent(END)
    await sent.to(end_sessions)
    if sent.is_refused:
        return await _sessions(visit, sent)
    return visit.go("/me/sessions", "Ended.")


async def _me(visit: Visit, form: Sent) -> web.Response:
    return visit.render("me.html", form=form, me=await visit.run(get_me), status=form.status)


def _factor(visit: Visit, form: Sent, *, has_one: bool = False) -> web.Response:
    return visit.render("second_factor.html", form=form, has_one=has_one, status=form.status)


def _confirmation(visit: Visit, form: Sent, made: NewSecondFactor | None = None) -> web.Response:
    # Light behind it in dark pages too, or no app can read it.
    picture = None if made is None else segno.make(made.address).svg_data_uri(scale=5, light="#fff")
    return visit.render(
        "second_factor_confirm.html", form=form, made=made, picture=picture, status=form.status
    )


async def _sessions(visit: Visit, sent: Sent | None = None) -> web.Response:
    found = (await visit.run(list_sessions)).items
    choices = [("", N_("All but this one")), *((one.id, f"{one.address} {one.id}") for one in found)]
    form = END.offering(session_id=choices)
    shown = visit.blank(form) if sent is None else sent
    shown.form = form
    return visit.render("sessions.html", sessions=found, form=shown, status=shown.status)
