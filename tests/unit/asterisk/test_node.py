"""A node: what it is told each time that it is connected."""

from pathlib import Path

import pytest
from unit.calls.support import make_node
from unit.support import soon

from controller.ari.fake import FakeAsterisk

DOOR = {"VOICECALL_AGI": "agi://127.0.0.1:4573"}


@pytest.mark.requirement("E4")
async def test_E4_given_global_variables_when_asterisk_restarts_then_they_are_set_before_calls_are_taken(
    tmp_path: Path,
) -> None:
    async with FakeAsterisk() as asterisk:
        node = make_node(asterisk, tmp_path)
        node.global_variables.update(DOOR)
        async with node:
            await soon(node.ari.wait_ready())
            assert asterisk.global_variables == DOOR

            asterisk.restart()
            await soon(node.ari.wait_lost())
            assert asterisk.global_variables == {}
            await soon(node.ari.wait_ready())
            assert asterisk.global_variables == DOOR
