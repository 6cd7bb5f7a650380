"""The requests of the wire API. Source: wire API document, section 4."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from controller.api.wire.body import (
    Flag,
    Integer,
    Number,
    PushUrl,
    SoundName,
    UserData,
    VerifyCode,
    WireModel,
)


class PlayContentInfo(WireModel):
    """One item of a notification: exactly one of the sources of sound."""

    notifyVoice: SoundName | None = None  # noqa: N815
    templateId: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None  # noqa: N815
    templateParas: list[Any] = []  # noqa: N815
    ttsContent: Annotated[str, StringConstraints(min_length=1)] | None = None  # noqa: N815
    collectInd: Annotated[Integer, Field(ge=0, le=32)] = 0  # noqa: N815
    replayAfterCollection: Flag = False  # noqa: N815
    collectContentTriggerReplaying: (  # noqa: N815
        Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[0-9*#]+$")] | None
    ) = None

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

    displayNbr: Number  # noqa: N815
    calleeNbr: Number  # noqa: N815
    statusUrl: PushUrl | None = None  # noqa: N815
    feeUrl: PushUrl | None = None  # noqa: N815
    returnIdlePort: Flag = False  # noqa: N815
    userData: UserData | None = None  # noqa: N815


class CallNotifyRequest(StartRequest):
    """`POST /rest/httpsessions/callnotify/{version}`."""

    playInfoList: Annotated[list[PlayContentInfo], Field(min_length=1, max_length=5)]  # noqa: N815


class Click2CallRequest(StartRequest):
    """`POST /rest/httpsessions/click2Call/v2.0`."""

    callerNbr: Number  # noqa: N815
    displayCalleeNbr: Number  # noqa: N815
    maxDuration: Annotated[Integer, Field(ge=0, le=1440)] = 0  # noqa: N815
    lastMinVoice: SoundName | None = None  # noqa: N815
    lastMinToUE: Literal["toa", "tob", "both"] = "both"  # noqa: N815
    playPreVoice: Flag = False  # noqa: N815
    preVoice: SoundName | None = None  # noqa: N815
    waitVoice: SoundName | None = None  # noqa: N815
    calleeMedia: Literal["all", "none", "fail"] = "all"  # noqa: N815
    recordFlag: Flag = False  # noqa: N815
    recordHintTone: SoundName | None = None  # noqa: N815
    partyTypeRequiredInDisconnect: Flag = False  # noqa: N815


class CallVerifyRequest(StartRequest):
    """`POST /rest/httpsessions/callVerify/v1.0`."""

    languageType: Integer  # noqa: N815
    preTone: SoundName  # noqa: N815
    verifyCode: VerifyCode  # noqa: N815
    posTone: SoundName | None = None  # noqa: N815
    times: Annotated[Integer, Field(ge=0, le=9)] = 3


class CallStopRequest(WireModel):
    """`POST /rest/httpsessions/callStop/v2.0`; the small i in `sessionid` is the cloud's."""

    sessionid: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    signal: Literal["call_stop"]
