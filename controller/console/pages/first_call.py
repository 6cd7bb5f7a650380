"""Make a call: a form, the exact request in four languages, and what becomes of it, live."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.pages import starting_set
from controller.console.pages.call_terms import failure
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.details.picture import is_accepted
from controller.management.resources.applications import ApplicationView, list_applications
from controller.management.resources.calls import get_call
from controller.management.resources.numbers import list_numbers
from controller.management.resources.sounds import list_sounds
from controller.management.resources.templates import list_templates
from controller.management.resources.trying import list_call_messages, prove_request
from controller.store.tables import NumberState, Service

pages = Pages()

PATHS: Final = {
    Service.NOTIFICATION: "/rest/httpsessions/callnotify/v2.0",
    Service.VERIFICATION: "/rest/httpsessions/callVerify/v1.0",
    Service.CALLBACK: "/rest/httpsessions/click2Call/v2.0",
}
SERVICES: Final = (
    (Service.NOTIFICATION, N_("Notification")),
    (Service.VERIFICATION, N_("Verification code")),
    (Service.CALLBACK, N_("Callback")),
)
LANGUAGES: Final = (("curl", "curl"), ("python", "Python"), ("java", "Java"), ("go", "Go"))
OUTCOMES: Final = (
    ("016020001", N_("Simulated: answers and presses 1")),
    ("01602000", N_("Simulated: answers and listens")),
    ("01602008", N_("Simulated: answers, hangs up after 8 s")),
    ("01702000", N_("Simulated: busy")),
    ("01920000", N_("Simulated: rings for 20 s, nobody answers")),
    ("02103000", N_("Simulated: rejects the call")),
    ("02001002", N_("Simulated: switched off")),
    ("00103001", N_("Simulated: the number does not exist")),
    ("03401000", N_("Simulated: no free line at the carrier")),
)
"""What stands behind the prefix; docs/reference/simulated-numbers.md has all."""

_APP = Field("app_key", N_("Application"), "choice", required=True)
_SHOWN = Field("displayNbr", N_("Number shown"), "choice", required=True)
_PUSHES = Field(
    "pushUrl",
    N_("Address for pushes"),
    placeholder="https://",
    help=N_("Status and CDR are pushed there; empty: to the application's own addresses, if it has any."),
)
_FORMS: Final = {
    Service.NOTIFICATION: Form(
        (
            _SHOWN,
            Field("said", N_("What is heard"), "choice"),
            Field("ttsContent", N_("Text that is spoken"), "long"),
            Field("notifyVoice", N_("Sound file"), "choice"),
            Field("templateId", N_("Voice template"), "choice"),
            Field("templateParas", N_("Values of the template"), "lines", help=N_("One in each line.")),
            Field("collectInd", N_("Keys that are asked for"), "number", help=N_("0 to 32.")),
            _PUSHES,
        )
    ),
    Service.VERIFICATION: Form(
        (
            _SHOWN,
            Field("verifyCode", N_("Code that is read"), "text", required=True, help=N_("2 to 8 digits.")),
            Field("preTone", N_("Sound file before it"), "choice", required=True),
            Field(
                "languageType", N_("Language"), "choice", choices=(("2", N_("Chinese")), ("1", N_("English")))
            ),
            Field("times", N_("How often it is read"), "number", help=N_("0: until the phone hangs up.")),
            _PUSHES,
        )
    ),
    Service.CALLBACK: Form(
        (
            _SHOWN,
            Field("displayCalleeNbr", N_("Number that the second phone is shown"), "choice", required=True),
            Field("maxDuration", N_("Minutes at most"), "number", help=N_("0: no limit.")),
            Field("recordFlag", N_("Record the call"), "check"),
            _PUSHES,
        )
    ),
}


@pages.get("/first-call")
async def first_call(visit: Visit) -> web.StreamResponse:
    """Where a developer lands."""
    visit.check(prove_request)
    apps: list[ApplicationView] = await visit.all_of(list_applications, query={"active": True})
    service, app = _chosen(visit, apps)
    query = {} if app is None else {"account_id": app.account_id}
    numbers = [
        its.number
        for its in await visit.all_of(list_numbers, query={**query, "state": NumberState.ACTIVE})
        if app is None or its.app_keys is None or app.app_key in its.app_keys
    ]
    sounds = [sound.name for sound in await visit.all_of(list_sounds, query=query) if sound.usable]
    templates = [it.template_id for it in await visit.all_of(list_templates, query=query) if it.usable]
    settings = visit.services.settings
    prefix = settings.calls.simulated_prefix
    return visit.render(
        "first_call.html",
        services=SERVICES,
        service=service,
        app=app,
        apps=[it for it in apps if it.service == service],
        numbers=numbers,
        missing=starting_set.missing(visit, apps, numbers, sounds, app),
        may_prepare=starting_set.may_prepare(visit),
        form=_form(visit, service, app, numbers, sounds, templates),
        path=PATHS[service],
        stop_path="/rest/httpsessions/callStop/v2.0",
        outcomes=[(prefix + digits, label) for digits, label in OUTCOMES] if prefix else [],
        has_phone=bool(settings.phone.prefix),
        samples=[(key, name, _sample(key)) for key, name in LANGUAGES],
        base_url=visit.base_url,
    )


@pages.post("/first-call/prepare")
async def prepare(visit: Visit) -> web.StreamResponse:
    """Make what is missing for a first call."""
    visit.check(prove_request)
    await starting_set.prepare(visit)
    return visit.go("/first-call", "All that a call needs is there now; its names say that it is for tests.")


@pages.post("/first-call/{app_key}/proof")
async def proof(visit: Visit) -> web.StreamResponse:
    """Headers for one request, which the page's script sends to the API as any program would."""
    made = await visit.run(prove_request)
    return web.json_response({"Authorization": made.authorization, "X-AKSK": made.x_aksk})


