"""The product at work: everything that a customer gets, asked for over its HTTP API."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.customer import Customer
from benchmarks.far_ends import FarEnds, far_ends
from benchmarks.load import Side, until
from benchmarks.services import SHOWN, SOUNDS, Service
from benchmarks.sink import PushSink
from benchmarks.usage import children
from controller.settings import Settings
from testbed.asterisk import AsteriskProgram
from testbed.client import encoded_url
from testbed.controller_process import ControllerProcess, controller_process
from testbed.platform import platform

SECRET = "bench-app-secret"


class Product(Side):
    """The platform under load; a call is over when its disconnect push has arrived."""

    name = "product"

    def __init__(
        self,
        settings: Settings,
        asterisk: int,
        controller: ControllerProcess,
        service: Service,
        phones: FarEnds,
        sink: PushSink,
    ) -> None:
        """`asterisk` is the id of its process."""
        self.url = controller.url
        self.phones = phones
        self._settings = settings
        self._asterisk = asterisk
        self._controller = controller
        self._service = service
        self._sink = sink
        self._customer = Customer(controller.url, service.path, f"bench-{service.name}", SECRET)

    @property
    def database_url(self) -> str:
        """Of the controller's database."""
        return self._settings.database_url

    def processes(self) -> Mapping[str, Sequence[int]]:
        return {
            "controller": [self._controller.pid],
            "synthesiser": children(self._controller.pid),
            "asterisk": [self._asterisk],
            "far end": self.phones.pids,
        }

    def prepare(self, calls: int) -> None:
        addresses = {
            "statusUrl": encoded_url(self._sink.url("/s")),
            "feeUrl": encoded_url(self._sink.url("/f")),
        }
        self._customer.prepare(
            {**self._service.request(*self.phones.numbers(call)), **addresses} for call in range(calls)
        )

    def ask(self, call: int) -> None:
        self._customer.ask(call)

    def over(self) -> int:
        return self._sink.disconnects

    def faults(self) -> Mapping[str, int]:
        return {
            "refused": self._customer.refused,
            "abnormal": self._sink.abnormal,
            "failed at the far end": self.phones.failed(),
        }

    def left_behind(self) -> Mapping[str, tuple[int, int]]:
        return {
            "disconnects": (self._sink.disconnects, 1),
            "statuses": (self._sink.statuses, self._service.status_pushes),
            "cdrs": (self._sink.cdrs, 1),
        }

    async def warm_up(self, time_limit: float) -> None:
        """Make one call, and wait until all of it has come."""
        before = self._sink.cdrs
        self.prepare(1)
        self.ask(0)
        await until(lambda: self._sink.cdrs > before, time_limit)

    def invite_delays(self) -> list[float]:
        """Seconds from each request of the last trial to the INVITE of its first leg."""
        return [delay for _asked_at, delay in self.invites()]

    def invites(self) -> list[tuple[float, float]]:
        """Of each request of the last trial: when it was made (wall clock), and those seconds."""
        asked_at = self._customer.asked_at
        invited = self.phones.invited_at(since=asked_at[0])
        numbers = (self.phones.numbers(call)[0] for call in range(len(asked_at)))
        asked = zip(numbers, asked_at, strict=True)
        return [(moment, invited[number] - moment) for number, moment in asked if number in invited]


@dataclass(frozen=True)
class Use:
    """A service and phones for it; those that are `traced` tell when each INVITE came."""

    service: Service
    traced: bool = False


@asynccontextmanager
async def product(
    directory: Path,
    program: AsteriskProgram,
    uses: Sequence[Use],
    declared: str = "",
    sections: Mapping[str, Any] | None = None,
    sounds: Mapping[str, bytes] = SOUNDS,
    command: str = "controller",
) -> AsyncIterator[list[Product]]:
    """The whole platform with the settings it is shipped with, once, and a side for each use of it.

    What brakes accounts as shipped is off (`PLENTY` of the test bed): calls a second, the cost of a day.
    `declared` is added to the declaration of the account; `sections` replace sections of the settings;
    `command` is the module that runs the controller.
    """
    directory.mkdir(parents=True)
    for name, sound_file in sounds.items():
        (directory / f"{name}.wav").write_bytes(sound_file)
    assert program.sipp is not None
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(platform(directory, program, sections))
        phones, sinks = [], []
        for index, use in enumerate(uses):
            ends = far_ends(
                use.service,
                directory / f"phones{index}",
                program.sipp,
                prefix=f"+8613{index}",
                traced=use.traced,
            )
            phones.append(await stack.enter_async_context(ends))
            sinks.append(await stack.enter_async_context(PushSink.start()))
        contacts = {
            prefix: sipp.uri("{number}")
            for ends in phones
            for prefix, sipp in zip(ends.prefixes, ends.sipps, strict=True)
        }
        await home.declare(declaration(uses, contacts, declared, sounds))
        controller = await stack.enter_async_context(
            controller_process(home.settings, directory / "controller", program=command)
        )
        yield [
            Product(home.settings, home.asterisk.process.pid, controller, use.service, ends, sink)
            for use, ends, sink in zip(uses, phones, sinks, strict=True)
        ]


def declaration(
    uses: Sequence[Use], contacts: Mapping[str, str], more: str = "", sounds: Iterable[str] = SOUNDS
) -> str:
    """What the customer has; `contacts` say where calls go: beginning of a number -> contact."""
    services = dict.fromkeys(use.service.name for use in uses)
    routes = (_ROUTE.format(prefix=prefix, contact=contact) for prefix, contact in contacts.items())
    return "".join(
        [
            _ACCOUNT,
            *(_APP.format(service=service) for service in services),
            *(_SOUND.format(name=name) for name in sounds),
            more,
            *routes,
        ]
    )


_ACCOUNT = f"""
[[accounts]]
id = "bench"
numbers = ["{SHOWN}"]
"""

_APP = f"""
[[accounts.apps]]
key = "bench-{{service}}"
secret = "{SECRET}"
service = "{{service}}"
max_calls = 65535
"""

_SOUND = """
[[accounts.sounds]]
name = "{name}.wav"
file = "{name}.wav"
"""

_ROUTE = """
[[routes]]
prefix = "{prefix}"
contact = "{contact}"
"""
