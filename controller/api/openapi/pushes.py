"""What the customer is sent, as a description: the schemas against which tests hold every push.

Source: wire API document, sections 5 and 6.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# ruff: noqa: N815 - the names are the wire's

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", examples=["2026-11-24 07:08:10"])]
Digits = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{2,29}$", examples=["+8613900001111"])]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, defer_build=True)


class _Event(_Sent):
    timestamp: Time
    """When it happened, UTC."""
    sessionId: Annotated[str, Field(max_length=256)]
    """The call, as the answer to its request named it."""
    userData: Annotated[str, Field(max_length=256)] | None = None
    """From the request; absent if it had none."""


class LegInfo(_Event):
    """One phone of the call."""

    caller: Digits
    """Number that the phone is shown."""
    called: Digits
    """The phone."""


class CollectedInfo(_Event):
    """Keys that were pressed."""

    digitInfo: Annotated[str, Field(pattern=r"^[0-9*#]+$")]
    """The digits."""


class DisconnectInfo(LegInfo):
    """The end of the call; numbers are those of the first phone."""

    stateCode: int
    """Why: see the table of outcomes."""
    stateDesc: Annotated[str, Field(max_length=128)]
    """The same in words."""
    partyType: Literal["caller", "callee", "platform"] | None = None
    """Who hung up; only of callbacks that asked for it."""


class CallEvent(_Sent):
    """Dialling, ringing, answered."""

    eventType: Literal["callout", "alerting", "answer"]
    statusInfo: LegInfo


class CollectEvent(_Sent):
    """Digits were collected."""

    eventType: Literal["collectInfo"]
    statusInfo: CollectedInfo


class DisconnectEvent(_Sent):
    """The call is over: the last status push, and the only one of its kind."""

    eventType: Literal["disconnect"]
    statusInfo: DisconnectInfo


class FeeInfo(_Sent):
    """One CDR. What does not apply to a call is absent."""

    direction: Literal[0]
    """0: outgoing."""
    spId: str
    """The account."""
    appKey: str
    icid: str
    """Of this record alone."""
    bindNum: Digits
    """The app's business number, else the number shown first."""
    sessionId: str
    callerNum: Digits
    """Number that the first phone was shown."""
    calleeNum: Digits
    """First phone."""
    fwdDisplayNum: Digits | None = None
    """Number that B was shown."""
    fwdDstNum: Digits | None = None
    """B."""
    fwdStartTime: Time | None = None
    """B was dialled."""
    fwdAlertingTime: Time | None = None
    fwdAnswerTime: Time | None = None
    callEndTime: Time
    fwdUnaswRsn: int
    """Q.850 cause with which B could not be reached; else 0."""
    failTime: Time | None = None
    """Only of calls that failed."""
    ulFailReason: int
    """Where the call broke off; 0: nowhere."""
    sipStatusCode: int
    """Of the phone that could not be reached; else 0."""
    callOutStartTime: Time | None = None
    """The first phone was dialled."""
    callOutAlertingTime: Time | None = None
    callOutAnswerTime: Time | None = None
    callOutUnaswRsn: int
    """Q.850 cause with which the first phone could not be reached; else 0."""
    dynIVRStartTime: Time | None = None
    """Collection of digits began."""
    dynIVRPath: str | None = None
    """Keys, joined with `-`."""
    recordFlag: Literal[0, 1]
    """1: there is a recording."""
    recordStartTime: Time | None = None
    recordObjectName: Annotated[str, Field(max_length=128)] | None = None
    """`fileName` of the request for its download."""
    recordBucketName: str | None = None
    recordDomain: Annotated[str, Field(max_length=128)] | None = None
    """`recordDomain` of that request."""
    ttsPlayTimes: int
    """How often speech was played."""
    ttsTransDuration: int
    """Seconds of speech that were synthesised for this call."""
    serviceType: Literal["001", "002"]
    """001: notification and verification code; 002: callback."""
    hostName: str
    userData: str | None = None


class FeePush(_Sent):
    """CDRs of one app that ended in the same second."""

    eventType: Literal["fee"]
    feeLst: Annotated[list[FeeInfo], Field(min_length=1, max_length=50)]


MODELS = (CallEvent, CollectEvent, DisconnectEvent, FeePush)
