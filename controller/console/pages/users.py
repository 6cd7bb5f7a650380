"""Users: who may log in, with which role, and whose they are."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, listed
from controller.console.pages.declared import Pages
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
    return visit.render(
        "users.html", title=visit.text("Users"), listing=await listed(visit, list_users, FILTERS)
    )


@pages.get("/users/new")
async def new(visit: Visit) -> web.StreamResponse:
    """The form for one more."""
    visit.check(create_user)
    return _new(visit, visit.blank(await for_whom(visit, NEW), role="developer", password=new_password()))


@pages.post("/users/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more, whose password is shown now and never again."""
    sent = await visit.sent(await for_whom(visit, NEW))
    made = await sent.to(create_user)
    if made is None:
        return _new(visit, sent)
    return _password_shown(visit, made, visit.text("The user is there"), sent.typed["password"])


@pages.get("/users/{user_id}")
async def user(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit)


@pages.get("/users/{user_id}/edit")
async def edit(visit: Visit) -> web.StreamResponse:
    """What can be changed, as a form."""
    present = await visit.run(get_user)
    return _edit(visit, visit.blank(EDIT, present), present)


@pages.post("/users/{user_id}/edit")
async def change(visit: Visit) -> web.StreamResponse:
    """Another role, or none any more."""
    present = await visit.run(get_user)
    sent = await visit.sent(EDIT)
    await sent.to(edit_user, since=present)
    if sent.is_refused:
        return _edit(visit, sent, present)
    return visit.go(_place(present.id), "The user is changed.")


@pages.post("/users/{user_id}/active")
async def activate(visit: Visit) -> web.StreamResponse:
    """They may log in, or no longer."""
    sent = await visit.sent(NOTHING)
    await sent.to(edit_user, also={"active": sent.typed.get("active") == "true"})
    if sent.is_refused:
        return await _show(visit, sent)
    if sent.typed.get("active") == "true":
        return visit.go(_place(visit.path["user_id"]), "They may log in again.")
    return visit.go(_place(visit.path["user_id"]), "They can't log in any more; their sessions have ended.")


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
    return _password_shown(visit, made, visit.text("The password is changed"), sent.typed["password"])


async def _show(visit: Visit, done: Sent | None = None) -> web.Response:
    return visit.render(
        "user.html",
        user=await visit.run(get_user),
        done=done or visit.blank(NOTHING),
        status=done.status if done else 200,
    )


def _password_shown(visit: Visit, user: UserView, title: str, password: str) -> web.Response:
    return visit.render(
        "secret.html",
        title=title,
        said=visit.text(
            "Pass the password on by a way that others can't read: it is not shown again. The user can "
            "change it after logging in."
        ),
        shown=[(visit.text("Login"), user.login), (visit.text("Password"), password)],
        then=_place(user.id),
        button=visit.text("I have copied it"),
    )


def _new(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New user"),
        form=form,
        action="/users/new",
        button=visit.text("Create"),
        back="/users",
        back_title=visit.text("Users"),
        status=form.status,
    )


def _edit(visit: Visit, form: Sent, present: UserView) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("Settings of %(name)s", name=present.login),
        form=form,
        action=_place(present.id) + "/edit",
        button=visit.text("Save"),
        back=_place(present.id),
        back_title=present.login,
        version=visit.version_of(present),
        status=form.status,
    )


def _password(visit: Visit, form: Sent, present: UserView) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New password for %(name)s", name=present.login),
        before=[visit.text("All their sessions end. The password until now is no good any more.")],
        form=form,
        action=_place(present.id) + "/password",
        button=visit.text("Change it"),
        danger=True,
        back=_place(present.id),
        back_title=present.login,
        version=visit.version_of(present),
        status=form.status,
    )


def _place(user_id: str) -> str:
    return f"/users/{quote(user_id)}"
