"""The second entrance beside `api`: what the dialplan can ask for, by the FastAGI scripts of `agi`."""

from random import Random

from controller.accounts.admission import Admission
from controller.accounts.directory import LiveDirectory
from controller.accounts.errors import AccountError
from controller.agi import Abilities, Announcement, Refused
from controller.asterisk.errors import FleetError
from controller.asterisk.fleet import Fleet
from controller.calls.call import CallRequest, Notification, PlayItem, Prompt
from controller.calls.service import CallService, ShuttingDown
from controller.phone_number import PhoneNumber
from controller.prompts.library import PromptLibrary
from controller.prompts.shipped import ShippedPrompts
from controller.store import errors as store
from controller.store.tables import Service

AGI_VARIABLE = "VOICECALL_AGI"
"""Where Asterisk's dialplan finds the address of the door, with the node's own name in it."""

UNALLOCATED, REJECTED = 1, 21
"""Causes of Q.850."""

_REFUSALS = (AccountError, FleetError, ShuttingDown, store.Refused)


class Door:
    """Who comes in by the dialplan is under the same rules as who comes in by HTTP."""

    def __init__(
        self,
        directory: LiveDirectory,
        admission: Admission,
        fleet: Fleet,
        calls: CallService,
        library: PromptLibrary,
        shipped: ShippedPrompts,
        language: str,
        random: Random,
    ) -> None:
        self._directory = directory
        self._admission = admission
        self._fleet = fleet
        self._calls = calls
        self._library = library
        self._shipped = shipped
        self._language = language
        self._random = random

    @property
    def abilities(self) -> Abilities:
        """What the scripts are given."""
        return Abilities(self.inbound, self.route, self.notify)

    async def inbound(self, called: str, caller: str) -> Announcement:
        """No number takes calls, and callers are told so.

        A number that is shown to people must not be called unallocated: carriers bar such numbers.
        """
        del caller
        announcement = self._shipped.prompt(self._language, "not_in_service")
        shown = f"+{called.removeprefix('+')}" in self._directory.now.numbers
        media = self._fleet.media(self._library.media(announcement.digest))
        return Announcement(media.removeprefix("sound:"), REJECTED if shown else UNALLOCATED)

    async def route(self, number: PhoneNumber, node: str = "") -> str:
        """What `node` dials to reach a number that the operator lets be called. Raises Refused."""
        try:
            self._directory.now.check_open()
            self._admission.check_callee(number)
            return self._fleet.ways_from(node, number)[0].dial_string
        except _REFUSALS as error:
            raise Refused(str(error)) from error

    async def notify(self, number: PhoneNumber, app_key: str, sound: str) -> str:
        """Call `number`, play a sound file of the app and push to the app's addresses. Raises Refused."""
        try:
            return await self._notify(number, app_key, sound)
        except _REFUSALS as error:
            raise Refused(str(error)) from error

    async def _notify(self, number: PhoneNumber, app_key: str, sound: str) -> str:
        directory = self._directory.now
        application = directory.application(app_key)
        directory.check_may_call(application, Service.NOTIFICATION)
        stored = directory.sound(application.account_id, sound)
        prompt = Prompt(sound, self._library.media(stored.digest), stored.seconds)
        request = CallRequest(
            account_id=application.account_id,
            app_key=application.key,
            display_number=directory.own_number(application, self._random),
            callee=number,
            plan=Notification((PlayItem(prompt),)),
            status_url=application.status_url,
            fee_url=application.fee_url,
            bind_number=application.bind_number,
            push_profile=application.push_profile,
        )
        limits = self._admission.admit(
            directory, application, request.caller, request.addressee, request.shown
        )
        accepted = await self._calls.start(request, None, limits)
        return accepted.session_id
