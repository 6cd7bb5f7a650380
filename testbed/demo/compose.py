"""Three calls on the bench of docker-compose.yml, judged by what its containers hold."""

import asyncio
import io
import json
import os
import re
import sys
import tarfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import docker
from docker.errors import DockerException
from docker.models.containers import Container
from rich.console import Console

from controller.accounts.directory import REFRESH_INTERVAL
from testbed.client import CALLNOTIFY, CALLVERIFY, CLICK2CALL, ApiClient
from testbed.demo.report import Report
from testbed.demo.stage import TEMPLATE_ID, sound
from testbed.demo.verification import code_heard
from testbed.listening import Audio, find, load_alaw, load_wav, share_heard


def project_of(folder: Path) -> str:
    """What docker compose calls the project of a folder."""
    return re.sub(r"[^-_a-z0-9]", "", folder.name.lower()).lstrip("-_")


URL = os.environ.get("VOICECALL_URL", "http://127.0.0.1:8080")
PROJECT = os.environ.get("COMPOSE_PROJECT_NAME") or project_of(Path.cwd())
SECRET = "bench-app-secret"
PHONE_A, PHONE_B = "+8613900001111", "+8613900002222"
SHOWN, SHOWN_TO_CALLEE = "+8657126880001", "+8657126880002"
CODE = "308615"
_CALL_LIMIT = 60.0
"""Seconds."""
_END = frozenset({"disconnect", "fee"})
_HEARD_AT_LEAST = 0.6
"""Of its pieces: phones in containers go before nobody, and lose frames on a busy machine."""

_IN_FORCE = 4 * REFRESH_INTERVAL
"""Seconds after which a declaration is in force, with time to spare."""
_SYNTHESISED = "/var/lib/voicecall/speech/*/*.alaw"
_SERVICES = frozenset({"asterisk", "controller", "phone-a", "phone-b", "receiver"})

_SAYS = {"phone-a": sound("code_intro"), "phone-b": sound("code_intro", "en")}
"""What the bench's phones say, as docker-compose.yml tells them."""


class BenchMissing(Exception):
    """The bench isn't up; the text says what to do."""


@dataclass(frozen=True)
class Bench:
    """The containers, by service."""

    containers: Mapping[str, Container]

    routes: ClassVar[str] = "bench-routes.toml"
    """The file with the way to its phones."""

    @classmethod
    def found(cls, services: Set[str], command: str) -> Self:
        """The running containers of these services; `command` brings them up. Raises BenchMissing."""
        try:
            # It lives as long as the program.
            return cls.on(docker.from_env(), PROJECT, services, command)
        except DockerException as error:
            raise BenchMissing(f"No Docker engine answers: {error}") from None

    @classmethod
    def on(cls, client: docker.DockerClient, project: str, services: Set[str], command: str) -> Self:
        """The same, of an engine's project."""
        running = client.containers.list(filters={"label": f"com.docker.compose.project={project}"})
        by_service = {one.labels["com.docker.compose.service"]: one for one in running}
        missing = services - set(by_service)
        if missing:
            raise BenchMissing(f"Of the bench {', '.join(sorted(missing))} do not run: {command}")
        return cls(by_service)

    def run(self, service: str, command: Sequence[str]) -> str:
        """What a command in a container prints. Raises BenchMissing if it fails."""
        status, output = self.containers[service].exec_run(list(command))
        text = output.decode("utf-8", "replace")
        if status:
            raise BenchMissing(f"{' '.join(command)} failed in {service}: {text.strip()[-500:]}")
        return str(text)

    def is_running(self, service: str) -> bool:
        """Whether its container runs now."""
        self.containers[service].reload()
        return bool(self.containers[service].status == "running")

    def declare(self, controller: str) -> list[str]:
        """Have a controller take what the bench has; what that changed."""
        return self.apply(controller, "bench.toml", self.routes)

    def apply(self, controller: str, *files: str) -> list[str]:
        """Have a controller take files of `containers/`; what that changed."""
        changes = [
            line
            for file in files
            for line in self.run(controller, ["voicecall", "apply", f"/etc/voicecall/{file}"]).splitlines()
        ]
        # A controller looks for changes by itself, and tells nobody when it has them.
        time.sleep(_IN_FORCE)
        return changes

    def pushes(self, session_id: str) -> list[dict[str, Any]]:
        """Bodies of the pushes of a call, in the order in which they arrived."""
        lines = self.run("receiver", ["sh", "-c", "cat /var/bench/pushes.jsonl 2>/dev/null || true"])
        bodies = [json.loads(line)["body"] for line in lines.splitlines()]
        return [body for body in bodies if session_id in json.dumps(body)]

    def sounds(self, phone: str) -> list[str]:
        """What a phone has recorded so far, oldest first."""
        return sorted(
            self.run(
                "receiver", ["sh", "-c", f"ls -tr /var/bench/{phone}/*.wav 2>/dev/null || true"]
            ).split(),
        )

    def synthesised(self, into: Path) -> list[Audio]:
        """The prompts that controllers have spoken so far; they share them."""
        controller = next(it for it in self.containers if it.startswith("controller") and self.is_running(it))
        files = self.run(controller, ["sh", "-c", f"ls {_SYNTHESISED} 2>/dev/null || true"]).split()
        return [load_alaw(self.fetch(controller, file, into / "synthesised.alaw")) for file in files]

    def fetch(self, service: str, path: str, into: Path) -> Path:
        """A file of a container's, here."""
        pieces, _facts = self.containers[service].get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            content = archive.extractfile(archive.getmembers()[0])
            assert content is not None
            into.write_bytes(content.read())
        return into


