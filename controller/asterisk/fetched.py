"""What nodes have fetched and keep: they are told to drop what the controller itself no longer has."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

from controller.asterisk.ami import ami_session
from controller.asterisk.errors import FleetError
from controller.asterisk.media import PATH, fetched_file
from controller.settings import AsteriskSettings

log = logging.getLogger(__name__)

_INTERVAL: Final = 3600.0
"""Seconds."""
_PATIENCE: Final = 30.0
"""Seconds for an answer: a node may keep tens of thousands."""


class Fetcher(Protocol):
    """A node."""

    @property
    def settings(self) -> AsteriskSettings: ...

    @property
    def fetches(self) -> bool: ...


async def drop_forgotten(nodes: Iterable[Fetcher], folders: Sequence[Path]) -> None:
    """Every hour, until cancelled. `folders`: what nodes fetch is in them."""
    fetchers = [node.settings for node in nodes if node.fetches]
    while fetchers:
        for node in fetchers:
            try:
                dropped = await drop_from(node, folders)
            except FleetError as error:
                log.warning(
                    "A node keeps prompts that are no longer needed",
                    extra={"node": node.name, "error": str(error)},
                )
            else:
                if dropped:
                    log.info(
                        "A node has dropped prompts that are no longer needed",
                        extra={"node": node.name, "prompts": dropped},
                    )
        await asyncio.sleep(_INTERVAL)


async def drop_from(node: AsteriskSettings, folders: Sequence[Path]) -> int:
    """Have a node drop prompts of this controller that are in none of the folders; how many those were.

    Raises FleetError.
    """
    start = f"{node.prompt_url.rstrip('/')}{PATH}/"
    async with ami_session(node, _PATIENCE) as ami:
        lines = await ami.command("media cache show all")
        kept = {line.strip().removeprefix(start) for line in lines if line.strip().startswith(start)}
        gone = await asyncio.to_thread(_not_in, kept, folders)
        for name in gone:
            await ami.command(f"media cache delete {start}{name}")
    return len(gone)


def _not_in(names: Iterable[str], folders: Sequence[Path]) -> list[str]:
    return [name for name in names if fetched_file(name, folders) is None]
