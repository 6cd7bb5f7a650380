"""The process of one softphone: pjsua2 with an event loop of its own, told what to do by JSON lines.

The first line on stdin are the settings, each further one is a command with an `id`; on stdout are events,
among them `done` or `failed` for each command. The process ends when stdin does, and is killed when its
parent dies.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import random
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pjsua2 as pj

from testbed.sip_message import SipMessage
from testbed.softphone_call import CLOCK_RATE, Call, guarded, report_incoming
from testbed.softphone_plan import Plan, Silent, from_wire

_PR_SET_PDEATHSIG = 1
_LONGEST_RUN = 1_000_000  # microseconds
_DISCARD_NONE = 0  # PJMEDIA_JB_DISCARD_NONE
_BUSY_INTERVAL, _IDLE_INTERVAL = 0.01, 0.2


class Account(pj.Account):  # type: ignore[misc]
    """Hands the library's news to the phone."""

    def __init__(self, host: "Phone") -> None:
        super().__init__()
        self.host = host

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        self.host.incoming(prm.callId, SipMessage(prm.rdata.wholeMsg))

    @guarded
    def onRegState(self, prm: Any) -> None:  # noqa: N802
        self.host.registration_changed(prm)


class Phone:
    """The library, one account, its calls, and the plans for the calls to come."""

    def __init__(self, settings: dict[str, Any], events: int) -> None:
        self._settings = settings
        self._events = events
        self._directory = Path(settings["directory"])
        self._name: str = settings["name"]
        self._plans: list[Plan] = list(from_wire(settings["plans"]))
        self._calls: dict[int, Call] = {}
        self._past_calls: list[Call] = []
        self._count = 0
        self._ignored: set[str] = set()
        self._all_over = asyncio.Event()
        self._all_over.set()
        self._closings: set[asyncio.Task[None]] = set()
        self._unregistered = asyncio.Event()
        self._unregistered.set()
        self._endpoint = pj.Endpoint()
        self._account = Account(self)
        self._pumping: asyncio.TimerHandle | None = None

    def report(self, event: str, **details: object) -> None:
        line = json.dumps({"event": event, "at": time.monotonic(), **details})
        os.write(self._events, line.encode() + b"\n")

    # Start and end

    def start(self) -> None:
        endpoint, address = self._endpoint, self._settings["address"]
        endpoint.libCreate()
        endpoint.libInit(self._endpoint_configuration())
        transport = pj.TransportConfig()
        transport.boundAddress = address
        transport.port = self._settings["port"]
        transport_id = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        endpoint.libStart()
        endpoint.audDevManager().setNoDev()
        codecs: list[str] = self._settings["codecs"]
        for codec in endpoint.codecEnum2():
            name = codec.codecId.partition("/")[0]
            endpoint.codecSetPriority(codec.codecId, 255 - codecs.index(name) if name in codecs else 0)
        port = int(endpoint.transportGetInfo(transport_id).localName.rpartition(":")[2])
        self._sip = _bound_socket(address, port)
        asyncio.get_running_loop().add_reader(self._sip, self._give_time)
        self._account.create(self._account_configuration(address, port))
        self._pump()
        self.report("ready", port=port, pid=os.getpid())

    def _endpoint_configuration(self) -> Any:
        configuration = pj.EpConfig()
        configuration.uaConfig.threadCnt = 0
        configuration.uaConfig.mainThreadOnly = True
        configuration.uaConfig.userAgent = self._name
        configuration.medConfig.clockRate = CLOCK_RATE
        configuration.medConfig.sndClockRate = CLOCK_RATE
        configuration.medConfig.noVad = True
        # A media thread of the library wakes a hundred times a second even in a phone that does nothing.
        configuration.medConfig.hasIoqueue = False
        configuration.medConfig.threadCnt = 0
        configuration.medConfig.ecTailLen = 0
        configuration.medConfig.jbInit = self._settings["jitter_buffer"]
        configuration.medConfig.jbMinPre = self._settings["jitter_buffer"]
        configuration.medConfig.jbMaxPre = self._settings["jitter_buffer"]
        _keep_all_frames(configuration.medConfig)
        configuration.logConfig.consoleLevel = 0
        configuration.logConfig.level = self._settings["log_level"]
        configuration.logConfig.filename = str(self._directory / f"{self._name}.log")
        return configuration

    def _account_configuration(self, address: str, port: int) -> Any:
        configuration = pj.AccountConfig()
        configuration.idUri = f"sip:{self._name}@{address}:{port}"
        rtp = configuration.mediaConfig.transportConfig
        rtp.boundAddress = address
        first, last = self._settings["rtp_ports"]
        # Phones that all began with the same port would collide at each call.
        rtp.port = random.randrange(first, (first + last) // 2, 2)
        rtp.portRange = last - rtp.port
        registration = self._settings["registration"]
        if registration is not None:
            configuration.idUri = f"sip:{registration['user']}@{registration['registrar']}"
            configuration.regConfig.registrarUri = f"sip:{registration['registrar']}"
            configuration.regConfig.timeoutSec = registration["seconds"]
            secret = pj.AuthCredInfo("digest", "*", registration["user"], 0, registration["password"])
            configuration.sipConfig.authCreds.append(secret)
        return configuration

    async def stop(self, time_limit: float) -> None:
        """Hang up and unregister, close the recordings, and tell the library to go."""
        self._plans = [Silent()]
        for call in list(self._calls.values()):
            call.release()
        if not self._unregistered.is_set():
            self._account.setRegistration(False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(time_limit):
                await self._all_over.wait()
                await self._unregistered.wait()
                await asyncio.gather(*self._closings)
        # We have said good-bye ourselves; the library would wait another second for answers.
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
        # Calls that outlive the library abort the process when they are destroyed.
        os._exit(0)

    # The library's turn

    def _pump(self) -> None:
        """Give the library its time: for its timers and for the RTP that has come."""
        self._give_time()
        interval = _BUSY_INTERVAL if self._calls or self._closings else _IDLE_INTERVAL
        self._pumping = asyncio.get_running_loop().call_later(interval, self._pump)

    def _give_time(self) -> None:
        self._swallow_ignored()
        self._endpoint.libHandleEvents(0)

    def _swallow_ignored(self) -> None:
        """Take the INVITEs of silent calls away before the library answers 100 to them."""
        with contextlib.suppress(BlockingIOError):
            while self._ignored or isinstance(self._plans[0], Silent):
                datagram = self._sip.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                message = SipMessage(datagram.decode("utf-8", "replace"))
                if not message.opens_dialog or not self._ignores(message):
                    return
                self._sip.recv(65536, socket.MSG_DONTWAIT)

    def _ignores(self, invite: SipMessage) -> bool:
        call_id = invite.header("Call-ID")
        if call_id in self._ignored:
            return True
        if not isinstance(self._plans[0], Silent):
            return False
        self._next_plan()
        self._ignored.add(call_id)
        self._count += 1
        report_incoming(self, self._count, invite)
        return True

    # Calls

    def incoming(self, library_id: int, invite: SipMessage) -> None:
        call = self._new_call(library_id)
        call.report_incoming(invite)
        call.follow(self._next_plan())

    def registration_changed(self, news: Any) -> None:
        self.report("registration", status=news.code, phrase=news.reason, seconds=news.expiration)
        if news.code == 200 and news.expiration > 0:
            self._unregistered.clear()
        else:
            self._unregistered.set()

    def _next_plan(self) -> Plan:
        """The plan of the call that comes now; the last one stays for all that follow."""
        return self._plans.pop(0) if len(self._plans) > 1 else self._plans[0]

    def _new_call(self, library_id: int | None = None) -> Call:
        self._count += 1
        recording = self._directory / f"{self._name}-call{self._count}.wav"
        call = Call(self._account, self, self._count, recording, library_id)
        if not self._calls:
            self._endpoint.audDevManager().setNullDev()
        self._calls[call.number] = call
        self._all_over.clear()
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = asyncio.get_running_loop().call_later(_BUSY_INTERVAL, self._pump)
        return call

    def call_over(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._close(call))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    async def _close(self, call: Call) -> None:
        try:
            await self._close_recording(call)
        except Exception:
            self.report("error", text=traceback.format_exc())
        # Kept for good: a call that is destroyed hangs up the call that has its library number by then.
        self._past_calls.append(self._calls.pop(call.number))
        if not self._calls:
            self._endpoint.audDevManager().setNoDev()
            self._all_over.set()

    async def _close_recording(self, call: Call) -> None:
        # The library still uses the call while it tells that it's over.
        await asyncio.sleep(0)
        call.drop_media()
        while _is_open(call.recording):  # noqa: ASYNC110 - a media thread closes it, and nothing tells when
            await asyncio.sleep(0.005)
        if call.recording.exists():
            call.report("recording_finished", path=str(call.recording))

    # Commands

    async def obey(self, command: dict[str, Any]) -> None:
        try:
            await self._do(command)
        except Exception as error:
            self.report("failed", id=command["id"], error=f"{type(error).__name__}: {error}")
        else:
            self.report("done", id=command["id"])

    async def _do(self, command: dict[str, Any]) -> None:
        if command["do"] == "plan":
            self._plans = list(from_wire(command["plans"]))
            return
        if command["do"] == "dial":
            self._dial(command)
            return
        call = self._calls.get(command["call"])
        if call is None or call.over:
            if command["do"] != "hang_up":
                raise RuntimeError("the call is over")
            return
        match command["do"]:
            case "hang_up":
                call.release(command["reason"])
            case "respond":
                call.respond(command["status"], command["reason"])
            case "hold":
                call.hold(command["on"])
            case "digits":
                await call.run(call.send_digits(from_wire(command["digits"])))
            case "play":
                await call.run(call.play(from_wire(command["sound"])))
            case "start_sound":
                await call.run(call.start_sound(from_wire(command["sound"])))
            case "stop_sound":
                call.stop_sound()

    def _dial(self, command: dict[str, Any]) -> None:
        call = self._new_call()
        try:
            call.dial(command["uri"], command["caller"], from_wire(command["talk"]))
        except pj.Error:
            call.over = True
            self.call_over(call)
            raise


def _keep_all_frames(media: Any) -> None:
    """Keep the jitter buffer from dropping frames to shorten its delay: what is heard is compared later."""
    algorithm = media.jbDiscardAlgo
    # The binding has no constants for this enumeration and takes no number: so the number inside is changed.
    ctypes.c_int.from_address(int(algorithm)).value = _DISCARD_NONE
    media.jbDiscardAlgo = algorithm


def _bound_socket(address: str, port: int) -> socket.socket:
    """The library's own SIP socket, to be told when something arrives."""
    for link in Path("/proc/self/fd").iterdir():
        try:
            if not str(link.readlink()).startswith("socket:"):
                continue
            candidate = socket.socket(fileno=os.dup(int(link.name)))
        except OSError:
            continue
        if candidate.family == socket.AF_INET and candidate.getsockname() == (address, port):
            return candidate
        candidate.close()
    raise RuntimeError(f"the library has no socket on {address}:{port}")


def _is_open(path: Path) -> bool:
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if link.readlink() == path:
                return True
    return False


def _go_before_others() -> None:
    """Be scheduled before other processes, where that is allowed; threads to come inherit it."""
    with contextlib.suppress(PermissionError):
        # Whoever runs that long without a pause has gone astray and is ended by the kernel.
        resource.setrlimit(resource.RLIMIT_RTTIME, (_LONGEST_RUN, _LONGEST_RUN))
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


async def _serve(events: int) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    settings = json.loads(await commands.readline())
    if settings["real_time"]:
        _go_before_others()
    phone = Phone(settings, events)
    try:
        phone.start()
    except pj.Error as error:
        phone.report("error", text=str(error))
        return
    obeyed: set[asyncio.Task[None]] = set()
    async for line in commands:
        task = loop.create_task(phone.obey(json.loads(line)))
        obeyed.add(task)
        task.add_done_callback(obeyed.discard)
    await phone.stop(settings["stop_limit"])


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Ctrl-C reaches the whole group; the parent decides what becomes of its phones.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.dup(1)
    # Whatever prints must not come between the events.
    os.dup2(2, 1)
    asyncio.run(_serve(events))


if __name__ == "__main__":
    main()
