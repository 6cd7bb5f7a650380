"""Where everything meets: the controller, made from settings."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random, SystemRandom
from typing import Any, Protocol

from aiohttp import web
from sqlalchemy import select

from controller.accounts.admission import Admission
from controller.accounts.directory import Directory, LiveDirectory
from controller.accounts.spending import SpendingTerms
from controller.agi import agi_server
from controller.api.entrance import Gate
from controller.api.listener import Listener, listening
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
from controller.asterisk.errors import FleetError
from controller.asterisk.node import Node
from controller.billing.room import Billing
from controller.calls.brake import Brake, Wait
from controller.calls.recovery import Recovery
from controller.calls.service import CallService
from controller.capture.room import opened_captures
from controller.clock import Clock, SystemClock
from controller.console.console import Console
from controller.console.pages.catalogue import PAGES
from controller.details.archive import CallArchive
from controller.details.index import opened_index
from controller.details.one_call import CallDetails
from controller.details.search import CallSearch
from controller.door import AGI_VARIABLE, Door
from controller.key_file import load_or_make_key
from controller.management.catalogue import OPERATIONS
from controller.management.context import management_services
from controller.management.desk import Desk
from controller.management.server import ManagementApi
from controller.membership.membership import Membership
from controller.notices.outbox import opened_outbox
from controller.observability.endpoint import metrics_routes
from controller.observability.room import opened_observability
from controller.prompts.library import PromptLibrary
from controller.prompts.shipped import ShippedPrompts
from controller.prompts.speech.synthesiser import Synthesiser
from controller.pushes.cdr_outbox import GATHERING
from controller.pushes.guard import AddressGuard
from controller.pushes.receiver import Sender
from controller.pushes.room import Pushes, opened_pushes
from controller.recordings.download import RecordingDownloads
from controller.recordings.keeper import RecordingKeeper
from controller.recordings.links import LinkSigner
from controller.review.queue import ReviewQueue
from controller.settings import AgiSettings, AuthenticationSettings, CaptureSettings, Settings
from controller.share import shared
from controller.sounds.distribution import Distributor
from controller.sounds.reviewed import REVIEWED
from controller.sounds.room import Content, opened_content
from controller.sounds.sweeping import Sweeper
from controller.speech import running_speech
from controller.store.calls import forget_nonces
from controller.store.controllers import Estate
from controller.store.database import Database
from controller.store.journal import Journal
from controller.store.notices import purge_notices
from controller.store.people import forget_expired
from controller.store.pushes import purge_pushes
from controller.store.schema import migrate
from controller.store.sealing import seal_what_is_open
from controller.store.tables import App, Contact, Trunk

log = logging.getLogger(__name__)

_HOUSEKEEPING_INTERVAL = 600.0
"""Seconds."""


NOTICES_KEPT = timedelta(days=90)
_DATABASE_PATIENCE = 1.0
"""Seconds in which the database must answer for the controller to be ready."""

_COMMANDS_LATE, _WRITES_LATE = 1.0, 2.0
"""Seconds that commands for Asterisk and writes may wait; beyond that no calls are taken."""

_HURRY = 1.0
"""Seconds that pushes and fetches under way get when somebody insists on the end."""


class Drained(Protocol):
    """What may end what it is at."""

    async def drain(self, timeout: float) -> None: ...


@dataclass
class Controller:
    """A running controller."""

    settings: Settings
    listener: Listener
    node: Node
    calls: CallService
    database: Database
    directory: LiveDirectory
    billing: Billing
    search: CallSearch
    content: Content
    reviews: ReviewQueue

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.listener.url


@asynccontextmanager
async def running_controller(
    settings: Settings,
    *,
    clock: Clock | None = None,
    random: Random | None = None,
    sender: Sender | None = None,
    hurry: asyncio.Event | None = None,
    on_fenced: Callable[[str], None] | None = None,
    hands_over: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Controller]:
    """A controller that takes requests until the end of the block, where it drains; `hurry` cuts that short.

    `on_fenced` is called when another controller has taken over; without it the process ends on the spot.
    Calls that then still talk go on for the next controller if this one `hands_over`.

    Raises DatabaseUnusable, OSError.
    """
    clock, random = clock or SystemClock(), random or SystemRandom()
    await asyncio.to_thread(migrate, settings.database_url)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.of(settings))
        await database.write(lambda session: seal_what_is_open(session, (App, Contact, Trunk)))
        membership = await _joined(settings, database, clock, on_fenced or die, stack)
        observability = await stack.enter_async_context(opened_observability(settings))
        journal = await stack.enter_async_context(Journal(database))
        speech = await stack.enter_async_context(running_speech(settings))
        node = Node(
            settings.own_asterisk,
            simulated_prefix=settings.calls.simulated_prefix,
            phone=settings.phone,
            clock=clock,
            random=random,
            permission=membership,
        )
        content = await opened_content(
            settings,
            database,
            [node],
            speech,
            clock,
            lambda media: calls.playing(media),
            lambda: directory.refresh(),
        )
        directory = LiveDirectory(
            database, lambda changed: _changed(changed, node, speech, content.distributor)
        )
        await directory.refresh()
        guard = AddressGuard(settings.pushes.allowed_networks)
        guard.protect_url(settings.asterisk.ari_url)
        guard.protect(settings.asterisk.ami_address, settings.asterisk.ami_port)
        pushes = await stack.enter_async_context(
            opened_pushes(
                settings,
                database,
                lambda key: directory.now.applications.get(key),
                guard,
                clock,
                random,
                sender,
                observability,
                membership,
            )
        )
        notices = await stack.enter_async_context(
            opened_outbox(database, settings.mail, settings.pushes, guard, clock, random, sender)
        )
        reviews = ReviewQueue(database, clock, REVIEWED, notices.wake)
        keeper = RecordingKeeper(
            database,
            node,
            clock,
            settings.recording_dir,
            keep=timedelta(days=settings.recordings.keep_days),
        )
        billing = Billing(
            database,
            clock,
            settings.billing,
            settings.alarms,
            SpendingTerms(directory, settings.limits.daily_cap),
            settings.is_free,
            timedelta(seconds=settings.calls.minute),
            settings.controller if database.shared else None,
        )
        await billing.open()
        brake = Brake(
            settings.limits.max_calls,
            [
                Wait("commands for Asterisk", lambda: node.ari.longest_wait, _COMMANDS_LATE),
                Wait("database", lambda: database.longest_wait, _WRITES_LATE),
            ],
        )
        calls = CallService(
            database,
            journal,
            node,
            observability.telling(pushes.statuses),
            pushes.outbox.wake,
            keeper.wake,
            clock,
            random,
            settings.calls,
            settings.host_name,
            GATHERING,
            speech,
            billing.spending,
            settings.controller,
            brake,
        )
        observability.look_at(
            live_calls=lambda: calls.live,
            nodes=lambda: {node.name: node.available},
            trunks=lambda: {state.name: state.works for state in node.trunks.all()},
            commands_in_flight=lambda: node.ari.in_flight,
            writes_waiting=lambda: database.waiting,
            pushes_inside=lambda: pushes.courier.inside,
            speech=_speech_figures(speech),
        )
        recovery = node.on_snapshot = Recovery(database, node, calls, clock, settings.controller)
        attempts_kept = timedelta(days=settings.pushes.attempts_days)
        index = await stack.enter_async_context(opened_index(database, settings.call_index))
        archive = CallArchive(database, index, clock, timedelta(days=settings.details.keep_days))
        library = PromptLibrary(settings.prompt_dir)
        key = await asyncio.to_thread(load_or_make_key, settings.recording_key)
        shipped = ShippedPrompts(library, shared("sounds"), key)
        sweeper = Sweeper(database, library, clock, calls.playing, lambda: shipped.digests)
        with naming_port("capture.port", settings.capture.address, settings.capture.port):
            captures = await stack.enter_async_context(
                opened_captures(_no_longer_than_calls(settings), settings.capture_file, clock)
            )
        node.on_dialled = captures.claim
        works = (
            captures.run(),
            directory.run(),
            sweeper.run(),
            keeper.run(),
            archive.run(),
            observability.run(),
            calls.hear_wishes(),
            brake.run(),
            _housekeeping(database, clock, attempts_kept),
        )
        others = (*pushes.works, *content.works, notices.run(), *billing.works(calls.cut_off))
        for work in (*works, *others):
            await stack.enter_async_context(_background(work))
        admission = Admission(
            settings.dialling, settings.limits, clock, settings.calls.simulated_prefix, node.phones
        )
        door = Door(directory, admission, node, calls, library, shipped, settings.agi.language, random)
        agi_address = await stack.enter_async_context(_opened(door, settings.agi))
        node.global_variables[AGI_VARIABLE] = agi_address
        guard.protect_url(agi_address)
        await stack.enter_async_context(node)
        if membership is not None:
            heir = partial(_take_over, node=node, recovery=recovery, pushes=pushes, clock=clock)
            await stack.enter_async_context(_background(membership.watch(heir)))
        percent = settings.recordings.inspection_percent
        planner = Planner(
            library,
            shipped,
            speaks=speech is not None,
            draws=lambda: random.random() * 100 < percent,
        )
        signer = LinkSigner(key, clock, timedelta(minutes=settings.recordings.link_minutes))
        lockout = _lockout(settings.authentication)
        remote = Remote(settings.http.trusted_proxies)
        search = CallSearch(database, index)
        services = management_services(
            settings,
            database,
            clock,
            directory,
            node,
            billing.spending,
            content,
            reviews,
            search,
            CallDetails(database, settings, clock, signer, captures),
            calls.stop_anywhere,
        )
        routes = _routes(
            settings,
            clock,
            random,
            database,
            directory,
            admission,
            planner,
            calls,
            signer,
            lockout,
            ManagementApi(OPERATIONS, services, remote),
            Console(PAGES, Desk(OPERATIONS, services), remote),
            remote,
        )
        gate = Gate(lockout, Pacer(), remote, clock, settings.http.read_timeout)
        routes += metrics_routes(observability, settings.metrics, remote)
        app = make_app(
            routes, partial(_readiness, node, database, calls), settings.http, gate, observability.answered
        )
        with naming_port("http.port", settings.http.address, settings.http.port):
            listener = await stack.enter_async_context(listening(app, settings.http, gate))
        guard.protect_url(listener.url)
        # While it drains it answers: calls can be stopped, and new ones are refused in words.
        stack.push_async_callback(
            _drain, settings, calls, (pushes, notices, keeper), hurry or asyncio.Event(), hands_over
        )
        yield Controller(
            settings, listener, node, calls, database, directory, billing, search, content, reviews
        )


async def _joined(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_fenced: Callable[[str], None],
    stack: AsyncExitStack,
) -> Membership | None:
    """This controller among those of its database, which it leaves at the end; None: it has no others."""
    if not database.shared:
        return None
    node = settings.own_asterisk
    membership = Membership(database, settings.controller, node.application, node.name, clock, on_fenced)
    await membership.join()
    stack.push_async_callback(membership.leave)
    await stack.enter_async_context(_background(membership.live()))
    return membership


def die(reason: str) -> None:
    """End the process at once: whatever it still did would be done to another controller's calls."""
    log.critical("This controller ends at once", extra={"reason": reason})
    logging.shutdown()
    os._exit(os.EX_TEMPFAIL)


