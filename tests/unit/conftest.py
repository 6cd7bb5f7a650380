"""For all unit tests."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop
from unit.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` wait for nothing; those marked `both_loops` run on uvloop too."""
    if item.get_closest_marker("virtual_time") is not None:
        return {"virtual": VirtualTimeLoop}
    if item.get_closest_marker("both_loops") is not None:
        return {"real": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"real": asyncio.new_event_loop}