@dataclass
class Part:
    """One call."""

    bench: Bench
    report: Report
    service: str
    directory: Path
    turn: str = ""
    """Which time it is, where calls are made several times."""

    def check(self, name: str, passed: bool, shown: str) -> None:
        self.report.check(self.service, f"{self.turn}{name}", passed, shown)

    async def call(self, path: str, body: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
        """Make a call and wait for its end: the kinds of its status pushes, and its CDR."""
        return await self.told(await self.request(path, body))

    async def request(self, path: str, body: Mapping[str, Any]) -> str:
        """Ask for a call; its session."""
        self.report.step(f"[bold]POST {path}[/] (X-AKSK)", self.service)
        async with ApiClient.open(URL, f"bench-{self.service}", SECRET) as client:
            answer = await client.post(path, body)
        self.report.step(f"[bold]HTTP {answer.status}[/] {answer.text}", self.service)
        self.check("request accepted", answer.code == "0", f"resultcode {answer.code}")
        if answer.code != "0":
            raise BenchMissing(f"The platform refused the call: {answer.text}")
        return answer.session_id

    async def told(self, session_id: str, until: Set[str] = _END) -> tuple[list[str], dict[str, Any]]:
        """Wait until all these were pushed: the kinds of the status pushes, and the CDR if there is one."""
        told: list[str] = []
        async with asyncio.timeout(_CALL_LIMIT):
            while True:
                pushes = await asyncio.to_thread(self.bench.pushes, session_id)
                for push in pushes[len(told) :]:
                    told.append(push["eventType"])
                    self.report.step(f"[blue]push[/] {told[-1]}", self.service)
                if until <= set(told):
                    break
                # Nothing tells from outside when the file grows.
                await asyncio.sleep(0.3)
        records = [push["feeLst"][0] for push in pushes if push["eventType"] == "fee"]
        return [kind for kind in told if kind != "fee"], records[0] if records else {}

    def heard(self, phone: str, before: Sequence[str]) -> Path:
        """What a phone recorded since."""
        new = [path for path in self.bench.sounds(phone) if path not in before]
        if not new:
            raise BenchMissing(f"{phone} recorded nothing")
        name = f"{self.turn}{self.service}".replace(": ", "-")
        path = self.bench.fetch("receiver", new[-1], self.directory / f"{name}-{phone}.wav")
        self.report.listen(f"{self.turn}{self.service}: what {phone} heard", path)
        return path

    def check_synthesised(self, heard: Path) -> None:
        """A phone heard what the controllers have synthesised for it; they may have spoken for others too."""
        prompts = self.bench.synthesised(self.directory)
        share = max((share_heard(prompt, load_wav(heard)) for prompt in prompts), default=0.0)
        found = f"{share:.0%} of it; {len(prompts)} were made on this bench"
        self.check("the synthesised prompt was heard", share >= _HEARD_AT_LEAST, found)

    def check_heard(self, name: str, source: Path, heard: Path) -> None:
        prompt, recording = load_wav(source), load_wav(heard)
        match, share = find(prompt, recording), share_heard(prompt, recording)
        self.check(name, share >= _HEARD_AT_LEAST, f"correlation {match.correlation:.3f}; {share:.0%} of it")


async def notification(part: Part) -> None:
    """A spoken template; the phone presses 1."""
    before = part.bench.sounds("phone-a")
    item = {"templateId": TEMPLATE_ID, "templateParas": ["308615", "东门"], "collectInd": 1}
    kinds, record = await part.call(
        CALLNOTIFY, {"displayNbr": SHOWN, "calleeNbr": PHONE_A, "playInfoList": [item]}
    )
    expected = ["callout", "alerting", "answer", "collectInfo", "disconnect"]
    part.check("status pushes, in order", kinds == expected, " ".join(kinds))
    part.check("the digit came back", record.get("dynIVRPath") == "1", f"{record.get('dynIVRPath')}")
    part.check("the text was synthesised", record.get("ttsPlayTimes") == 1, f"{record.get('ttsPlayTimes')}")
    part.check_synthesised(part.heard("phone-a", before))


async def verification(part: Part) -> None:
    """A code between its introduction and its end."""
    before = part.bench.sounds("phone-b")
    kinds, _record = await part.call(
        CALLVERIFY,
        {
            "displayNbr": SHOWN,
            "calleeNbr": PHONE_B,
            "languageType": 2,
            "preTone": "code_intro.wav",
            "verifyCode": CODE,
            "times": 1,
        },
    )
    expected = ["callout", "alerting", "answer", "disconnect"]
    part.check("status pushes, in order", kinds == expected, " ".join(kinds))
    heard = part.heard("phone-b", before)
    part.check_heard("the introduction was heard", sound("code_intro"), heard)
    digits = "".join(digit for digit, _match in code_heard(load_wav(heard)))
    part.check("the code was heard, digit by digit", digits == CODE, digits)


async def callback(part: Part) -> None:
    """Two phones that hear each other."""
    before = {phone: part.bench.sounds(phone) for phone in _SAYS}
    kinds, record = await part.call(
        CLICK2CALL,
        {
            "displayNbr": SHOWN,
            "callerNbr": PHONE_A,
            "displayCalleeNbr": SHOWN_TO_CALLEE,
            "calleeNbr": PHONE_B,
            "recordFlag": "true",
        },
    )
    expected = ["callout", "alerting", "answer", "callout", "alerting", "answer", "disconnect"]
    part.check("status pushes, in order", kinds == expected, " ".join(kinds))
    part.check("it was recorded", bool(record.get("recordObjectName")), f"{record.get('recordObjectName')}")
    part.check_heard("A heard B", _SAYS["phone-b"], part.heard("phone-a", before["phone-a"]))
    part.check_heard("B heard A", _SAYS["phone-a"], part.heard("phone-b", before["phone-b"]))


CALLS = (notification, verification, callback)
"""One after the other, as there are two phones."""


async def run(console: Console, directory: Path) -> int:
    """Make the calls; returns the exit status."""
    return await judged(console, directory, _play)


async def _play(report: Report, directory: Path) -> None:
    bench = Bench.found(_SERVICES, "docker-compose up --build -d")
    report.step(f"The bench is up; the API is at {URL}")
    for line in bench.declare("controller"):
        report.step(line)
    for make in CALLS:
        await make(Part(bench, report, make.__name__, directory))


async def judged(console: Console, directory: Path, play: Callable[[Report, Path], Awaitable[None]]) -> int:
    """Have a bench play, and show what came of it; returns the exit status."""
    report = Report(console)
    directory.mkdir(parents=True, exist_ok=True)
    try:
        await play(report, directory)
    except (BenchMissing, TimeoutError, OSError) as error:
        report.summary()
        console.print(f"[red]The calls could not be completed:[/] {error or type(error).__name__}")
        return 1
    report.summary()
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Console(), Path("var/compose"))))
