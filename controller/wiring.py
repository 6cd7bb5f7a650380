"""Where everything meets: the controller, made from settings."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random, SystemRandom
from typing import Protocol

from controller.accounts.admission import Admission
from controller.accounts.directory import Directory, LiveDirectory
from controller.accounts.spending import SpendingTerms
from controller.agi import agi_server
from controller.api.listener import Listener
from controller.api.wire.plans import Planner
from controller.asterisk.fetched import drop_forgotten
from controller.asterisk.fleet import LATE, Fleet, made_fleet
from controller.asterisk.node import Node
from controller.billing.room import Billing
from controller.calls.brake import Brake, Wait
from controller.calls.recovery import Recovery
from controller.calls.service import CallService
from controller.calls.wishes import StopWishes
from controller.capture.room import opened_captures
from controller.clock import Clock, SystemClock
from controller.details.archive import CallArchive
from controller.details.index import opened_index
from controller.details.one_call import CallDetails
from controller.details.search import CallSearch
from controller.door import AGI_VARIABLE, Door
from controller.housekeeping import keep_house
from controller.key_file import load_or_make_key
from controller.lifecycle import background, let_go, naming_port
from controller.management.context import management_services
from controller.membership.skew import ClockSkew
from controller.notices.outbox import opened_outbox
from controller.observability.room import opened_observability
from controller.patience import patiently
from controller.prompts.library import PromptLibrary
from controller.prompts.shipped import ShippedPrompts
from controller.prompts.speech.synthesiser import Synthesiser
from controller.pushes.guard import AddressGuard
from controller.pushes.receiver import Sender
from controller.pushes.room import opened_pushes
from controller.pushes.wire import GATHERING
from controller.recordings.keeper import RecordingKeeper
from controller.recordings.links import LinkSigner
from controller.recordings.waiting import Waiting
from controller.review.queue import ReviewQueue
from controller.serving import serving
from controller.settings import AgiSettings, CaptureSettings, Settings
from controller.share import shared
from controller.sounds.distribution import Distributor
from controller.sounds.reviewed import REVIEWED
from controller.sounds.room import Content, opened_content
from controller.sounds.sweeping import Sweeper
from controller.speech import running_speech
from controller.store.database import Database
from controller.store.journal import Journal
from controller.store.management_tables import User
from controller.store.schema import migrate
from controller.store.sealing import seal_what_is_open
from controller.store.tables import App, Contact, Trunk
from controller.succession import die, going_on, inherit, joined, take_over

log = logging.getLogger(__name__)

_WRITES_LATE = 2.0
"""Seconds that writes may wait; beyond that no calls are taken."""

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
    fleet: Fleet
    calls: CallService
    database: Database
    directory: LiveDirectory
    billing: Billing
    search: CallSearch
    content: Content
    reviews: ReviewQueue

    @property
    def node(self) -> Node:
        """The first node, as a rule the only one."""
        return self.fleet.first

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
    asked: asyncio.Event | None = None,
    hurry: asyncio.Event | None = None,
    on_fenced: Callable[[str], None] | None = None,
    hands_over: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Controller]:
    """A controller that takes requests until the end of the block, where it drains; `hurry` cuts that short.

    `asked` ends what may keep it from its start for minutes: others who use tables that it must change.
    `on_fenced` is called when another controller has taken over; without it the process ends on the spot.
    Calls that then still talk go on for the next controller if this one `hands_over`.

    Raises DatabaseUnusable, TracingUnavailable, OSError.
    """
    clock, random = clock or SystemClock(), random or SystemRandom()
    await patiently(partial(migrate, settings.database_url), asked)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.of(settings))
        await database.write(lambda session: seal_what_is_open(session, (App, Contact, Trunk, User)))
        membership = await joined(settings, database, clock, on_fenced or die, stack)
        observability = await stack.enter_async_context(opened_observability(settings))
        journal = await stack.enter_async_context(Journal(database))
        speech = await stack.enter_async_context(running_speech(settings))
        fleet = made_fleet(
            settings.nodes,
            simulated_prefix=settings.calls.simulated_prefix,
            phone=settings.phone,
            clock=clock,
            random=random,
            permission=membership,
            turn=database.turn,
        )
        content = await opened_content(
            settings,
            database,
            list(fleet),
            speech,
            clock,
            lambda media: calls.playing(media),
            lambda: directory.refresh(),
        )
        stack.callback(let_go, content.works)
        directory = LiveDirectory(
            database, lambda changed: _changed(changed, fleet, speech, content.distributor)
        )
        await directory.refresh()
        guard = AddressGuard(settings.pushes.allowed_networks)
        for its in settings.nodes:
            guard.protect_url(its.ari_url)
            guard.protect(its.ami_address, its.ami_port)
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
        stack.callback(let_go, pushes.works)
        notices = await stack.enter_async_context(
            opened_outbox(database, settings.mail, settings.pushes, guard, clock, random, sender, membership)
        )
        reviews = ReviewQueue(database, clock, REVIEWED, notices.wake)
        keep = timedelta(days=settings.recordings.keep_days)
        keepers = [
            RecordingKeeper(database, node, clock, settings.recording_dir, keep, settings.controller)
            for node in fleet
        ]

        waiting = Waiting(database, clock, keep, fleet.names)

        def wake_keepers() -> None:
            for keeper in keepers:
                keeper.wake()

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
                Wait("commands for Asterisk", lambda: fleet.longest_wait, LATE),
                Wait("database", lambda: database.longest_wait, _WRITES_LATE),
            ],
        )
        calls = CallService(
            database,
            journal,
            fleet,
            observability.telling(pushes.statuses),
            pushes.outbox.wake,
            wake_keepers,
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

        def is_certain() -> bool:
            return membership is None or membership.certain

        wishes = StopWishes(database, calls, clock, settings.controller, is_certain)
        skew = ClockSkew(database, clock)
        observability.look_at(
            live_calls=lambda: calls.live,
            app_limit=lambda key: app.max_calls if (app := directory.now.applications.get(key)) else None,
            account_limit=lambda its: terms.max_calls if (terms := directory.now.accounts.get(its)) else None,
            nodes=lambda: {node.name: node.works for node in fleet},
            nodes_draining=lambda: {node.name: node.draining for node in fleet},
            node_calls=lambda: {node.name: len(node.calls) for node in fleet},
            trunks=fleet.trunks_work,
            commands_in_flight=lambda: fleet.in_flight,
            writes_waiting=lambda: database.waiting,
            pushes_inside=lambda: pushes.courier.inside,
            cdrs_waiting=lambda: pushes.outbox.waiting,
            recordings_waiting=lambda: waiting.counts,
            endpoints_disabled=lambda: pushes.ledger.disabled,
            clock_ahead=lambda: skew.ahead,
            speech=_speech_figures(speech),
        )
        recoveries = {
            node.name: Recovery(database, node, calls, clock, settings.controller) for node in fleet
        }
        for node in fleet:
            node.on_snapshot = recoveries[node.name]
            node.catch_up = partial(content.distributor.catch_up, node)
            node.on_lost = recoveries[node.name].give_up
            if membership is not None:
                node.claim = partial(membership.claim, node.name)
        if membership is not None:
            membership.is_connected = lambda name: fleet[name].ari.connected
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
        for node in fleet:
            node.on_dialled = captures.claim
        works = (
            captures.run(),
            directory.run(),
            sweeper.run(),
            *(keeper.run() for keeper in keepers),
            waiting.run(),
            archive.run(),
            observability.run(),
            wishes.run(),
            skew.run(),
            brake.run(),
            keep_house(database, clock, attempts_kept),
            drop_forgotten(fleet, (settings.prompt_dir, settings.speech_dir)),
        )
        others = (*pushes.works, *content.works, notices.run(), *billing.works(calls.cut_off))
        for work in (*works, *others):
            await stack.enter_async_context(background(work))
        admission = Admission(
            settings.dialling, settings.limits, clock, settings.calls.simulated_prefix, fleet.phones
        )
        door = Door(directory, admission, fleet, calls, library, shipped, settings.agi.language, random)
        agi_address = await stack.enter_async_context(_opened(door, settings.agi))
        fleet.set_variable(AGI_VARIABLE, lambda node: agi_address and f"{agi_address}/{node}")
        guard.protect_url(agi_address)
        silence = await asyncio.to_thread(shipped.silence)
        fleet.prove_with(library.media(silence.digest), silence.seconds)
        await recoveries[fleet.first.name].close_elsewhere(fleet.names)
        await stack.enter_async_context(fleet)
        percent = settings.recordings.inspection_percent
        planner = Planner(
            library,
            shipped,
            speaks=speech is not None,
            draws=lambda: random.random() * 100 < percent,
        )
        signer = LinkSigner(key, clock, timedelta(minutes=settings.recordings.link_minutes))
        search = CallSearch(database, index)
        services = management_services(
            settings,
            database,
            clock,
            directory,
            fleet,
            billing.spending,
            content,
            reviews,
            search,
            CallDetails(database, settings, clock, signer, captures),
            wishes.stop,
            pushes.resender,
        )
        listener = await stack.enter_async_context(
            serving(
                services,
                admission,
                planner,
                calls,
                wishes,
                signer,
                observability,
                random,
                is_certain,
            )
        )
        guard.protect_url(listener.url)
        # While it drains it answers: calls can be stopped, and new ones are refused in words.
        stack.push_async_callback(
            _drain, settings, calls, (pushes, notices, *keepers), hurry or asyncio.Event(), hands_over
        )
        # Over before it drains: what it took over then would not be drained.
        heir = await stack.enter_async_context(
            going_on(partial(take_over, fleet=fleet, recoveries=recoveries, pushes=pushes, clock=clock))
        )
        left = (
            inherit(database, settings.controller, clock, heir)
            if membership is None
            else membership.watch(heir)
        )
        await stack.enter_async_context(background(left))
        yield Controller(
            settings, listener, fleet, calls, database, directory, billing, search, content, reviews
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
    directory: Directory, fleet: Fleet, speech: Synthesiser | None, distributor: Distributor
) -> None:
    """Bring what was declared into force."""
    distributor.wake()
    if speech is not None and directory.templates:
        speech.warm()
    await fleet.configure(directory.trunks, directory.routes, directory.draining)


def _no_longer_than_calls(settings: Settings) -> CaptureSettings:
    """What is kept of a call's SIP goes with the call at the latest."""
    days = min(settings.capture.keep_days, settings.details.keep_days)
    return settings.capture.model_copy(update={"keep_days": days})


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
