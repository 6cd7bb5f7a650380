"""The process that a blocking engine runs in: ``python -m controller.prompts.speech.worker``.

It reads passages from its standard input and writes sound to its standard output, each with the number of
the request; calls go first, as it is nice. It ends when its input ends.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final

import numpy as np

from controller.prompts.errors import PromptError, UnreadableTextError
from controller.prompts.reading.passage import Language, Passage
from controller.prompts.resample import TELEPHONE_RATE, resample
from controller.prompts.speech.engine import BlockingEngine

HEADER: Final = struct.Struct("<IBI")
"""Of a message in either direction: number of the request, kind, bytes that follow."""

PASSAGE, SOUND, UNREADABLE, FAILED = range(4)
"""Kinds: UTF-8 text after the two letters of its language; 32-bit samples; the message of an error."""

READY: Final = 0
"""Number of the message, without samples, that says that the engine is loaded (or why it isn't)."""

RATE: Final = TELEPHONE_RATE


def request(number: int, passage: Passage) -> bytes:
    """A message that asks for a passage."""
    content = f"{passage.language}{passage.text}".encode()
    return HEADER.pack(number, PASSAGE, len(content)) + content


def main() -> None:
    """Serve until the input ends."""
    factory, options, parallel, niceness = sys.argv[1:]
    # What a library prints must not get between the messages.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C is for the controller, which may still want something said.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(int(niceness))
    desk = _Desk(factory, json.loads(options), output)
    pool = ThreadPoolExecutor(int(parallel))
    pool.submit(desk.open)
    while header := sys.stdin.buffer.read(HEADER.size):
        number, _kind, size = HEADER.unpack(header)
        content = sys.stdin.buffer.read(size).decode()
        pool.submit(desk.serve, number, Passage(content[2:], Language(content[:2])))
    # At once: nobody is left who wants what is still being computed.
    os._exit(0)


class _Desk:
    """Gives each request to the engine and writes down what comes back."""

    def __init__(self, factory: str, options: dict[str, object], output: BinaryIO) -> None:
        self._factory = factory
        self._options = options
        self._output = output
        self._writing = threading.Lock()
        self._engine: BlockingEngine | None = None

    def open(self) -> None:
        """Load the engine and say so."""
        module, _, name = self._factory.partition(":")
        try:
            self._engine = getattr(importlib.import_module(module), name)(**self._options)
            self._engine.prepare()
        except Exception as error:
            self._refuse(READY, error)
        else:
            self._write(READY, SOUND, b"")

    def serve(self, number: int, passage: Passage) -> None:
        """Answer one request."""
        assert self._engine is not None
        try:
            speech = self._engine.render(passage)
            samples = resample(speech.samples, speech.rate, RATE)
        except Exception as error:
            self._refuse(number, error)
        else:
            self._write(number, SOUND, samples.astype(np.float32, copy=False).tobytes())

    def _refuse(self, number: int, error: Exception) -> None:
        kind = UNREADABLE if isinstance(error, UnreadableTextError) else FAILED
        # The message of an error that isn't our own could have the text in it.
        message = str(error) if isinstance(error, PromptError) else f"unexpected {type(error).__name__}"
        self._write(number, kind, message.encode())

    def _write(self, number: int, kind: int, content: bytes) -> None:
        with self._writing:
            self._output.write(HEADER.pack(number, kind, len(content)) + content)
            self._output.flush()


if __name__ == "__main__":
    main()
