"""The requests of the wire API. Source: wire API document, section 4."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from controller.api.wire.body import (
    DIGITS,
    NUMERALS,
    Flag,
    Number,
    PushUrl,
    SoundName,
    UserData,
    VerifyCode,
    WireModel,
)
from controller.faults import KEYS

# ruff: noqa: N815 - the names are the wire's


class PlayContentInfo(WireModel):
    """One item of a notification: exactly one of the sources of sound."""

    notifyVoice: SoundName | None = None
    """Name of a sound file that was uploaded and approved."""
    templateId: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    """Voice template that was approved."""
    templateParas: list[Any] = []
    """Values of the template's variables in their order: strings (or integers) of at most 32 bytes."""
    ttsContent: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Text to be spoken, as old clients send it; a name that ends in `.wav` is taken as `notifyVoice`."""
    collectInd: Annotated[int, Field(ge=0, le=32), NUMERALS] = 0
    """Digits to collect; the first key must be pressed within 5 s of the prompt's end."""
    replayAfterCollection: Flag = False
    """Play the item again when the digits are `collectContentTriggerReplaying`."""
    collectContentTriggerReplaying: (
        Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=KEYS), DIGITS] | None
    ) = None
    """The digits that have the item played again."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = [self.notifyVoice, self.templateId, self.ttsContent]
        if sum(source is not None for source in sources) != 1:
            raise ValueError("must have exactly one of notifyVoice and templateId")
        return self

    @property
    def sound_name(self) -> str | None:
        """The sound file to play, if it is one: clients of the legacy form name it in `ttsContent`."""
        if self.ttsContent is not None and self.ttsContent.endswith(".wav"):
            return self.ttsContent
        return self.notifyVoice


class StartRequest(WireModel):
    """What the three requests that start a call have in common."""

    displayNbr: Number
    """Number that the first phone is shown; one of the account's."""
    calleeNbr: Number
    """Phone to call; of a callback: B, the second one."""
    statusUrl: PushUrl | None = None
    """Base64 of the http or https address that status pushes go to; the app's own if absent."""
    feeUrl: PushUrl | None = None
    """Base64 of the http or https address that CDR pushes go to; the app's own if absent."""
    returnIdlePort: Flag = False
    """Answer with `idlePort`, the calls that the app may still have at the same time."""
    userData: UserData | None = None
    """Comes back in pushes; no `{` and `}`."""


class CallNotifyRequest(StartRequest):
    """Voice notification: call one phone and play one to five items."""

    playInfoList: Annotated[list[PlayContentInfo], Field(min_length=1, max_length=5)]
    """What is played, in this order."""


class Click2CallRequest(StartRequest):
    """Voice callback: call A, then B, and join them."""

    callerNbr: Number
    """A, the phone that is called first."""
    displayCalleeNbr: Number
    """Number that B is shown; one of the account's."""
    maxDuration: Annotated[int, Field(ge=0, le=1440), NUMERALS] = 0
    """Minutes from B's answer until the platform hangs up; 0: no limit."""
    lastMinVoice: SoundName | None = None
    """Sound file that is played when a minute is left; a prompt of the platform's if absent."""
    lastMinToUE: Literal["toa", "tob", "both"] = "both"
    """Who hears it: A, B or both."""
    playPreVoice: Flag = False
    """Play a prompt to A before B is dialled."""
    preVoice: SoundName | None = None
    """Sound file of that prompt; "transferring you, please wait" if absent."""
    waitVoice: SoundName | None = None
    """Sound file that A hears, again and again, while B is being reached."""
    calleeMedia: Literal["all", "none", "fail"] = "all"
    """What A hears of B before B answers: all, nothing, or only why B can't be reached."""
    recordFlag: Flag = False
    """Record the call; the app must be allowed to."""
    recordHintTone: SoundName | None = None
    """Sound file that tells both that they are recorded."""
    partyTypeRequiredInDisconnect: Flag = False
    """Say in the `disconnect` push who hung up."""


class CallVerifyRequest(StartRequest):
    """Voice verification code: call one phone and read out a code."""

    languageType: Annotated[int, NUMERALS]
    """1: English; 2 and anything else: Chinese."""
    preTone: SoundName
    """Sound file before the code."""
    verifyCode: VerifyCode
    """The code, 2 to 8 digits; it is read out and kept nowhere."""
    posTone: SoundName | None = None
    """Sound file after the code."""
    times: Annotated[int, Field(ge=0, le=9), NUMERALS] = 3
    """How often the code is read; 0: until the phone hangs up."""


class CallStopRequest(WireModel):
    """End a call at any stage."""

    sessionid: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """The `sessionId` of the call; this one name is spelt with a small i."""
    signal: Literal["call_stop"]
    """Always `call_stop`."""
