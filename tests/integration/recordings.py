"""What tests of recordings work with: the customer's way to a file, and where it has come on the way."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from integration.support import CALLBACK_KEY, SECRET, Bench
from sqlalchemy import select

from controller.prompts import wav
from controller.store.tables import Recording
from testbed.client import aksk_headers
from testbed.listening import Audio, decode_alaw


async def state_of_recording(b: Bench) -> str | None:
    """How far the only recording has come; None if there is none."""
    return await b.controller.database.read(
        lambda session: session.execute(select(Recording.state)).scalar_one_or_none()
    )


async def until_recording_is(b: Bench, *states: str) -> None:
    """Wait until the only recording has come so far."""
    async with asyncio.timeout(10):
        while await state_of_recording(b) not in states:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.05)


def audio_of(file: bytes) -> Audio:
    """What is in a recording."""
    return Audio(decode_alaw(wav.read(file)), wav.RATE)


async def download_url(
    b: Bench, name: str, key: str = CALLBACK_KEY, created: str | None = None
) -> tuple[int, Mapping[str, str], Any]:
    """Ask the wire API where a recording is; does not follow."""
    return await download_url_at(b.controller.url, name, key, created)


async def download_url_at(
    controller: str, name: str, key: str = CALLBACK_KEY, created: str | None = None
) -> tuple[int, Mapping[str, str], Any]:
    """The same of the controller at an address."""
    params = {"fileName": name, "recordDomain": "any"}
    async with (
        aiohttp.ClientSession(controller) as http,
        http.get(
            "/rest/provision/voice/record/v1.0",
            params=params,
            headers=aksk_headers(key, SECRET, created=created),
            allow_redirects=False,
        ) as answer,
    ):
        body = await answer.json() if answer.content_type == "application/json" else await answer.read()
        return answer.status, dict(answer.headers), body


async def fetched(b: Bench, name: str) -> tuple[str, bytes]:
    """(link, bytes) of a recording, once it is there."""
    return await fetched_from(b.controller.url, name)


async def fetched_from(controller: str, name: str) -> tuple[str, bytes]:
    """The same from the controller at an address."""
    async with asyncio.timeout(10):
        while (await download_url_at(controller, name))[0] != 301:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.1)
    _status, headers, body = await download_url_at(controller, name)
    assert body == b""
    async with aiohttp.ClientSession() as http, http.get(headers["Location"]) as answer:
        assert answer.status == 200
        return headers["Location"], await answer.read()
