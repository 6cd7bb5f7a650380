"""Waiting for the first of several things that concern one call."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*waits: Coroutine[Any, Any, Any]) -> int:
    """Run all; when one is done or raises, cancel the others. Returns the index of the one that was done.

    If several are done at once the first in the order given counts; what it raised is raised here.
    """
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                if not task.done():
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for index, task in enumerate(tasks):
            if not task.cancelled():
                task.result()
                return index
    finally:
        # What is raised holds this frame, and a task what it raised: garbage that only a search would find.
        del tasks, task
    raise AssertionError("nothing was done")
