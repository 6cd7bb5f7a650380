"""From what a request says to what a call does: names become prompts, words become values."""

from collections.abc import Callable, Sequence
from typing import Any

from controller.accounts.directory import Application, Directory
from controller.accounts.errors import RecordingNotAllowed
from controller.api.wire.requests import (
    CallNotifyRequest,
    CallVerifyRequest,
    Click2CallRequest,
    PlayContentInfo,
)
from controller.api.wire.results import WireError, invalid_request
from controller.calls.call import (
    Callback,
    CalleeMedia,
    Notification,
    PlayItem,
    Prompt,
    Spoken,
    Verification,
)
from controller.calls.collection import ReplayRule
from controller.prompts.errors import TemplateValueCountError, TemplateValueError
from controller.prompts.library import PromptLibrary, StoredPrompt
from controller.prompts.reading import read_aloud
from controller.prompts.shipped import CHINESE, ENGLISH, ShippedPrompts
from controller.prompts.templates import text_complaint

_ENGLISH_TYPE = 1
"""languageType of English; 2 is Chinese, and so is everything unknown."""

_LAST_MINUTE_LEGS = {"toa": frozenset("a"), "tob": frozenset("b"), "both": frozenset("ab")}
_GROUP = 3
"""Digits of a code are read in groups of so many, with a pause between: clearest to listeners."""


class Planner:
    """Makes plans. Raises an AccountError or a WireError for what can't be done.

    :param speaks: whether templates and texts can be spoken.
    :param draws: whether the next recording is one of the sample that the operator may listen to.
    """

    def __init__(
        self,
        library: PromptLibrary,
        shipped: ShippedPrompts,
        *,
        speaks: bool,
        draws: Callable[[], bool] = lambda: False,
    ) -> None:
        self._library = library
        self._shipped = shipped
        self._speaks = speaks
        self._draws = draws

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
        prompt = self._sound(directory, application, f"playInfoList[{index}]", item)
        replay = ReplayRule(item.replayAfterCollection, item.collectContentTriggerReplaying)
        return PlayItem(prompt, item.collectInd, replay)

    def _sound(
        self, directory: Directory, application: Application, place: str, item: PlayContentInfo
    ) -> Prompt | Spoken:
        """The one source of sound that an item has."""
        if item.sound_name is not None:
            return self._own(directory, application, item.sound_name)
        if item.templateId is not None:
            template = directory.template(application.account_id, item.templateId)
            try:
                passages = template.read(_values(place, item.templateParas))
            except TemplateValueCountError as error:
                raise WireError("1012004", f"{place}.templateParas: {error}") from None
            except TemplateValueError as error:
                raise _unfit_value(place, error.position) from None
            spoken = Spoken(item.templateId, passages)
        else:
            text = item.ttsContent or ""
            if complaint := text_complaint(text):
                raise invalid_request(f"{place}.ttsContent {complaint}")
            spoken = Spoken("text", read_aloud(text))
        if not spoken.passages:
            raise invalid_request(f"{place} has nothing to say")
        if not self._speaks:
            raise invalid_request(f"{place}: speech is not available here")
        return spoken

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
            inspection_tone=voice(None, "recording_hint")
            if body.recordFlag and application.quality_inspection and self._draws()
            else None,
            tells_party=body.partyTypeRequiredInDisconnect,
        )

    def _own(self, directory: Directory, application: Application, name: str) -> Prompt:
        return self._of_ours(name, directory.sound(application.account_id, name))

    def _of_ours(self, name: str, stored: StoredPrompt) -> Prompt:
        return Prompt(name, self._library.media(stored.digest), stored.seconds)


def _values(place: str, values: Sequence[Any]) -> list[str]:
    """The values of a template as text; clients send numbers without quotation marks."""
    for position, value in enumerate(values, 1):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _unfit_value(place, position)
    return [str(value) for value in values]


def _unfit_value(place: str, position: int) -> WireError:
    # The position, never the value: it may be personal data.
    return WireError("1012005", f"{place} value {position}")
