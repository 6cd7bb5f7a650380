"""Two controllers that write the trunks of one real Asterisk, which shares no files with them."""

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from controller.asterisk.ami import AmiSession, ami_session
from controller.asterisk.routing import TrunkConfiguration
from controller.asterisk.trunk_file import TRUNKS_FILE, TrunkFile
from controller.store.database import Database
from testbed.asterisk import AsteriskProgram, running_asterisk
from testbed.platform import node_settings

pytestmark = [pytest.mark.requirement("E1", "E2"), pytest.mark.engine("postgresql")]

NAMES = tuple(f"carrier-{letter}" for letter in "abcdef")
ROUNDS = 12
NOWHERE = Path("/nonexistent")


def trunks(host: str) -> list[TrunkConfiguration]:
    return [TrunkConfiguration(name, host) for name in NAMES]


async def known(ami: AmiSession) -> set[str]:
    """The trunks that Asterisk has now."""
    lines = await ami.command("pjsip show endpoints")
    return {found[1] for line in lines if (found := re.match(r"\s*Endpoint:\s+(carrier-\w)\b", line))}


async def test_E2_given_controllers_that_have_trunks_read_at_once_when_one_is_at_it_then_others_come_after(
    program: AsteriskProgram, tmp_path: Path
) -> None:
    async with running_asterisk(tmp_path / "a", program) as asterisk, AsyncExitStack() as stack:
        settings = node_settings(asterisk.configuration)
        sessions = [await stack.enter_async_context(ami_session(settings)) for _ in range(6)]
        for _ in range(ROUNDS):
            await asyncio.gather(*(ami.reload("res_pjsip.so") for ami in sessions))


async def test_E2_given_two_controllers_that_write_a_nodes_trunks_at_once_when_it_reads_them_then_it_has_all(
    program: AsteriskProgram, tmp_path: Path, database_url: str
) -> None:
    async with (
        running_asterisk(tmp_path / "a", program) as asterisk,
        Database(database_url) as first,
        Database(database_url) as second,
    ):
        settings = node_settings(
            asterisk.configuration,
            prompt_url="http://127.0.0.1:8080",
            etc_dir=NOWHERE,
            recording_dir=NOWHERE,
        )
        writers = [TrunkFile(settings, turn=database.turn) for database in (first, second)]
        await writers[0].put(trunks("192.0.2.1"))
        seen: list[set[str]] = []
        written = asyncio.Event()

        async def write(writer: TrunkFile, network: int) -> None:
            for number in range(ROUNDS):
                await writer.put(trunks(f"198.51.{network}.{number + 1}"))
                async with asyncio.timeout(30):
                    # On a busy machine the other one's turn may take longer than one waits for it.
                    while not writer.in_force:
                        await writer.settle()

        async def look() -> None:
            async with ami_session(settings) as ami:
                while not written.is_set():
                    seen.append(await known(ami))
                    await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(look())
            async with asyncio.TaskGroup() as writing:
                for network, writer in enumerate(writers, 100):
                    writing.create_task(write(writer, network))
            written.set()

        assert len(seen) > ROUNDS
        assert [trunks_seen for trunks_seen in seen if trunks_seen != set(NAMES)] == []
        async with ami_session(settings) as ami:
            answer = await ami.action({"Action": "ListCategories", "Filename": TRUNKS_FILE})
        sections = [value for header, value in answer.items() if header.lower().startswith("category-")]
        assert len(sections) == len(set(sections)) == 1 + 3 * len(NAMES)
