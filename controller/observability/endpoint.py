"""Where metrics are scraped: on the address of the API, for the networks that the settings name."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from controller.api.entrance import OPEN
from controller.api.remote import Remote
from controller.api.server import Readiness
from controller.observability.metrics import CONTENT_TYPE
from controller.observability.room import Observability
from controller.rules.networks import is_within
from controller.settings import MetricSettings


def metrics_routes(
    observability: Observability,
    settings: MetricSettings,
    remote: Remote,
    ready: Callable[[], Awaitable[Readiness]],
) -> list[web.RouteDef]:
    """`/metrics`; nothing when it is off. `ready` judges at each scrape, as it does for /readyz."""
    metrics = observability.metrics
    if metrics is None:
        return []

    async def scrape(request: web.Request) -> web.Response:
        # Through a proxy that the settings don't know, everybody would seem to be on this machine.
        unknown_proxy = "X-Forwarded-For" in request.headers and not remote.is_trusted(request.remote or "")
        if unknown_proxy or not is_within(remote.address(request), tuple(settings.allowed_networks)):
            raise web.HTTPNotFound
        request[OPEN] = True
        metrics.judged((await ready()).parts)
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/metrics", scrape)]
