"""Applications: what customers' programs act for."""

from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind, shown_once
from controller.console.pages.terms import PUSH_PROFILES, SERVICES, any_of, one_of
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.applications import (
    ApplicationView,
    create_application,
    edit_application,
    get_application,
    list_applications,
    remove_webhook_secrets,
    renew_secret,
    renew_webhook_secret,
)
from controller.management.resources.numbers import list_numbers
from controller.management.roles import Role
from controller.store.tables import NumberState

pages = Pages()
APPLICATIONS: Final = Kind[ApplicationView](
    "/applications",
    N_("Applications"),
    lambda app: app.app_key,
    lambda app: app.name.strip() or app.app_key,
    "app_key",
)

FILTERS: Final = Form(
    (
        ACCOUNT,
        Field("service", N_("Service"), "choice", choices=any_of(SERVICES)),
        Field(
            "active",
            N_("State"),
            "choice",
            choices=(("", N_("any")), ("true", N_("switched on")), ("false", N_("switched off"))),
        ),
    )
)
_SETTINGS: Final = (
    Field(
        "recording",
        N_("Callbacks may be recorded"),
        "check",
        heading=N_("Recording"),
        help=N_("A request says for each call whether it is recorded."),
    ),
    Field(
        "quality_inspection",
        N_("The operator may listen to a sample of the recordings"),
        "check",
        help=N_("Consent to quality inspection; both parties hear the hint tone for it."),
    ),
    Field(
        "status_url",
        N_("Address for status pushes"),
        heading=N_("Pushes"),
        help=N_("For requests that name no address of their own."),
        placeholder="https://",
    ),
    Field("fee_url", N_("Address for CDRs"), placeholder="https://"),
    Field("push_profile", N_("How hard pushes are tried"), "choice", choices=one_of(PUSH_PROFILES)),
    Field(
        "ip_whitelist",
        N_("Networks that requests come from"),
        "lines",
        heading=N_("Requests"),
        help=N_("One a line, such as 192.0.2.0/24. Nothing: from anywhere."),
    ),
    Field(
        "max_calls",
        N_("Calls at a time"),
        "number",
        required=True,
        heading=N_("Quotas"),
    ),
    Field("calls_per_second", N_("Calls per second"), "number", help=N_("Nothing: any number.")),
)
_QUOTAS: Final = ("max_calls", "calls_per_second")
_NAME: Final = Field("name", N_("Name"), required=True, empty="")
NEW: Final = Form(
    (
        ACCOUNT,
        _NAME,
        Field(
            "service",
            N_("Service"),
            "choice",
            required=True,
            choices=one_of(SERVICES),
            help=N_("The service whose API it may use. It stays with it for good."),
        ),
        *_SETTINGS,
    )
)
EDIT: Final = Form(
    (
        _NAME,
        Field("active", N_("Switched on"), "check", help=N_("Off: it can't start calls.")),
        Field(
            "bind_number",
            N_("Business number"),
            "choice",
            help=N_("Shown when no other number can be; no other application's."),
        ),
        *_SETTINGS,
    )
)
RENEWAL: Final = Form(
    (
        Field(
            "grace_hours",
            N_("Hours in which the old secret is taken as well"),
            "number",
            required=True,
            help=N_("0: the old one is no good at once. 720 at most."),
        ),
        Field("again", N_("Type the application's name"), "confirm", required=True),
    )
)
LOGIN: Final = Form(
    (
        Field("login.user", N_("User name"), required=True),
        Field("login.password", N_("Password"), "password", required=True, help=N_("8 characters or more.")),
    )
)
NOTHING: Final = Form(())


@pages.get("/applications")
async def applications(visit: Visit) -> web.StreamResponse:
    """All that there are."""
    return await list_page(
        visit,
        "applications.html",
        list_applications,
        FILTERS,
        title=visit.text("Applications"),
        services=SERVICES,
        may_create=visit.allows(create_application),
    )


async def _new_form(visit: Visit) -> Form:
    form = await for_whom(visit, NEW)
    return form if visit.may(Role.OPERATOR) else form.without(*_QUOTAS)


APPLICATIONS.made_by(
    pages,
    create_application,
    _new_form,
    lambda visit, made, _sent: shown_once(
        visit,
        visit.text("The application is there"),
        visit.text("Copy the secret now: it is not shown again. It can only be renewed."),
        [("app_key", made.app_key), ("app_secret", made.app_secret)],
        APPLICATIONS.place_of(made.app_key),
    ),
    title=N_("New application"),
    values={"push_profile": "compat", "max_calls": "10"},
)


@pages.get("/applications/{app_key}")
async def application(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit, await visit.run(get_application))


@pages.get("/applications/{app_key}/secret")
async def renewal(visit: Visit) -> web.StreamResponse:
    """What renewing the secret means, and the form for it."""
    visit.check(renew_secret)
    return _renewal(visit, visit.blank(RENEWAL, grace_hours="24"), await visit.run(get_application))


