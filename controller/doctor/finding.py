"""What a check finds, and what checks have in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

PATIENCE = 5.0
"""Seconds for one look."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """What one check found and what to do about it."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, text)


def warning(name: str, text: str, remedy: str) -> Finding:
    """Calls are made, and something should be done."""
    return Finding(name, Level.WARNING, text, remedy)


def fault(name: str, text: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(name, Level.FAULT, text, remedy)


@asynccontextmanager
async def http_client(credentials: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks over HTTP without waiting long."""
    headers = {"Authorization": credentials} if credentials else None
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        yield http
