"""What a user would write instead, beside the product and bare Asterisk: notifications. One JSON line.

One other side is `aioari_service.py`, on the cheapest of the ARI clients that can be installed, in an
environment of its own that is made below `.cache` at the first run. It is asked over HTTP and tells what
happens as the product does; it has no customers, database, signatures or CDRs, and does nothing when
something fails. The other one is `ari_script.py`, which nobody asks over HTTP and which tells nobody: what is
left of Asterisk where every call goes through ARI at all.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from benchmarks.against_bare import harness_cpu, highest_rates
from benchmarks.bare import ENDPOINT, bare_asterisk
from benchmarks.customer import Customer
from benchmarks.far_ends import FarEnds, far_ends
from benchmarks.load import Side, Trial
from benchmarks.product import Use, product
from benchmarks.services import NOTIFICATION, SOUNDS
from benchmarks.sink import PushSink
from controller.prompts import wav
from testbed.asterisk import AsteriskProgram, RunningAsterisk, obtain_asterisk, running_asterisk

_CLIENT = "aioari==0.10.2"
_ENVIRONMENT = Path(__file__).parents[1] / ".cache" / "other-client"
_STATUSES = 3


class OtherService(Side):
    """The script under load; a call is over when its last push has arrived."""

    name = "aioari"

    def __init__(
        self,
        asterisk: RunningAsterisk,
        service: asyncio.subprocess.Process,
        url: str,
        phones: FarEnds,
        sink: PushSink,
    ) -> None:
        self._pids = {
            "controller": [service.pid],
            "asterisk": [asterisk.process.pid],
            "far end": phones.pids,
        }
        self._phones = phones
        self._sink = sink
        self._customer = Customer(url, "/notify", "nobody", "nothing")

    def processes(self) -> Mapping[str, Sequence[int]]:
        return self._pids

    def prepare(self, calls: int) -> None:
        status_url = self._sink.url("/s")
        self._customer.prepare(
            {"calleeNbr": f"PJSIP/bench/{self._phones.uris(call)[0]}", "statusUrl": status_url}
            for call in range(calls)
        )

    def ask(self, call: int) -> None:
        self._customer.ask(call)

    def over(self) -> int:
        return self._sink.disconnects

    def faults(self) -> Mapping[str, int]:
        return {"refused": self._customer.refused, "failed at the far end": self._phones.failed()}

    def left_behind(self) -> Mapping[str, tuple[int, int]]:
        return {"statuses": (self._sink.statuses, _STATUSES)}


class AriScript(Side):
    """The least that ARI can do; a call is over when its far end has seen its end."""

    name = "script"

    def __init__(
        self, asterisk: RunningAsterisk, script: asyncio.subprocess.Process, phones: FarEnds
    ) -> None:
        assert script.stdin is not None
        self._pids = {
            "controller": [script.pid],
            "asterisk": [asterisk.process.pid],
            "far end": phones.pids,
        }
        self._phones = phones
        self._input = script.stdin
        self._lines: list[bytes] = []

    def processes(self) -> Mapping[str, Sequence[int]]:
        return self._pids

    def prepare(self, calls: int) -> None:
        self._lines = [f"PJSIP/bench/{self._phones.uris(call)[0]}\n".encode() for call in range(calls)]

    def ask(self, call: int) -> None:
        self._input.write(self._lines[call])

    def over(self) -> int:
        return self._phones.over()

    def faults(self) -> Mapping[str, int]:
        return {"failed at the far end": self._phones.failed()}


@asynccontextmanager
async def other_service(directory: Path, program: AsteriskProgram) -> AsyncIterator[OtherService]:
    """The service on aioari, on an Asterisk of its own, and far ends."""
    python = await asyncio.to_thread(_environment)
    async with (
        _beside_ari(directory, program, python, "aioari_service.py") as (asterisk, service, says, phones),
        PushSink.start() as sink,
    ):
        yield OtherService(asterisk, service, says, phones, sink)


@asynccontextmanager
async def ari_script(directory: Path, program: AsteriskProgram) -> AsyncIterator[AriScript]:
    """The script on an Asterisk of its own, and far ends."""
    python = Path(sys.executable)
    async with _beside_ari(directory, program, python, "ari_script.py") as (asterisk, script, _says, phones):
        yield AriScript(asterisk, script, phones)


@asynccontextmanager
async def _beside_ari(
    directory: Path, program: AsteriskProgram, python: Path, name: str
) -> AsyncIterator[tuple[RunningAsterisk, asyncio.subprocess.Process, str, FarEnds]]:
    """An Asterisk, a script of this folder that uses it, the first line that it says, and far ends."""
    assert program.sipp is not None
    prompt = directory / "prompt.alaw"
    async with (
        far_ends(NOTIFICATION, directory / "phones", program.sipp, prefix="+86139") as phones,
        running_asterisk(
            directory / "asterisk",
            program,
            extra_files=[("pjsip.d/bench.conf", ENDPOINT)],
            known_endpoints=["bench"],
            capture=False,
        ) as asterisk,
    ):
        prompt.write_bytes(wav.read(SOUNDS["prompt"]))
        node = asterisk.configuration
        script = await asyncio.create_subprocess_exec(
            python,
            Path(__file__).parent / name,
            f"http://{node.control_address}:{node.http_port}",
            node.ari_user,
            node.ari_password,
            f"sound:{prompt.with_suffix('')}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert script.stdin is not None and script.stdout is not None
        try:
            says = (await script.stdout.readline()).decode().strip()
            yield asterisk, script, says, phones
        finally:
            script.stdin.close()
            await script.wait()


def _environment() -> Path:
    """The other client's Python, made when it isn't there."""
    python = _ENVIRONMENT / "bin" / "python"
    marker = _ENVIRONMENT / _CLIENT
    if not marker.exists():
        venv.create(_ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", _CLIENT], check=True, stdout=sys.stderr)
        marker.touch()
    return python


async def measure(directory: Path, program: AsteriskProgram) -> dict[str, object]:
    """All figures."""
    async with (
        bare_asterisk(directory / "bare", program, NOTIFICATION) as bare,
        ari_script(directory / "script", program) as script,
        other_service(directory / "other", program) as other,
        product(directory / "product", program, [Use(NOTIFICATION)]) as (ours,),
    ):
        sides = {"bare": bare, "script": script, "aioari": other, "product": ours}
        best = dict(zip(sides, await highest_rates(list(sides.values())), strict=True))
    others = ("script", "aioari", "product")
    return {
        "bench": "other_client",
        "client": _CLIENT,
        **{f"{name}_cps": round(trial.rate, 1) for name, trial in best.items()},
        **{f"ratio_{name}": round(best[name].rate / best["bare"].rate, 3) for name in others},
        "product_by_aioari": round(best["product"].rate / best["aioari"].rate, 3),
        **{f"cpu_ms_per_call_{name}": round(best[name].cpu_ms["controller"], 2) for name in others},
        **{f"asterisk_cpu_ms_per_call_{name}": _asterisk(trial) for name, trial in best.items()},
        **{f"harness_cpu_ms_per_call_{name}": round(harness_cpu(trial), 2) for name, trial in best.items()},
        **{f"others_cpu_share_{name}": round(trial.others, 3) for name, trial in best.items()},
    }


def _asterisk(trial: Trial) -> float:
    return round(trial.cpu_ms["asterisk"], 2)


def main() -> None:
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="vc-other-") as directory:
        print(json.dumps(uvloop.run(measure(Path(directory), program))))


if __name__ == "__main__":
    main()
