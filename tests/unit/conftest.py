"""For all unit tests."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from unit.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` wait for nothing."""
    virtual = item.get_closest_marker("virtual_time")
    return {"real": asyncio.new_event_loop} if virtual is None else {"virtual": VirtualTimeLoop}
