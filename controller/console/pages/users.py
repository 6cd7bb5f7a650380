"""Users: who may log in, with which role, and whose they are."""

from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind, shown_once
from controller.console.pages.terms import ROLES, one_of
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.passwords import new_password
from controller.management.resources.users import (
    UserView,
    create_user,
    edit_user,
    get_user,
    list_users,
)

pages = Pages()
USERS: Final = Kind[UserView]("/users", N_("Users"), lambda user: user.id, lambda user: user.login, "user_id")

FILTERS: Final = Form((ACCOUNT,))
_PASSWORD: Final = Field(
    "password",
    N_("Password"),
    required=True,
    empty="",
    help=N_(
        "12 characters or more. This one is made by chance; it is shown here so that you can pass it on."
    ),
)
_ROLE: Final = Field(
    "role",
    N_("Role"),
    "choice",
    choices=one_of(ROLES),
    help=N_(
        "A viewer reads; a developer works with applications, sounds and templates; an operator runs "
        "numbers, review and limits; an administrator may do everything, users among it."
    ),
)
NEW: Final = Form(
    (
        Field(
            "account_id",
            N_("Account"),
            "suggest",
            help=N_("Nothing: one of the operator's own people, who see all accounts."),
        ),
        Field(
            "login",
            N_("Login"),
            required=True,
            empty="",
            help=N_("Letters, digits and . _ @ + -. It can't be changed."),
        ),
        Field("name", N_("Person"), empty=""),
        _ROLE,
        _PASSWORD,
    )
)
EDIT: Final = Form(
    (
        Field("name", N_("Person"), empty=""),
        _ROLE,
        Field(
            "active",
            N_("May log in"),
            "check",
            help=N_("Off: their sessions end and their tokens are no good."),
        ),
    )
)
PASSWORD: Final = Form((_PASSWORD,))
NOTHING: Final = Form(())


@pages.get("/users")
async def users(visit: Visit) -> web.StreamResponse:
    """All that there are."""
    return await list_page(visit, "users.html", list_users, FILTERS, title=visit.text("Users"))


USERS.made_by(
    pages,
    create_user,
    NEW,
    lambda visit, made, sent: _password_shown(visit, visit.text("The user is there"), made, sent),
    title=N_("New user"),
    values=lambda: {"role": "developer", "password": new_password()},
)


@pages.get("/users/{user_id}")
async def user(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit)


USERS.changed_by(pages, get_user, edit_user, EDIT, N_("The user is changed."))


@pages.post("/users/{user_id}/active")
async def activate(visit: Visit) -> web.StreamResponse:
    """They may log in, or no longer."""
    sent = await visit.sent(NOTHING)
    await sent.to(edit_user, also={"active": sent.typed.get("active") == "true"})
    if sent.is_refused:
        return await _show(visit, sent)
    if sent.typed.get("active") == "true":
        return visit.go(USERS.place_in(visit), "They may log in again.")
    return visit.go(USERS.place_in(visit), "They can't log in any more; their sessions have ended.")


@pages.post("/users/{user_id}/second-factor/remove")
async def forget_second_factor(visit: Visit) -> web.StreamResponse:
    """They have lost it."""
    sent = await visit.sent(NOTHING)
    await sent.to(edit_user, also={"second_factor": False})
    if sent.is_refused:
        return await _show(visit, sent)
    return visit.go(USERS.place_in(visit), "The second factor is gone; their sessions have ended.")


@pages.get("/users/{user_id}/password")
async def password_page(visit: Visit) -> web.StreamResponse:
    """The form for another password."""
    return _password(visit, visit.blank(PASSWORD, password=new_password()), await visit.run(get_user))


@pages.post("/users/{user_id}/password")
async def password(visit: Visit) -> web.StreamResponse:
    """Another password, shown now and never again."""
    present = await visit.run(get_user)
    sent = await visit.sent(PASSWORD)
    made = await sent.to(edit_user)
    if made is None:
        return _password(visit, sent, present)
    return _password_shown(visit, visit.text("The password is changed"), made, sent)


async def _show(visit: Visit, done: Sent | None = None) -> web.Response:
    return visit.render(
        "user.html",
        user=await visit.run(get_user),
        done=done or visit.blank(NOTHING),
        status=done.status if done else 200,
    )


def _password_shown(visit: Visit, title: str, user: UserView, sent: Sent) -> web.Response:
    return shown_once(
        visit,
        title,
        visit.text(
            "Pass the password on by a way that others can't read: it is not shown again. The user can "
            "change it after logging in."
        ),
        [(visit.text("Login"), user.login), (visit.text("Password"), sent.typed["password"])],
        USERS.place_of(user.id),
    )


def _password(visit: Visit, form: Sent, present: UserView) -> web.Response:
    return USERS.deed(
        visit,
        form,
        present,
        "password",
        title=visit.text("New password for %(name)s", name=present.login),
        button=visit.text("Change it"),
        before=[visit.text("All their sessions end. The password until now is no good any more.")],
        danger=True,
    )
