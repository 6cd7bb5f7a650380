"""What a user would write instead, beside the product and bare Asterisk: notifications. One JSON line.

The other side is `aioari_service.py`, on the cheapest of the ARI clients that can be installed, in an
environment of its own that is made below `.cache` at the first run. It is asked over HTTP and tells what
happens as the product does; it has no customers, database, signatures or CDRs, and does nothing when
something fails.
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


@asynccontextmanager
async def other_service(directory: Path, program: AsteriskProgram) -> AsyncIterator[OtherService]:
    """The script on an Asterisk of its own, and far ends."""
    assert program.sipp is not None
    python = await asyncio.to_thread(_environment)
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
        PushSink.start() as sink,
    ):
        prompt.write_bytes(wav.read(SOUNDS["prompt"]))
        node = asterisk.configuration
        service = await asyncio.create_subprocess_exec(
            python,
            Path(__file__).parent / "aioari_service.py",
            f"http://{node.control_address}:{node.http_port}",
            node.ari_user,
            node.ari_password,
            f"sound:{prompt.with_suffix('')}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert service.stdin is not None and service.stdout is not None
        try:
            url = (await service.stdout.readline()).decode().strip()
            yield OtherService(asterisk, service, url, phones, sink)
        finally:
            service.stdin.close()
            await service.wait()


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
        other_service(directory / "other", program) as other,
        product(directory / "product", program, [Use(NOTIFICATION)]) as (ours,),
    ):
        best = dict(
            zip(
                ("bare", "aioari", "product"),
                await highest_rates([bare, other, ours]),
                strict=True,
            )
        )
    return {
        "bench": "other_client",
        "client": _CLIENT,
        **{f"{name}_cps": round(trial.rate, 1) for name, trial in best.items()},
        "ratio_aioari": round(best["aioari"].rate / best["bare"].rate, 3),
        "ratio_product": round(best["product"].rate / best["bare"].rate, 3),
        "product_by_aioari": round(best["product"].rate / best["aioari"].rate, 3),
        "cpu_ms_per_call_aioari": round(best["aioari"].cpu_ms["controller"], 2),
        "cpu_ms_per_call_product": round(best["product"].cpu_ms["controller"], 2),
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
