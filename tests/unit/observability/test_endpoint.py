"""Who may scrape."""

from ipaddress import IPv4Network

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from controller.api.remote import Remote
from controller.api.server import Readiness, always_ready
from controller.observability.endpoint import metrics_routes
from controller.observability.metrics import Metrics
from controller.observability.room import Observability
from controller.settings import MetricSettings


@pytest.mark.requirement("E3")
@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ([], None, 200),
        ([], "192.0.2.7", 404),
        ([], "127.0.0.1", 404),
        (["127.0.0.1/32"], "192.0.2.7", 404),
        (["127.0.0.1/32"], "127.0.0.1, 192.0.2.7", 404),
        (["127.0.0.1/32"], None, 200),
    ],
)
async def test_E3_given_a_proxy_on_this_machine_when_strangers_scrape_through_it_then_there_is_nothing(
    trusted: list[str], forwarded: str | None, status: int
) -> None:
    remote = Remote([IPv4Network(network) for network in trusted])
    app = web.Application()
    room = Observability(Metrics("host"), None)
    app.add_routes(metrics_routes(room, MetricSettings(), remote, always_ready))
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    async with TestClient(TestServer(app)) as client, client.get("/metrics", headers=headers) as answer:
        assert answer.status == status


@pytest.mark.requirement("E3", "E4")
async def test_E3_given_a_database_that_goes_away_when_scraped_then_that_part_is_not_ready_any_more() -> None:
    parts = {"database": True, "node": True}

    async def ready() -> Readiness:
        return Readiness(parts)

    app = web.Application()
    room = Observability(Metrics("host"), None)
    app.add_routes(metrics_routes(room, MetricSettings(), Remote([]), ready))
    told = []
    async with TestClient(TestServer(app)) as client:
        for parts["database"] in (True, False):
            async with client.get("/metrics") as answer:
                lines = (await answer.text()).splitlines()
            told.append([line for line in lines if line.startswith("voicecall_ready")])
    both = 'voicecall_ready{{part="database"}} {}', 'voicecall_ready{part="node"} 1.0'
    assert told == [[both[0].format(value), both[1]] for value in ("1.0", "0.0")]
