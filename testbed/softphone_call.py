"""One call of a softphone, inside the phone's own process: it follows its plan and reports what happens."""

import asyncio
import contextlib
import dataclasses
import functools
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol

import pjsua2 as pj

from testbed.sip_message import SipMessage, user_of
from testbed.softphone_plan import Answer, Digits, EarlyMedia, Plan, Play, Reject, RingOnly, Sound, Talk, Tone

CLOCK_RATE = 8000
_DTMF_IS_UPDATE, _DTMF_IS_END = 1, 2  # flags of pjmedia's stream.h that the Python module leaves out
_TRANSIT = 0.15  # seconds until the last frames of a file have left the far end's jitter buffer
_P = ParamSpec("_P")


# An error of the library prints as nothing but its class name otherwise.
pj.Error.__str__ = lambda error: error.info()


class Host(Protocol):
    """What a call needs of the phone it belongs to."""

    def report(self, event: str, **details: object) -> None: ...

    def call_over(self, call: "Call") -> None: ...


def guarded(method: Callable[Concatenate[Any, _P], None]) -> Callable[Concatenate[Any, _P], None]:
    """Report what a callback raises: an exception that reaches the library ends the process."""

    @functools.wraps(method)
    def safe(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            self.host.report("error", text=traceback.format_exc())

    return safe


class _FilePlayer(pj.AudioMediaPlayer):  # type: ignore[misc]
    def __init__(self, path: str, *, repeat: bool, finished: Callable[[], None]) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._finished = finished
        self.createPlayer(path, 0 if repeat else pj.PJMEDIA_FILE_NO_LOOP)

    def onEof2(self) -> None:  # noqa: N802
        self._loop.call_soon_threadsafe(self._finished)


class Call(pj.Call):  # type: ignore[misc]
    """A call, incoming or outgoing; `number` counts the phone's calls from 1."""

    def __init__(
        self, account: Any, host: Host, number: int, recording: Path, library_id: int | None = None
    ) -> None:
        super().__init__(account, pj.PJSUA_INVALID_ID if library_id is None else library_id)
        self.host = host
        self.number = number
        self.recording = recording
        self.talk = Talk()
        self.over = False
        self._by_us = False
        self._cancel_reason = ""
        self._media_ready = asyncio.Event()
        self._confirmed = asyncio.Event()
        self._sound_stopped = asyncio.Event()
        self._recorder: Any = None
        self._source: Any = None
        self._audio: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def report(self, event: str, **details: object) -> None:
        self.host.report(event, call=self.number, **details)

    def report_incoming(self, invite: SipMessage) -> None:
        report_incoming(self.host, self.number, invite)

    # What the phone does

    def follow(self, plan: Plan) -> None:
        """Start to do what the plan says."""
        if isinstance(plan, Talk):
            self.talk = plan
        elif isinstance(plan, EarlyMedia) and isinstance(plan.then, Answer):
            # A 180 after the 183 is sent only by a plan that says so.
            self.talk = answer = dataclasses.replace(plan.then, ring=False)
            plan = dataclasses.replace(plan, then=answer)
        self._start(self._follow(plan))

    def dial(self, uri: str, caller: str | None, talk: Talk) -> None:
        """Call `uri`; `caller` is the SIP URI of the From header if not the account's own."""
        self.talk = talk
        parameters = pj.CallOpParam(True)
        if caller is not None:
            parameters.txOption.localUri = caller
        self.makeCall(uri, parameters)
        information = self.getInfo()
        self.report(
            "dialled",
            caller=user_of(information.localUri),
            called=user_of(uri),
            call_id=information.callIdString,
        )
        self._start(self._follow_talk())

    def respond(self, status: int, reason: str | None = None) -> None:
        """Send a provisional or final status to the caller."""
        if status >= 300:
            self._by_us = True
        parameters = pj.CallOpParam(True)
        parameters.statusCode = status
        _add_reason(parameters, reason)
        self.answer(parameters)
        if status in (180, 183):
            self.report("ringing", status=status)

    def release(self, reason: str | None = None) -> None:
        """End the call in the way its state asks for; not an error if it is over already."""
        if not self.over:
            self._by_us = True
            parameters = pj.CallOpParam()
            _add_reason(parameters, reason)
            self.hangup(parameters)

    def hold(self, on: bool) -> None:
        """Put the far end on hold, or talk again, by a re-INVITE."""
        parameters = pj.CallOpParam(True)
        if on:
            self.setHold(parameters)
        else:
            parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.reinvite(parameters)

    async def send_digits(self, digits: Digits) -> None:
        await asyncio.sleep(digits.after)
        for digit in digits.text:
            parameters = pj.CallSendDtmfParam()
            parameters.method = pj.PJSUA_DTMF_METHOD_RFC2833
            parameters.duration = round(digits.length * 1000)
            parameters.digits = digit
            self.sendDtmf(parameters)
            await asyncio.sleep(digits.length + digits.gap)
        self.report("digits_sent", digits=digits.text)

    async def play(self, sound: Sound, seconds: float | None = None) -> None:
        """Play to the far end until the sound is over (or replaced, or `seconds` have passed)."""
        await self.start_sound(sound, seconds)
        await self._sound_stopped.wait()

    async def start_sound(self, sound: Sound, seconds: float | None = None) -> None:
        """Play to the far end in place of what it hears now; returns when it begins."""
        await self._media_ready.wait()
        self.stop_sound()
        stopped, finished = asyncio.Event(), asyncio.Event()
        if isinstance(sound, Play):
            self._source = _FilePlayer(sound.path, repeat=sound.repeat, finished=finished.set)
        else:
            self._source = _tone(sound)
            seconds = sound.seconds if seconds is None else seconds
        self._sound_stopped = stopped
        self._source.startTransmit(self._audio)
        self.report("sound_started")
        self._start(self._end_sound(stopped, finished, seconds))

    async def _end_sound(
        self, stopped: asyncio.Event, finished: asyncio.Event, seconds: float | None
    ) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await finished.wait()
                await asyncio.sleep(_TRANSIT)
        if not stopped.is_set():
            self.stop_sound()

    def stop_sound(self) -> None:
        if self._source is None:
            return
        source, self._source = self._source, None
        if self._audio is not None:
            source.stopTransmit(self._audio)
        self._sound_stopped.set()
        self.report("sound_finished")

    async def run(self, steps: Coroutine[Any, Any, None]) -> None:
        """Wait for steps that are given up when the call ends."""
        task = self._own(steps)
        await asyncio.wait({task})
        if task.cancelled():
            raise RuntimeError("the call is over")
        task.result()

    def _start(self, steps: Coroutine[Any, Any, None]) -> None:
        self._own(self._guarded_steps(steps))

    def _own(self, steps: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded_steps(self, steps: Coroutine[Any, Any, None]) -> None:
        try:
            await steps
        except Exception:
            self.host.report("error", text=traceback.format_exc())

    async def _follow(self, plan: Plan) -> None:
        match plan:
            case Answer():
                if plan.ring:
                    self.respond(180)
                await asyncio.sleep(plan.after)
                self.respond(200)
                await self._follow_talk()
            case Reject():
                if plan.ring:
                    self.respond(180)
                await asyncio.sleep(plan.after)
                self.respond(plan.status, plan.reason)
            case EarlyMedia():
                self.respond(183)
                if plan.ring_after is not None:
                    self._start(self._ring_after(plan.ring_after))
                await self.play(plan.play, plan.seconds)
                if plan.then is not None:
                    await self._follow(plan.then)
            case RingOnly():
                self.respond(180)

    async def _ring_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.respond(180)

    async def _follow_talk(self) -> None:
        await self._confirmed.wait()
        if self.talk.hang_up_after is not None:
            self._start(self._release_after(self.talk.hang_up_after))
        await self._media_ready.wait()
        if self.talk.play is not None:
            await self.start_sound(self.talk.play)
        for digits in self.talk.digits:
            await self.send_digits(digits)

    async def _release_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.release()

    # What the library tells

    @guarded
    def onCallState(self, prm: Any) -> None:  # noqa: N802
        information = self.getInfo()
        match information.state:
            case pj.PJSIP_INV_STATE_EARLY if information.role == pj.PJSIP_ROLE_UAC:
                self.report("ringing", status=information.lastStatusCode)
            case pj.PJSIP_INV_STATE_CONFIRMED:
                self.report("answered")
                self._confirmed.set()
            case pj.PJSIP_INV_STATE_DISCONNECTED:
                self._disconnected(information, _received(prm.e))

    @guarded
    def onCallTsxState(self, prm: Any) -> None:  # noqa: N802
        message = _received(prm.e)
        if message is not None and message.method == "CANCEL":
            self._cancel_reason = message.header("Reason")

    def onCallRedirected(self, prm: Any) -> int:  # noqa: N802
        # The default turns 3xx into 487.
        return int(pj.PJSIP_REDIRECT_REJECT)

    @guarded
    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        # The list lives only as long as the object it comes from.
        information = self.getInfo()
        for media in information.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self._connect(self.getAudioMedia(media.index))

    @guarded
    def onDtmfEvent(self, prm: Any) -> None:  # noqa: N802
        if not prm.flags & _DTMF_IS_UPDATE:
            self.report("dtmf", digit=prm.digit)
        if prm.flags & _DTMF_IS_END:
            self.report("dtmf_end", digit=prm.digit, seconds=prm.duration / 1000)

    def _connect(self, audio: Any) -> None:
        """Wire the far end to recorder and sound; again after each re-INVITE, which may renew the media."""
        if self.over:
            return
        self._audio = audio
        if self.talk.record:
            if self._recorder is None:
                self._recorder = pj.AudioMediaRecorder()
                self._recorder.createRecorder(str(self.recording))
            audio.startTransmit(self._recorder)
        if self._source is not None:
            self._source.startTransmit(audio)
        if not self._media_ready.is_set():
            self.report("media_active")
            self._media_ready.set()

    def _disconnected(self, information: Any, message: SipMessage | None) -> None:
        self.over = True
        for task in self._tasks:
            task.cancel()
        self._audio = None
        self.stop_sound()
        self.report(
            "disconnected",
            status=information.lastStatusCode,
            phrase=information.lastReason,
            reason=(message.header("Reason") if message else "") or self._cancel_reason,
            by="phone" if self._by_us else "far end",
            recorded=self._recorder is not None,
        )
        self.host.call_over(self)

    def drop_media(self) -> None:
        """Let the library close the recording."""
        self._recorder = None


def _add_reason(parameters: Any, reason: str | None) -> None:
    if reason is not None:
        header = pj.SipHeader()
        header.hName, header.hValue = "Reason", reason
        parameters.txOption.headers.append(header)


def report_incoming(host: Host, number: int, invite: SipMessage) -> None:
    host.report(
        "incoming",
        call=number,
        caller=user_of(invite.header("From")),
        called=invite.request_user or user_of(invite.header("To")),
        call_id=invite.header("Call-ID"),
        headers=invite.headers,
    )


def _received(event: Any) -> SipMessage | None:
    """The message that caused the event, if one was received."""
    if event.type != pj.PJSIP_EVENT_TSX_STATE or event.body.tsxState.type != pj.PJSIP_EVENT_RX_MSG:
        return None
    return SipMessage(event.body.tsxState.src.rdata.wholeMsg)


def _tone(tone: Tone) -> Any:
    generator = pj.ToneGenerator()
    generator.createToneGenerator(CLOCK_RATE)
    piece = pj.ToneDesc()
    piece.freq1, piece.freq2 = tone.frequency, tone.second_frequency
    piece.on_msec, piece.off_msec = round(tone.sound * 1000), round(tone.silence * 1000)
    pieces = pj.ToneDescVector()
    pieces.append(piece)
    generator.play(pieces, True)
    return generator
