"""Everything that is served by HTTP: the customer's API and downloads, management, console, metrics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from random import Random

from aiohttp import web
from sqlalchemy import select

from controller.accounts.admission import Admission
from controller.api.entrance import Gate
from controller.api.listener import Listener, listening
from controller.api.node_prompts import prompt_routes
from controller.api.openapi.document import document
from controller.api.openapi.routes import documentation_routes
from controller.api.pacing import Pacer
from controller.api.remote import Remote
from controller.api.server import Readiness, make_app
from controller.api.wire.authentication import Authenticator, Lockout, TokenDesk
from controller.api.wire.handlers import WireApi
from controller.api.wire.idempotency import StartedCalls
from controller.api.wire.plans import Planner
from controller.api.wire.token_handlers import TokenApi
from controller.asterisk.fleet import Fleet
from controller.calls.service import CallService
from controller.calls.wishes import StopWishes
from controller.console.console import Console
from controller.console.pages.catalogue import PAGES
from controller.lifecycle import naming_port
from controller.management.catalogue import OPERATIONS
from controller.management.context import Services
from controller.management.desk import Desk
from controller.management.server import REFUSALS, ManagementApi
from controller.observability.endpoint import metrics_routes
from controller.observability.room import Observability
from controller.recordings.download import RecordingDownloads
from controller.recordings.links import LinkSigner
from controller.settings import AuthenticationSettings
from controller.store.database import Database

_DATABASE_PATIENCE = 1.0
"""Seconds in which the database must answer for the controller to be ready."""


@asynccontextmanager
async def serving(
    services: Services,
    admission: Admission,
    planner: Planner,
    calls: CallService,
    wishes: StopWishes,
    signer: LinkSigner,
    observability: Observability,
    random: Random,
    may_act: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Listener]:
    """Where it is served, until the end of the block. Raises OSError.

    `may_act`: nobody can have taken this controller's place.
    """
    settings, database, clock = services.settings, services.database, services.clock
    remote = Remote(settings.http.trusted_proxies)
    lockout = _lockout(settings.authentication)
    tokens = TokenDesk(database, clock, timedelta(hours=settings.authentication.token_hours))
    authenticator = Authenticator(settings.authentication, clock, tokens, lockout)
    wire = WireApi(
        authenticator,
        services.directory,
        admission,
        planner,
        calls,
        wishes,
        database,
        signer,
        remote,
        random,
        StartedCalls(database, clock),
    )
    ready = partial(readiness, services.fleet, database, calls, may_act)
    routes: list[web.RouteDef] = [
        *wire.routes(),
        *TokenApi(services.directory, tokens, authenticator, remote).routes(),
        *RecordingDownloads(database, signer, settings.recording_dir).routes(),
        *documentation_routes(document),
        *ManagementApi(OPERATIONS, services, remote).routes(),
        *Console(PAGES, Desk(OPERATIONS, services), remote).routes(),
        *metrics_routes(observability, settings.metrics, remote, ready),
    ]
    if any(node.prompt_url for node in settings.nodes):
        routes += prompt_routes((settings.prompt_dir, settings.speech_dir))
    gate = Gate(
        lockout,
        Pacer(),
        remote,
        clock,
        settings.http.read_timeout,
        REFUSALS,
        fetchers=lambda: services.fleet.fetchers,
    )
    app = make_app(routes, ready, settings.http, gate, observability.answered)
    async with AsyncExitStack() as stack:
        with naming_port("http.port", settings.http.address, settings.http.port):
            listener = await stack.enter_async_context(listening(app, settings.http, gate))
        yield listener


def _lockout(settings: AuthenticationSettings) -> Lockout:
    return Lockout(
        settings.lock_after, timedelta(seconds=settings.lock_window), timedelta(minutes=settings.lock_minutes)
    )


async def readiness(
    fleet: Fleet, database: Database, calls: CallService, may_act: Callable[[], bool]
) -> Readiness:
    """Whether calls can be taken.

    A database that several share may answer and take nothing, as a standby does: then no sign of life is
    given, and this controller may not act.
    """
    try:
        async with asyncio.timeout(_DATABASE_PATIENCE):
            await database.read(lambda session: session.execute(select(1)))
        answers = True
    except Exception:  # whatever it is, no call could be written down
        answers = False
    return Readiness(
        {
            "database": answers and may_act(),
            "node": fleet.takes_calls,
            "trunks": fleet.trunks_in_force,
            "controller": not calls.draining,
        }
    )
