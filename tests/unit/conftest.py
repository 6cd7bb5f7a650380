"""For all unit tests."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings
from unit.calls.support import make_template
from unit.virtual_time import VirtualTimeLoop

# A machine that is busy with other tests is slow without anything being wrong.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database: copying it is much faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    make_template(path)
    return path


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` wait for nothing."""
    virtual = item.get_closest_marker("virtual_time")
    return {"real": asyncio.new_event_loop} if virtual is None else {"virtual": VirtualTimeLoop}
