"""The handlers: from a request on the wire to a call, and back to an answer on the wire."""

from typing import Any

from aiohttp import web

from controller.accounts.directory import Directory, LiveDirectory
from controller.accounts.errors import (
    AccountError,
    AppInactive,
    AppUnknown,
    DisplayNumberNotAllotted,
    SoundMissing,
    WrongService,
)
from controller.api.wire.authentication import Authenticator, replayed_nonce
from controller.api.wire.body import parse_body
from controller.api.wire.requests import CallNotifyRequest, PlayContentInfo
from controller.api.wire.results import WireError, invalid_request
from controller.asterisk.errors import FleetError, NodeUnavailable, NoRoute
from controller.calls.call import CallRequest, Notification, PlayItem, Prompt
from controller.calls.collection import ReplayRule
from controller.calls.service import CallService, ShuttingDown
from controller.prompts.library import PromptLibrary
from controller.store.errors import LimitReached, Refused, Replayed
from controller.store.tables import Service

CALLNOTIFY_PATHS = ("/rest/httpsessions/callnotify/v2.0", "/rest/httpsessions/callnotify/v1.0")
DOMAIN_ERRORS = (AccountError, FleetError, Refused, ShuttingDown)

_UNAVAILABLE = 503


def wire_error(error: Exception) -> WireError:
    """The row of the result table for what the rest of the house refuses."""
    match error:
        case AppUnknown():
            return WireError("1010003")
        case AppInactive():
            return WireError("1010008")
        case WrongService():
            return WireError("1010040")
        case DisplayNumberNotAllotted():
            return WireError("1010023")
        case SoundMissing():
            return invalid_request(f"{error.name} does not exist")
        case LimitReached():
            return WireError("1020165")
        case Replayed():
            return replayed_nonce()
        case NoRoute():
            return invalid_request("calleeNbr can't be reached from here")
        case NodeUnavailable():
            return WireError("1010001", "No voice node takes calls now.", status=_UNAVAILABLE)
        case ShuttingDown():
            return WireError("1010001", "The platform is shutting down.", status=_UNAVAILABLE)
        case _:
            return WireError("1010001")


class WireApi:
    """The API of the cloud service."""

    def __init__(
        self,
        authenticator: Authenticator,
        directory: LiveDirectory,
        library: PromptLibrary,
        calls: CallService,
    ) -> None:
        self._authenticator = authenticator
        self._directory = directory
        self._library = library
        self._calls = calls

    def routes(self) -> list[web.RouteDef]:
        """What the server serves."""
        return [web.post(path, self.call_notify) for path in CALLNOTIFY_PATHS]

    async def call_notify(self, request: web.Request) -> web.Response:
        """Voice notification."""
        directory = self._directory.now
        authenticated = self._authenticator.authenticate(request.headers, directory)
        application = authenticated.application
        body = parse_body(await request.read(), CallNotifyRequest)
        directory.check_may_call(application, Service.NOTIFICATION, body.displayNbr)
        call = CallRequest(
            account_id=application.account_id,
            app_key=application.key,
            display_number=body.displayNbr,
            callee=body.calleeNbr,
            plan=Notification(
                tuple(
                    self._item(directory, application.account_id, index, item)
                    for index, item in enumerate(body.playInfoList)
                )
            ),
            user_data=body.userData,
            status_url=body.statusUrl or application.status_url,
            fee_url=body.feeUrl or application.fee_url,
        )
        accepted = await self._calls.start(call, authenticated.nonce, application.max_calls)
        answer: dict[str, Any] = {
            "resultcode": "0",
            "resultdesc": "Success",
            "sessionId": accepted.session_id,
        }
        if body.returnIdlePort:
            answer["idlePort"] = min(accepted.idle, 65535)
        return web.json_response(answer)

    def _item(self, directory: Directory, account_id: str, index: int, item: PlayContentInfo) -> PlayItem:
        name = item.notifyVoice
        if name is None:
            raise invalid_request(f"playInfoList[{index}] speech is not available, use notifyVoice")
        media = self._library.media(directory.sound(account_id, name))
        replay = ReplayRule(item.replayAfterCollection, item.collectContentTriggerReplaying)
        return PlayItem(Prompt(name, media), item.collectInd, replay)