async def _take_over(estate: Estate, *, node: Node, recovery: Recovery, pushes: Pushes, clock: Clock) -> None:
    """Go on with what another controller has left."""
    pushes.adopt(estate.behind, clock.now())
    # The dialplan may have been told to ask the other one.
    await node.announce()
    if estate.node != node.name:
        if estate.live:
            log.error(
                "Calls are closed whose node this controller doesn't know",
                extra={"node": estate.node, "calls": len(estate.live)},
            )
        await recovery.close_all(estate.live)
        return
    await recovery.take_over(estate.application)


async def _readiness(node: Node, database: Database, calls: CallService) -> Readiness:
    """Whether calls can be taken."""
    try:
        async with asyncio.timeout(_DATABASE_PATIENCE):
            await database.read(lambda session: session.execute(select(1)))
        answers = True
    except Exception:  # whatever it is, no call could be written down
        answers = False
    return Readiness(
        {
            "database": answers,
            "node": node.available,
            "trunks": node.trunks_in_force,
            "controller": not calls.draining,
        }
    )


def _speech_figures(speech: Synthesiser | None) -> dict[str, Callable[[], float]]:
    if speech is None:
        return {}
    return {
        "prompts_made": lambda: speech.made,
        "prompts_reused": lambda: speech.reused,
        "prompts_under_way": lambda: speech.under_way,
    }


