"""What a check finds, and what checks look with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import aiohttp

from controller.accounts.directory import Directory, directory_of
from controller.settings import Settings
from controller.store.database import Database, Work
from controller.store.directory import read_directory
from controller.store.errors import DatabaseUnusable
from controller.store.schema import check_newest

T = TypeVar("T")

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


def fault(name: str, text: str, remedy: str) -> Finding:
    """Something is wrong."""
    return Finding(name, Level.FAULT, text, remedy)


@asynccontextmanager
async def opened_http(credentials: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that waits for one look at most; `credentials` are the header's."""
    headers = {"Authorization": credentials} if credentials else None
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        yield http


async def read_declared(settings: Settings) -> Directory:
    """What was declared; nothing if the database can't tell (yet)."""
    rows = await read_database(settings, read_directory)
    return Directory() if rows is None else directory_of(rows)


async def read_database(settings: Settings, work: Work[T]) -> T | None:
    """What the database tells; None if it can't (yet), of which `database` speaks."""
    try:
        await asyncio.to_thread(check_newest, settings.database_url)
        async with Database.of(settings) as base:
            return await base.read(work)
    except DatabaseUnusable:
        return None
