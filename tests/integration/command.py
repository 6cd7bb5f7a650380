"""The `voicecall` command."""

import asyncio
import sys
from pathlib import Path


async def voicecall(*words: str, directory: Path) -> tuple[int, str]:
    """Run the command in a directory; (exit status, everything it printed)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "controller",
        *words,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, output.decode()
