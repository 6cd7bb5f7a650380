"""A blocking engine in a process of its own: neither its memory nor its computing is the controller's.

The process (``worker.py``) ends with the controller however that ends: it sees the end of its input. It is
started when it is first needed, and again when it has died or was ended because it hung.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from controller.prompts.errors import SpeechEngineError, SpeechError, UnreadableTextError
from controller.prompts.speech import worker
from controller.prompts.speech.engine import Passage, Speech

_log: Final = logging.getLogger(__name__)
_END_TIMEOUT: Final = 2.0
"""Seconds in which the process ends when its input does."""


class _Died(Exception):
    """The process is gone; what it was asked has no answer."""


class EngineProcess:
    """A :class:`SpeechEngine` around a :class:`BlockingEngine`.

    :param identity: of the engine.
    :param factory: what makes the engine in the process, as "module:name".
    :param options: keyword arguments of the factory; must fit in JSON.
    :param parallel: passages that the engine is given at the same time.
    :param niceness: added to the process's; 19 is the lowest priority there is.
    """

    def __init__(
        self,
        identity: str,
        factory: str,
        options: Mapping[str, Any],
        *,
        parallel: int = 1,
        niceness: int = 19,
    ) -> None:
        self._identity = identity
        self._command = (factory, json.dumps(dict(options)), str(parallel), str(niceness))
        self._starting = asyncio.Lock()
        self._worker: _Worker | None = None

    @property
    def identity(self) -> str:
        """The engine's."""
        return self._identity

    @property
    def pid(self) -> int | None:
        """Of the process, if one runs."""
        return self._worker.pid if self._worker is not None and self._worker.alive else None

    async def prepare(self) -> None:
        """Start the process and load the engine.

        :raises SpeechEngineError: it can't be started.
        """
        await self._running()

    async def speak(self, passage: Passage) -> Speech:
        """Sound of ``passage`` at 8 kHz. Whoever gives up waiting ends the process, as it may hang.

        :raises SpeechError: the engine can't say it, or the process died over it twice.
        """
        for _ in range(2):
            working = await self._running()
            try:
                return await working.speak(passage)
            except _Died as died:
                _log.warning("The speech process died and is started again: %s", died)
            except asyncio.CancelledError:
                working.kill()
                raise
        raise SpeechEngineError("The speech process died twice over one passage")

    async def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            await self._worker.close()

    async def _running(self) -> _Worker:
        async with self._starting:
            if self._worker is None or not self._worker.alive:
                if self._worker is not None:
                    await self._worker.close()
                self._worker = await _Worker.start(self._command)
            return self._worker


class _Worker:
    """One process and what it was asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Future[Speech]] = {}
        self._asked = 0
        self._ready = self._answer(worker.READY)
        self._reading = asyncio.create_task(self._read(), name="speech-process")

    @classmethod
    async def start(cls, command: tuple[str, ...]) -> _Worker:
        """A process whose engine is ready. Raises SpeechEngineError."""
        try:
            process = await asyncio.create_subprocess_exec(
                # -P: the working directory is no place to import from.
                *(sys.executable, "-P", "-m", worker.__name__, *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SpeechEngineError(f"The speech process can't be started: {error.strerror}") from error
        made = cls(process)
        try:
            await made._ready
        except _Died as died:
            raise SpeechEngineError(f"The speech process does not start: {died}") from None
        except BaseException:
            made.kill()
            await made.close()
            raise
        return made

    @property
    def alive(self) -> bool:
        return not self._reading.done() and self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def speak(self, passage: Passage) -> Speech:
        self._asked += 1
        answer = self._answer(self._asked)
        assert self._process.stdin is not None
        self._process.stdin.write(worker.request(self._asked, passage))
        return await answer

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._reading), _END_TIMEOUT)
        except TimeoutError:
            self.kill()
        await self._reading

    def _answer(self, number: int) -> asyncio.Future[Speech]:
        answer: asyncio.Future[Speech] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        # One that nobody waits for any more must not complain that nobody looked at it.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answer

    async def _read(self) -> None:
        """Hand out answers until the process ends; then whoever still waits is told."""
        assert self._process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                header = await self._process.stdout.readexactly(worker.HEADER.size)
                number, kind, size = worker.HEADER.unpack(header)
                self._hand_out(number, kind, await self._process.stdout.readexactly(size))
        status = await self._process.wait()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(_Died(f"exit status {status}"))

    def _hand_out(self, number: int, kind: int, content: bytes) -> None:
        answer = self._answers.pop(number)
        if answer.done():
            return
        if kind == worker.SOUND:
            answer.set_result(Speech(np.frombuffer(content, np.float32), worker.RATE))
        else:
            answer.set_exception(_error(kind, content.decode()))


def _error(kind: int, message: str) -> SpeechError:
    return UnreadableTextError(message) if kind == worker.UNREADABLE else SpeechEngineError(message)
