"""Every check, in the order in which what is found is told."""

import socket
from datetime import UTC, datetime

from controller.doctor.asterisk import asterisk
from controller.doctor.declared import database, dialling, endpoints, simulated_numbers
from controller.doctor.finding import Finding
from controller.doctor.machine import agi_port, host_name, port, tls, writable
from controller.doctor.speech import speech
from controller.settings import Settings


async def examine(settings: Settings) -> list[Finding]:
    """Everything that was found."""
    findings = [
        host_name(socket.gethostname(), lambda name: socket.getaddrinfo(name, None)),
        writable("data directory", settings.data_dir.absolute(), "set data_dir to a folder you may write to"),
        await port(settings),
        tls(settings.http, datetime.now(UTC)),
        await agi_port(settings),
        await database(settings),
        await simulated_numbers(settings),
        await dialling(settings),
        writable(
            "recording directory",
            settings.asterisk.recording_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own make it, and give it to "
            "Asterisk's user: without it every recording fails",
            make=False,
        ),
        writable(
            "trunk configuration",
            settings.asterisk.etc_dir,
            "`voicecall up` makes it when it starts; for an Asterisk of your own set asterisk.etc_dir and "
            "its permissions: the controller writes pjsip_trunks.conf there",
            make=False,
        ),
    ]
    findings.append(await speech(settings))
    findings += await endpoints(settings)
    findings += await asterisk(settings)
    return findings
