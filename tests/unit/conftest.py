"""For all unit tests."""

from pathlib import Path

import pytest
from hypothesis import settings
from unit.calls.support import make_template

# A machine that is busy with other tests is slow without anything being wrong.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database: copying it is much faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    make_template(path)
    return path
