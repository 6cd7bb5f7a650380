"""The parent's end of a softphone's process: it starts it, exchanges JSON lines with it, and ends it."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

_TAIL = 2000
_LINE_LIMIT = 1 << 20


class ProcessLink:
    """A process that reads and writes JSON lines; what it prints to stderr is kept in a file."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: Path) -> None:
        self._process = process
        self._stderr = stderr

    @classmethod
    async def start(cls, command: Sequence[str], stderr: Path) -> "ProcessLink":
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        with stderr.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=_LINE_LIMIT,
                env={**os.environ, "PYTHONPATH": path},
            )
        return cls(process, stderr)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(self, message: object) -> None:
        """Write one message; silently nothing if the process is gone, since reading tells that."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What the process says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    def last_words(self) -> str:
        return self._stderr.read_text("utf-8", "replace")[-_TAIL:]

    async def close(self, time_limit: float) -> None:
        """Close the process's stdin, which ends it; by force after `time_limit` seconds."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), time_limit)
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
