"""From what a request says to what a call does: names become prompts, words become values."""

from controller.accounts.directory import Application, Directory
from controller.accounts.errors import RecordingNotAllowed
from controller.api.wire.requests import (
    CallNotifyRequest,
    CallVerifyRequest,
    Click2CallRequest,
    PlayContentInfo,
)
from controller.api.wire.results import invalid_request
from controller.calls.call import (
    Callback,
    CalleeMedia,
    Notification,
    PlayItem,
    Prompt,
    Verification,
)
from controller.calls.collection import ReplayRule
from controller.prompts.library import PromptLibrary, StoredPrompt
from controller.prompts.shipped import CHINESE, ENGLISH, ShippedPrompts

_ENGLISH_TYPE = 1
"""languageType of English; 2 is Chinese, and so is everything unknown."""

_LAST_MINUTE_LEGS = {"toa": frozenset("a"), "tob": frozenset("b"), "both": frozenset("ab")}
_GROUP = 3
"""Digits of a code are read in groups of so many, with a pause between: clearest to listeners."""


class Planner:
    """Makes plans. Raises SoundMissing, RecordingNotAllowed or WireError for what can't be done."""

    def __init__(self, library: PromptLibrary, shipped: ShippedPrompts) -> None:
        self._library = library
        self._shipped = shipped

    def notification(
        self, directory: Directory, application: Application, body: CallNotifyRequest
    ) -> Notification:
        """A2.1: each item is one sound."""
        return Notification(
            tuple(
                self._item(directory, application, index, item)
                for index, item in enumerate(body.playInfoList)
            )
        )

    def _item(
        self, directory: Directory, application: Application, index: int, item: PlayContentInfo
    ) -> PlayItem:
        if item.notifyVoice is None:
            raise invalid_request(f"playInfoList[{index}] speech is not available, use notifyVoice")
        replay = ReplayRule(item.replayAfterCollection, item.collectContentTriggerReplaying)
        return PlayItem(self._own(directory, application, item.notifyVoice), item.collectInd, replay)

    def verification(
        self, directory: Directory, application: Application, body: CallVerifyRequest
    ) -> Verification:
        """A3.1: the code becomes recorded digits here and is nowhere after."""
        language = ENGLISH if body.languageType == _ENGLISH_TYPE else CHINESE
        digits: list[Prompt] = []
        for index, digit in enumerate(body.verifyCode.get_secret_value()):
            if index and index % _GROUP == 0:
                digits.append(self._of_ours("pause", self._shipped.silence()))
            digits.append(self._of_ours("digit", self._shipped.digit(language, digit)))
        digits.append(self._of_ours("pause", self._shipped.silence()))
        return Verification(
            pre_tone=self._own(directory, application, body.preTone),
            digits=tuple(digits),
            post_tone=self._own(directory, application, body.posTone) if body.posTone else None,
            times=body.times,
        )

    def callback(self, directory: Directory, application: Application, body: Click2CallRequest) -> Callback:
        """A1.1 to A1.5."""
        if body.recordFlag and not application.recording:
            raise RecordingNotAllowed("the application does not record")

        def voice(name: str | None, default: str | None = None) -> Prompt | None:
            if name is not None:
                return self._own(directory, application, name)
            return self._of_ours(default, self._shipped.prompt(CHINESE, default)) if default else None

        return Callback(
            callee=body.calleeNbr,
            display_number=body.displayCalleeNbr,
            pre_voice=voice(body.preVoice, "transferring") if body.playPreVoice else None,
            wait_voice=voice(body.waitVoice),
            callee_media=CalleeMedia(body.calleeMedia),
            max_minutes=body.maxDuration,
            last_minute_voice=voice(body.lastMinVoice, "last_minute") if body.maxDuration else None,
            last_minute_to=_LAST_MINUTE_LEGS[body.lastMinToUE],
            record=body.recordFlag,
            hint_tone=voice(body.recordHintTone) if body.recordFlag else None,
            tells_party=body.partyTypeRequiredInDisconnect,
        )

    def _own(self, directory: Directory, application: Application, name: str) -> Prompt:
        return self._of_ours(name, directory.sound(application.account_id, name))

    def _of_ours(self, name: str, stored: StoredPrompt) -> Prompt:
        return Prompt(name, self._library.media(stored.digest), stored.seconds)