async def _changed(
    directory: Directory, node: Node, speech: Synthesiser | None, distributor: Distributor
) -> None:
    """Bring what was declared into force."""
    distributor.wake()
    if speech is not None and directory.templates:
        speech.warm()
    await _configure(node, directory)


def _routes(
    settings: Settings,
    clock: Clock,
    random: Random,
    database: Database,
    directory: LiveDirectory,
    admission: Admission,
    planner: Planner,
    calls: CallService,
    signer: LinkSigner,
    lockout: Lockout,
    management: ManagementApi,
    console: Console,
    remote: Remote,
) -> list[web.RouteDef]:
    """Everything that is served."""
    proofs = settings.authentication
    tokens = TokenDesk(database, clock, timedelta(hours=proofs.token_hours))
    authenticator = Authenticator(proofs, clock, tokens, lockout)
    return [
        *WireApi(
            authenticator,
            directory,
            admission,
            planner,
            calls,
            database,
            signer,
            remote,
            random,
            StartedCalls(database, clock),
        ).routes(),
        *TokenApi(directory, tokens, authenticator, remote).routes(),
        *RecordingDownloads(database, signer, settings.recording_dir).routes(),
        *documentation_routes(document),
        *management.routes(),
        *console.routes(),
    ]


def _no_longer_than_calls(settings: Settings) -> CaptureSettings:
    """What is kept of a call's SIP goes with the call at the latest."""
    days = min(settings.capture.keep_days, settings.details.keep_days)
    return settings.capture.model_copy(update={"keep_days": days})


