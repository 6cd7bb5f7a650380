"""The requests of the wire API. Source: wire API document, section 4."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from controller.api.wire.body import Flag, Integer, Number, PushUrl, SoundName, UserData, WireModel


class PlayContentInfo(WireModel):
    """One item of a notification: exactly one of the sources of sound."""

    notifyVoice: SoundName | None = None  # noqa: N815
    templateId: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None  # noqa: N815
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


class CallNotifyRequest(WireModel):
    """`POST /rest/httpsessions/callnotify/{version}`."""

    displayNbr: Number  # noqa: N815
    calleeNbr: Number  # noqa: N815
    playInfoList: Annotated[list[PlayContentInfo], Field(min_length=1, max_length=5)]  # noqa: N815
    statusUrl: PushUrl | None = None  # noqa: N815
    feeUrl: PushUrl | None = None  # noqa: N815
    returnIdlePort: Flag = False  # noqa: N815
    userData: UserData | None = None  # noqa: N815
