"""The wide bench: three calls, a call in which its controller and its node die, and three calls again."""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from testbed.client import CALLVERIFY
from testbed.demo.compose import CALLS, CODE, PHONE_A, PHONE_B, SHOWN, URL, Bench, BenchMissing, Part, judged
from testbed.demo.report import Report

NODES = {"asterisk-1": "172.28.0.21", "asterisk-2": "172.28.0.22"}
CONTROLLERS = {"controller-a": "172.28.0.11", "controller-b": "172.28.0.12"}
_BALANCERS = {"http-balancer", "sip-balancer"}
SERVICES = frozenset({*NODES, *CONTROLLERS, *_BALANCERS, "phone-a", "phone-b", "receiver"})
_UP = "docker-compose -f docker-compose.wide.yml up --build -d"
_HTTP_STATISTICS = "http://172.28.0.50:8404/metrics"
_KAMCMD = ("kamcmd", "-s", "unixs:/run/kamailio/kamailio_ctl")
_SETTLED_WITHIN = 60.0
"""Seconds, for containers that have just been started."""
_FETCH = (
    "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=5).read().decode())"
)


@dataclass(frozen=True)
class WideBench(Bench):
    """The containers, and what they say of themselves."""

    routes = "wide-routes.toml"

    def fetched(self, url: str) -> str:
        """What is at an address inside the bench."""
        return self.run("receiver", ["python3", "-c", _FETCH, url])

    def nodes_in_balance(self) -> dict[str, bool]:
        """Whether each node gets calls from the SIP balancer."""
        listed = self.run("sip-balancer", [*_KAMCMD, "dispatcher.list"])
        flags = dict(re.findall(r"URI: sip:([0-9.]+):\d+.*?FLAGS: (\w+)", listed, re.DOTALL))
        # The first letter is A for a destination that answers.
        return {name: flags.get(address, "").startswith("A") for name, address in NODES.items()}

    def controllers_in_balance(self) -> dict[str, bool]:
        """Whether each controller gets requests from the HTTP balancer."""
        return {
            name: value == 1 for name, value in self._by_controller("haproxy_server_status", "UP").items()
        }

    def requests_taken(self) -> dict[str, float]:
        """Requests that each controller answered to the HTTP balancer."""
        return self._by_controller("haproxy_server_http_responses_total", "[2-4]xx")

    def _by_controller(self, metric: str, label: str) -> dict[str, float]:
        statistics = self.fetched(_HTTP_STATISTICS)
        row = rf'^{metric}{{proxy="controllers",server="(\w+)",\w+="{label}"}} (\S+)'
        sums: dict[str, float] = {}
        for server, value in re.findall(row, statistics, re.MULTILINE):
            name = f"controller-{server}"
            sums[name] = sums.get(name, 0) + float(value)
        return sums

    def registered(self, number: str) -> bool:
        """Whether a phone is registered under that number."""
        return f"AoR: {number}" in self.run("sip-balancer", [*_KAMCMD, "ul.dump"])

    def channels_of(self, node: str) -> int:
        """Channels that a node has; those of ARI count as no calls with it."""
        said = self.run(node, ["asterisk", "-rx", "core show channels count"])
        found = re.search(r"(\d+) active channels?", said)
        assert found, said
        return int(found[1])

    def trunk_answers(self, node: str) -> bool:
        """Whether a node has the trunk to the SIP balancer, and that answers OPTIONS."""
        return "Avail" in self.run(node, ["asterisk", "-rx", "pjsip show contacts"])

    def live_calls(self, controller: str) -> float:
        """Calls that a controller runs."""
        text = self.fetched(f"http://{CONTROLLERS[controller]}:8080/metrics")
        return sum(map(float, re.findall(r"^voicecall_live_calls\{[^}]*\} (\S+)", text, re.MULTILINE)))

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for it. Raises BenchMissing."""
        end = time.monotonic() + _SETTLED_WITHIN
        while not await asyncio.to_thread(_is_so, holds):
            if time.monotonic() > end:
                raise BenchMissing(f"within {_SETTLED_WITHIN:g} s it was not so that {what}")
            # Nothing tells from outside.
            await asyncio.sleep(0.3)


def _is_so(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except BenchMissing:
        # What has just been started doesn't answer yet.
        return False


def _said(states: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in states.items())


async def settled(bench: WideBench) -> None:
    """Wait until everybody knows of everybody."""
    for number in (PHONE_A, PHONE_B):
        await bench.until(partial(bench.registered, number), f"{number} is registered")
    for node in NODES:
        await bench.until(partial(bench.trunk_answers, node), f"{node} reaches the SIP balancer")
    await bench.until(lambda: all(bench.nodes_in_balance().values()), "the SIP balancer has both nodes")
    both = "the HTTP balancer has both controllers"
    await bench.until(lambda: all(bench.controllers_in_balance().values()), both)


async def _three_calls(bench: WideBench, report: Report, directory: Path, turn: str) -> None:
    for make in CALLS:
        await make(Part(bench, report, make.__name__, directory, turn))


async def _kill_under_a_call(bench: WideBench, report: Report, directory: Path) -> tuple[Part, str, float]:
    """Kill controller and node of a call that is under way: its session, and when."""
    part = Part(bench, report, "verification", directory)
    body = {
        "displayNbr": SHOWN,
        "calleeNbr": PHONE_B,
        "languageType": 2,
        "preTone": "code_intro.wav",
        "verifyCode": CODE,
        "times": 3,
    }
    session_id = await part.request(CALLVERIFY, body)
    await part.told(session_id, {"answer"})
    victims = [
        next(name for name in NODES if bench.channels_of(name)),
        next(name for name in CONTROLLERS if bench.live_calls(name)),
    ]
    for name in victims:
        await asyncio.to_thread(bench.containers[name].kill)
    report.step(f"[red]killed[/] {' and '.join(victims)}, in the middle of that call", "failover")
    return part, session_id, time.monotonic()


async def _look_after(bench: WideBench, report: Report) -> None:
    """What the balancers say after the second three calls."""
    await bench.until(
        lambda: sum(bench.nodes_in_balance().values()) == 1, "the SIP balancer left the node out"
    )
    nodes, controllers = bench.nodes_in_balance(), bench.controllers_in_balance()
    report.check(
        "failover", "SIP balancer left the node out", [*nodes.values()].count(True) == 1, _said(nodes)
    )
    left = [*controllers.values()].count(True) == 1
    report.check("failover", "HTTP balancer left it out", left, _said(controllers))


async def _play(report: Report, directory: Path) -> None:
    bench = WideBench.found(SERVICES, _UP)
    report.step(f"The bench is up; the API is at {URL}, behind the HTTP balancer")
    for line in bench.declare("controller-a"):
        report.step(line)
    await settled(bench)
    report.step("Phones are registered; both balancers have what is behind them")
    taken = bench.requests_taken()
    await _three_calls(bench, report, directory, "")
    taken = {name: value - taken[name] for name, value in bench.requests_taken().items()}
    report.check("balancers", "both controllers took requests", all(taken.values()), _said(taken))
    part, session_id, killed_at = await _kill_under_a_call(bench, report, directory)
    victims = [name for name in (*NODES, *CONTROLLERS) if not bench.is_running(name)]
    try:
        ended = asyncio.create_task(part.told(session_id))
        await _three_calls(bench, report, directory, "again: ")
        await ended
        pushes = bench.pushes(session_id)
        codes = [push["statusInfo"]["stateCode"] for push in pushes if push["eventType"] == "disconnect"]
        records = [push for push in pushes if push["eventType"] == "fee"]
        report.check("failover", "the call under way has one end", len(codes) == 1, f"stateCode {codes}")
        report.check("failover", "and one CDR", len(records) == 1, f"{len(records)}")
        await _look_after(bench, report)
    finally:
        for name in victims:
            bench.containers[name].start()
    await settled(bench)
    report.step(
        f"{' and '.join(victims)} are back, {time.monotonic() - killed_at:.0f} s after they were killed"
    )


async def run(console: Console, directory: Path) -> int:
    """Make the calls; returns the exit status."""
    return await judged(console, directory, _play)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(Console(), Path("var/compose-wide"))))
