"""A real Prometheus scrapes a controller, and evaluates the shipped alert rules and the board's queries."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from integration.support import StartBench

from testbed.ports import reserved_ports
from testbed.softphone_plan import Answer

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs/observability/alerts.yml"
BOARD = ROOT / "docs/observability/grafana-dashboard.json"
_UNPACKED = ROOT / ".cache/prometheus/prometheus"
ABSENT = (
    "voicecall_trunk_up",
    "voicecall_call_speech_seconds_bucket",
    "voicecall_app_calls",
    "voicecall_push_endpoints_disabled",
)
"""Told of what there is: here no trunk is declared, no text was said, no call goes on, no endpoint fails."""
_PATIENCE = 40.0
"""Seconds in which it must have come to what it is asked for: it looks each second."""


@dataclass
class Prometheus:
    """A Prometheus that runs, over its own HTTP API."""

    url: str
    http: aiohttp.ClientSession

    async def get(self, path: str, **parameters: str) -> Any:
        async with self.http.get(f"{self.url}/api/v1/{path}", params=parameters) as answer:
            body = await answer.json()
            assert body["status"] == "success", body
            return body["data"]

    async def until(self, is_it: Callable[[Any], bool], path: str, **parameters: str) -> Any:
        """What it answers once that is so."""
        found: Any = None
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    try:
                        if is_it(found := await self.get(path, **parameters)):
                            return found
                    except aiohttp.ClientConnectionError as error:
                        found = error
                    await asyncio.sleep(0.1)  # it tells nobody
        except TimeoutError:
            raise TimeoutError(f"not within {_PATIENCE} s; the last: {found}") from None


@asynccontextmanager
async def scraping(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus with the shipped rules, to which that controller (host:port) is the job `voicecall`."""
    program = str(_UNPACKED) if _UNPACKED.exists() else shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not here: scripts/setup-prometheus unpacks it")
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "voicecall", "static_configs": [{"targets": [target]}]}],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration), "utf-8")
    with reserved_ports(1) as (port,):
        options = [
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "prometheus.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(program, *options, stdout=log, stderr=log)
        try:
            async with aiohttp.ClientSession() as http:
                yield Prometheus(f"http://127.0.0.1:{port}", http)
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.requirement("E3")
async def test_E3_given_the_shipped_rules_and_board_when_prometheus_scrapes_a_controller_then_all_of_it_works(
    bench: StartBench, tmp_path: Path
) -> None:
    b = await bench(Answer())
    await b.over(await b.notify())
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]
    # Grafana puts the interval in.
    queries = [
        target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]
    ]

    async with scraping(b.controller.url.removeprefix("http://"), tmp_path) as prometheus:
        # It has scraped twice: before there are no rates.
        await prometheus.until(_found, "query", query="rate(process_cpu_seconds_total[1m])")
        rules = _rules(await prometheus.until(_evaluated, "rules"))
        shown = {query: await prometheus.get("query", query=query) for query in queries}
        ended = await prometheus.get("query", query="sum(voicecall_calls_ended_total)")

    assert ended["result"][0]["value"][1] == "1"
    empty = [query for query, data in shown.items() if not _found(data)]
    assert [query for query in empty if not any(name in query for name in ABSENT)] == []
    assert len(rules) == RULES.read_text("utf-8").count("- alert:")
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}
    # All is well, so that nobody is called at night.
    assert [rule["name"] for rule in rules if rule["state"] != "inactive"] == []


def _found(data: Any) -> bool:
    return bool(data["result"])


def _rules(data: Any) -> list[Any]:
    return [rule for group in data["groups"] for rule in group["rules"]]


def _evaluated(data: Any) -> bool:
    rules = _rules(data)
    return bool(rules) and all(rule["health"] != "unknown" for rule in rules)