def _lockout(settings: AuthenticationSettings) -> Lockout:
    return Lockout(
        settings.lock_after, timedelta(seconds=settings.lock_window), timedelta(minutes=settings.lock_minutes)
    )


async def _configure(node: Node, directory: Directory) -> None:
    """Bring trunks and routes into force; an unreachable node gets them when it can be reached."""
    try:
        await node.configure(directory.trunks, directory.routes)
    except FleetError as error:
        log.warning("Trunks could not be brought into force", extra={"error": str(error)})


async def _drain(
    settings: Settings,
    calls: CallService,
    others: Iterable[Drained],
    hurry: asyncio.Event,
    hands_over: Callable[[], bool],
) -> None:
    await calls.drain(settings.calls.drain_timeout, hurry, lambda: settings.calls.hand_over and hands_over())
    for rest in others:
        await rest.drain(min(settings.pushes.timeout, _HURRY) if hurry.is_set() else settings.pushes.timeout)


async def _housekeeping(database: Database, clock: Clock, attempts_kept: timedelta) -> None:
    while True:
        now = clock.now()
        try:
            await database.write(partial(forget_nonces, now=now))
            await database.write(partial(forget_expired, now=now))
            while await database.write(partial(purge_pushes, before=now - attempts_kept)):
                pass
            await database.write(partial(purge_notices, before=now - NOTICES_KEPT))
        except Exception:
            log.exception("Housekeeping failed; trying again later")
        await asyncio.sleep(_HOUSEKEEPING_INTERVAL)


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _opened(door: Door, settings: AgiSettings) -> AsyncIterator[str]:
    """The address that the dialplan is told; "" when it can ask nothing."""
    if not settings.enabled:
        yield ""
        return
    async with AsyncExitStack() as stack:
        with naming_port("agi.port", settings.address, settings.port):
            address = await stack.enter_async_context(
                agi_server(door.abilities, settings.address, settings.port)
            )
        yield address


@contextlib.contextmanager
def naming_port(setting: str, address: str, port: int) -> Iterator[None]:
    """Have an address that can't be listened on name the setting that it comes from."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        reason = os.strerror(error.errno).lower()
        raise OSError(
            f"{setting}: can't listen on {address}:{port} ({reason}); end the program that has it, "
            "or set another one"
        ) from None
