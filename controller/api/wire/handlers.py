"""The handlers: from a request on the wire to a call, and back to an answer on the wire."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar

from aiohttp import web

from controller.accounts.admission import Admission
from controller.accounts.directory import Application, Directory, LiveDirectory
from controller.accounts.errors import (
    Abroad,
    AccountError,
    AccountInactive,
    AddressNotAllowed,
    AppInactive,
    AppUnknown,
    CalleeBlacklisted,
    CalleeNotWhitelisted,
    CallerBlacklisted,
    DisplayNumberNotAllotted,
    EverythingStopped,
    NotDiallable,
    OutsideHours,
    Party,
    RecordingNotAllowed,
    SoundMissing,
    TemplateMissing,
    TemplateNotApproved,
    WrongService,
)
from controller.api.entrance import PROVEN, STARTED
from controller.api.remote import Remote
from controller.api.wire.authentication import Authenticated, Authenticator, replayed_nonce
from controller.api.wire.body import WireModel, parse_body, read_body
from controller.api.wire.idempotency import HEADER, REPLAYED, StartedCalls
from controller.api.wire.plans import Planner
from controller.api.wire.requests import (
    CallNotifyRequest,
    CallStopRequest,
    CallVerifyRequest,
    Click2CallRequest,
    StartRequest,
)
from controller.api.wire.results import WireError, invalid_request, written
from controller.api.wire.token_handlers import access_token
from controller.asterisk.errors import FleetError, NodeUnavailable, NoRoute
from controller.calls.brake import Overloaded
from controller.calls.call import CallRequest, Plan
from controller.calls.service import Accepted, CallService, ShuttingDown
from controller.calls.wishes import StopWishes
from controller.phone_number import PhoneNumber
from controller.recordings.download import recording_location
from controller.recordings.errors import RecordingError
from controller.recordings.links import LinkSigner
from controller.store.database import Database
from controller.store.errors import AskedBefore, Limit, LimitReached, Refused, Replayed
from controller.store.limits import KeyUse
from controller.store.tables import Service

DOMAIN_ERRORS = (AccountError, FleetError, RecordingError, Refused, ShuttingDown)

_SESSIONS = "/rest/httpsessions"
_SERVICE_UNAVAILABLE = 503
Body = TypeVar("Body", bound=WireModel)
Started = TypeVar("Started", bound=StartRequest)

_LIMITS = {
    Limit.APP_CALLS: "1020165",
    Limit.ACCOUNT_CALLS: "1013001",
    Limit.NUMBER_CALLS: "1013003",
    Limit.APP_RATE: "1013002",
    Limit.ACCOUNT_RATE: "1013001",
    Limit.PLATFORM_RATE: "1010010",
    Limit.FREQUENCY: "1013117",
    # Its meaning is "call quota used up", and none other is about an amount.
    Limit.SPENDING: "1010009",
}


def wire_error(error: Exception) -> WireError:
    """The row of the result table for what the rest of the house refuses."""
    match error:
        case AppUnknown():
            return WireError("1010003")
        case AppInactive():
            return WireError("1010008")
        case AccountInactive():
            return WireError("1010007")
        case EverythingStopped():
            return WireError("1010001", "No calls are taken now.", status=_SERVICE_UNAVAILABLE)
        case AddressNotAllowed():
            return WireError("1020166")
        case WrongService():
            return WireError("1010040")
        case DisplayNumberNotAllotted():
            return WireError("1010023")
        case RecordingNotAllowed():
            return WireError("1012012")
        case SoundMissing():
            return invalid_request(f"{error.name} does not exist")
        case TemplateMissing():
            return WireError("1012003")
        case TemplateNotApproved():
            return WireError("1012002")
        case Abroad():
            return WireError("1013112")
        case NotDiallable(party=Party.CALLER):
            return WireError("1010024")
        case NotDiallable():
            return invalid_request("calleeNbr is not allowed to be called here")
        case CallerBlacklisted():
            return WireError("1013010")
        case CalleeBlacklisted():
            return WireError("1013004")
        case CalleeNotWhitelisted():
            return WireError("1013011")
        case OutsideHours():
            return WireError("1013121", passes_in=error.passes_in)
        case RecordingError():
            return WireError("1016002")
        case LimitReached():
            return WireError(_LIMITS[error.limit], passes_in=error.passes_in)
        case Replayed():
            return replayed_nonce()
        case Overloaded():
            return WireError("1010010", status=_SERVICE_UNAVAILABLE, passes_in=error.passes_in)
        case NodeUnavailable():
            return WireError("1010001", "No voice node takes calls now.", status=_SERVICE_UNAVAILABLE)
        case ShuttingDown():
            return WireError("1010001", "The platform is shutting down.", status=_SERVICE_UNAVAILABLE)
        case _:
            return WireError("1010001")


class WireApi:
    """The API of the cloud service."""

    def __init__(
        self,
        authenticator: Authenticator,
        directory: LiveDirectory,
        admission: Admission,
        planner: Planner,
        calls: CallService,
        wishes: StopWishes,
        database: Database,
        signer: LinkSigner,
        remote: Remote,
        random: Random,
        started: StartedCalls,
    ) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._admission = admission
        self._planner = planner
        self._calls = calls
        self._wishes = wishes
        self._database = database
        self._signer = signer
        self._remote = remote
        self._random = random
        self._started = started

    def routes(self) -> list[web.RouteDef]:
        """What the server serves."""
        # Test accounts of the cloud were told to call the sandbox.
        return [
            route
            for start in ("", "/sandbox")
            for route in (
                web.post(f"{start}{_SESSIONS}/callnotify/v2.0", self.call_notify),
                web.post(f"{start}{_SESSIONS}/callnotify/v1.0", self.call_notify),
                web.post(f"{start}{_SESSIONS}/click2Call/v2.0", self.click_to_call),
                web.post(f"{start}{_SESSIONS}/callVerify/v1.0", self.call_verify),
                web.post(f"{start}{_SESSIONS}/callStop/v2.0", self.call_stop),
                web.get(f"{start}/rest/provision/voice/record/v1.0", self.recording),
            )
        ]

    async def call_notify(self, request: web.Request) -> web.Response:
        """Voice notification."""
        return await self._call(request, CallNotifyRequest, self._notification)

    async def call_verify(self, request: web.Request) -> web.Response:
        """Voice verification code."""
        return await self._call(request, CallVerifyRequest, self._verification)

    async def click_to_call(self, request: web.Request) -> web.Response:
        """Voice callback: the first phone that is called is the caller's."""
        return await self._call(request, Click2CallRequest, self._callback)

    def _notification(
        self, directory: Directory, application: Application, body: CallNotifyRequest
    ) -> tuple[StartRequest, PhoneNumber, Plan]:
        body = self._admit(directory, application, Service.NOTIFICATION, body, "displayNbr")
        return body, body.calleeNbr, self._planner.notification(directory, application, body)

    def _verification(
        self, directory: Directory, application: Application, body: CallVerifyRequest
    ) -> tuple[StartRequest, PhoneNumber, Plan]:
        body = self._admit(directory, application, Service.VERIFICATION, body, "displayNbr")
        return body, body.calleeNbr, self._planner.verification(directory, application, body)

    def _callback(
        self, directory: Directory, application: Application, body: Click2CallRequest
    ) -> tuple[StartRequest, PhoneNumber, Plan]:
        shown = ("displayNbr", "displayCalleeNbr")
        body = self._admit(directory, application, Service.CALLBACK, body, *shown)
        return body, body.callerNbr, self._planner.callback(directory, application, body)

    async def call_stop(self, request: web.Request) -> web.Response:
        """End a call at any stage."""
        who = await self._who(request, self._directory.now)
        body = parse_body(await read_body(request), CallStopRequest)
        if not await self._wishes.stop(body.sessionid, who.application.key):
            raise WireError("1020152")
        return web.json_response({"resultcode": "0", "resultdesc": "Success"}, dumps=written)

    async def recording(self, request: web.Request) -> web.Response:
        """Where a recording can be downloaded: 301 to a signed link that expires."""
        who = await self._who(request, self._directory.now)
        for name in ("fileName", "recordDomain"):
            if not 1 <= len(request.query.get(name, "")) <= 128:
                raise invalid_request(f"{name} must be a string of 1 to 128 characters")
        path = await recording_location(
            self._database, self._signer, who.application.account_id, request.query["fileName"]
        )
        # Nothing but the header: clients take its absence of a body as success.
        return web.Response(status=301, headers={"Location": f"{self._remote.base_url(request)}{path}"})

    async def _call(
        self,
        request: web.Request,
        kind: type[Started],
        plan: Callable[[Directory, Application, Started], tuple[StartRequest, PhoneNumber, Plan]],
    ) -> web.Response:
        """Start a call, unless the same was asked for before."""
        directory = self._directory.now
        who = await self._who(request, directory)
        raw = await read_body(request)
        body = parse_body(raw, kind)
        header = request.headers.get(HEADER)
        if header is None:
            planned = plan(directory, who.application, body)
            return _answer(body, await self._start(request, directory, who, *planned))
        key = self._started.key(header, who.application.key, request.path, raw)
        async with self._started.alone(key):
            if (before := await self._started.find(key)) is not None:
                return _answer(body, before, REPLAYED)
            try:
                planned = plan(directory, who.application, body)
                return _answer(body, await self._start(request, directory, who, *planned, key=key))
            except AskedBefore:
                # Another controller was asked too, or the first request's client did not wait.
                if (before := await self._started.find(key)) is None:
                    raise
                return _answer(body, before, REPLAYED)

    async def _who(self, request: web.Request, directory: Directory) -> Authenticated:
        address = self._remote.address(request)
        who = await self._authenticator.authenticate(
            request.headers, access_token(request), address, directory
        )
        request[PROVEN] = who.application.key
        return who

    def _admit(
        self, directory: Directory, application: Application, service: Service, body: Body, *shown: str
    ) -> Body:
        """The request if it may be made, with the numbers that are really shown."""
        directory.check_may_call(application, service)
        numbers = {
            name: directory.number_to_show(application, getattr(body, name), self._random) for name in shown
        }
        return body.model_copy(update=numbers)

    async def _start(
        self,
        request: web.Request,
        directory: Directory,
        who: Authenticated,
        body: StartRequest,
        first: PhoneNumber,
        plan: Plan,
        key: KeyUse | None = None,
    ) -> Accepted:
        application: Application = who.application
        call = CallRequest(
            account_id=application.account_id,
            app_key=application.key,
            display_number=body.displayNbr,
            callee=first,
            plan=plan,
            user_data=body.userData,
            status_url=body.statusUrl or application.status_url,
            fee_url=body.feeUrl or application.fee_url,
            bind_number=application.bind_number,
            push_profile=application.push_profile,
        )
        limits = self._admission.admit(directory, application, call.caller, call.addressee, call.shown)
        try:
            accepted = await self._calls.start(call, who.nonce, limits, key)
        except NoRoute as error:
            raise invalid_request(f"{_named(body, error.number)} can't be reached from here") from error
        request[STARTED] = accepted.session_id
        return accepted


def _answer(body: StartRequest, accepted: Accepted, headers: Mapping[str, str] | None = None) -> web.Response:
    answer: dict[str, Any] = {
        "resultcode": "0",
        "resultdesc": "Success",
        "sessionId": accepted.session_id,
    }
    if body.returnIdlePort:
        answer["idlePort"] = min(accepted.idle, 65535)
    return web.json_response(answer, headers=headers, dumps=written)


def _named(body: StartRequest, number: PhoneNumber) -> str:
    """The parameter that has a number which is called."""
    return next(name for name in ("callerNbr", "calleeNbr") if getattr(body, name, None) == number)
