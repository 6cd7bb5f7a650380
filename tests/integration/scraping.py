"""What tests of metrics work with: what the controller tells whoever scrapes it."""

import asyncio
from collections.abc import Callable, Mapping

import aiohttp
from integration.support import Bench


async def scraped(b: Bench) -> dict[str, float]:
    """All metrics, by name and labels."""
    async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/metrics") as answer:
        assert answer.status == 200
        lines = (await answer.text()).splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


async def until_scraped(
    b: Bench, is_it: Callable[[Mapping[str, float]], bool], timeout: float = 20
) -> dict[str, float]:
    """The first metrics that are so. They are looked at when they are scraped, and told by nobody before."""
    found: dict[str, float] = {}
    try:
        async with asyncio.timeout(timeout):
            while not is_it(found := await scraped(b)):
                pass
    except TimeoutError:
        ours = {name: value for name, value in found.items() if "_bucket" not in name}
        raise TimeoutError(f"not within {timeout} s; the last: {ours}") from None
    return found