@pages.post("/applications/{app_key}/secret")
async def renew(visit: Visit) -> web.StreamResponse:
    """Another secret, shown now and never again."""
    present = await visit.run(get_application)
    sent = await visit.sent(RENEWAL)
    made = await sent.to(renew_secret) if sent.confirms(APPLICATIONS.called(present)) else None
    if made is None:
        return _renewal(visit, sent, present)
    until = made.previous_secret_until
    return shown_once(
        visit,
        visit.text("The secret is renewed"),
        visit.text("Copy the secret now: it is not shown again. The old one is no good any more.")
        if until is None
        else visit.text(
            "Copy the secret now: it is not shown again. The old one is taken as well until %(until)s UTC.",
            until=until.strftime("%Y-%m-%d %H:%M"),
        ),
        [("app_key", present.app_key), ("app_secret", made.app_secret)],
        APPLICATIONS.place_of(present.app_key),
    )


@pages.post("/applications/{app_key}/webhook-secret")
async def renew_webhook(visit: Visit) -> web.StreamResponse:
    """Another secret that pushes are signed with, shown now and never again."""
    sent = await visit.sent(NOTHING)
    made = await sent.to(renew_webhook_secret)
    if made is None:
        return await _show(visit, await visit.run(get_application), sent)
    return shown_once(
        visit,
        visit.text("Pushes are signed with a new secret"),
        visit.text(
            "Copy the secret now: it is not shown again. Pushes carry a signature by the one before as well, "
            "so that receivers can be changed over."
        )
        if made.webhook_keys > 1
        else visit.text("Copy the secret now: it is not shown again."),
        [("webhook_secret", made.webhook_secret)],
        APPLICATIONS.place_in(visit),
    )


@pages.post("/applications/{app_key}/webhook-secret/remove")
async def remove_webhook(visit: Visit) -> web.StreamResponse:
    """No signatures any more."""
    await visit.run(remove_webhook_secrets)
    return visit.go(APPLICATIONS.place_in(visit), "Pushes are no longer signed.")


@pages.post("/applications/{app_key}/login")
async def login(visit: Visit) -> web.StreamResponse:
    """With what programs of the oldest generation log in."""
    sent = await visit.sent(LOGIN)
    await sent.to(edit_application)
    if sent.is_refused:
        return await _show(visit, await visit.run(get_application), login=sent)
    return visit.go(APPLICATIONS.place_in(visit), "Programs can log in with it now.")


@pages.post("/applications/{app_key}/login/remove")
async def remove_login(visit: Visit) -> web.StreamResponse:
    """No login any more."""
    sent = await visit.sent(NOTHING)
    await sent.to(edit_application, also={"login": None})
    if sent.is_refused:
        return await _show(visit, await visit.run(get_application), sent)
    return visit.go(APPLICATIONS.place_in(visit), "Programs can't log in any more.")


async def _show(
    visit: Visit, present: ApplicationView, done: Sent | None = None, login: Sent | None = None
) -> web.Response:
    numbers = await visit.all_of(list_numbers, query={"account_id": present.account_id})
    return visit.render(
        "application.html",
        app=present,
        done=done or visit.blank(NOTHING),
        login=login or visit.blank(LOGIN, **{"login.user": present.login_user or ""}),
        numbers=[
            number
            for number in numbers
            if number.state != NumberState.RELEASED
            and (number.app_keys is None or present.app_key in number.app_keys)
        ],
        services=SERVICES,
        push_profiles=PUSH_PROFILES,
        may_edit=visit.allows(edit_application),
        status=(done or login or visit.blank(Form(()))).status,
    )


async def _edit_form(visit: Visit, present: ApplicationView) -> Form:
    numbers = await visit.all_of(list_numbers, query={"account_id": present.account_id})
    usable = [number.number for number in numbers if number.state in ("active", "suspended")]
    form = EDIT.offering(bind_number=[("", N_("none")), *((number, number) for number in usable)])
    return form if visit.may(Role.OPERATOR) else form.without(*_QUOTAS)


APPLICATIONS.changed_by(
    pages,
    get_application,
    edit_application,
    _edit_form,
    N_("The application is changed. It is in force within a second."),
)


def _renewal(visit: Visit, form: Sent, present: ApplicationView) -> web.Response:
    return APPLICATIONS.deed(
        visit,
        form,
        present,
        "secret",
        title=visit.text("Renew the secret of %(name)s", name=APPLICATIONS.called(present)),
        button=visit.text("Renew the secret"),
        before=[
            visit.text(
                "Programs that have the old secret are refused when its hours are over. There is no way back "
                "to it, and the new one is shown once."
            )
        ],
        danger=True,
    )
