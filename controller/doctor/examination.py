"""Everything that is looked at, in the order in which it is told."""

import socket
from datetime import UTC, datetime

from controller.doctor.asterisk import asterisk, is_running
from controller.doctor.clock import kept_clock, kernel_clock, outside
from controller.doctor.declared import database, database_clock, dialling, endpoints, simulated_numbers
from controller.doctor.finding import Finding
from controller.doctor.machine import host_name, tls, writable
from controller.doctor.ports import ports
from controller.doctor.speech import speech
from controller.settings import AsteriskSettings, Settings


async def examine(settings: Settings, time_from: str = "") -> list[Finding]:
    """Everything that was found; `time_from` is the address of a web server whose clock is right."""
    return [
        host_name(socket.gethostname(), lambda name: socket.getaddrinfo(name, None)),
        await outside(time_from) if time_from else kept_clock(kernel_clock()),
        writable("data directory", settings.data_dir.absolute(), "set data_dir to a folder you may write to"),
        *await ports(
            settings.model_copy(update={"asterisk": settings.nodes[0]}),
            asterisk_runs=await is_running(settings.nodes[0]),
        ),
        tls(settings.http, datetime.now(UTC)),
        await database(settings),
        *await database_clock(settings),
        await simulated_numbers(settings),
        await dialling(settings),
        *(finding for node in settings.nodes if not node.prompt_url for finding in _shared_folders(node)),
        await speech(settings),
        *await endpoints(settings),
        *await asterisk(settings),
    ]


def _shared_folders(node: AsteriskSettings) -> list[Finding]:
    """The folders that a node shares with the controller."""
    return [
        writable(
            "recording directory",
            node.recording_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own make it, and give it to "
            "Asterisk's user: without it every recording fails",
            make=False,
        ),
        writable(
            "trunk configuration",
            node.etc_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own set asterisk.etc_dir and "
            "its permissions: the controller writes pjsip_trunks.conf there",
            make=False,
        ),
    ]