@pages.get("/first-call/calls/{call_id}")
async def what_happens(visit: Visit) -> web.StreamResponse:
    """A call as it goes on."""
    visit.check(prove_request)

    async def values() -> Mapping[str, Any]:
        call = await visit.run(get_call, query={"view": "debug"})
        messages = await visit.run(list_call_messages)
        return {"call": call, "messages": messages.items, "is_accepted": is_accepted, "failure": failure}

    # Whether there is such a call at all is answered before anything streams.
    await values()
    return await visit.follow("first_call_live.html", values)


def _chosen(visit: Visit, apps: Sequence[ApplicationView]) -> tuple[Service, ApplicationView | None]:
    """The service and the app that the address names; else the first that there is something for."""
    wanted = visit.request.query.get("app")
    app = next((it for it in apps if it.app_key == wanted), None)
    if app is not None:
        return app.service, app
    named = visit.request.query.get("service", "")
    if named in set(Service):
        service = Service(named)
    else:
        present = {it.service for it in apps}
        service = next((it for it, _ in SERVICES if it in present), Service.NOTIFICATION)
    return service, next((it for it in apps if it.service == service), None)


def _form(
    visit: Visit,
    service: Service,
    app: ApplicationView | None,
    numbers: Sequence[str],
    sounds: Sequence[str],
    templates: Sequence[str],
) -> Any:
    shown = [(number, number) for number in numbers]
    files = [(name, name) for name in sounds]
    said = [
        ("text", N_("A text")),
        *([("sound", N_("A sound file"))] if sounds else []),
        *([("template", N_("A voice template"))] if templates else []),
    ]
    if visit.services.settings.speech.engine == "off":
        said = [(value, label) for value, label in said if value == "sound"]
    form = _FORMS[service].offering(
        displayNbr=shown,
        displayCalleeNbr=shown,
        notifyVoice=files,
        preTone=files,
        templateId=[(name, name) for name in templates],
        said=said,
    )
    if app is not None and not app.recording:
        form = Form(tuple(asked for asked in form.fields if asked.name != "recordFlag"))
    return visit.blank(
        form,
        said="sound" if sounds else "text",
        ttsContent=visit.text("Hello, this is a test call. Please press a key."),
        collectInd="1",
        verifyCode="4711",
        times="2",
        languageType="1" if visit.look.language == "en" else "2",
        maxDuration="5",
        displayNbr=next(iter(numbers), ""),
        displayCalleeNbr=numbers[-1] if numbers else "",
    )


@cache
def _sample(language: str) -> str:
    """A program that sends a request, with places for address, key and body."""
    return (Path(__file__).parents[1] / "samples" / f"{language}.txt").read_text("utf-8")
