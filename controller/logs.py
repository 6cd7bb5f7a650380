"""Log lines: for people at a terminal, else one JSON object a line. Facts ride as attributes.

Messages never carry numbers, digits, codes or secrets; whoever logs passes a call by its id.
"""

import copy
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import msgspec
import typer

log = logging.getLogger(__name__)

_TRACED_EVERY = 60.0
"""Seconds."""
_MOST_TRACED = 1000
"""Faults that are remembered."""

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _attributes(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_attributes(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class TerminalFormatter(logging.Formatter):
    """Time, level, message and attributes, for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        attributes = " ".join(f"{name}={_on_one_line(value)}" for name, value in _attributes(record).items())
        first, newline, rest = text.partition("\n")
        return f"{first}  {attributes}{newline}{rest}" if attributes else text


def _on_one_line(value: object) -> str:
    """A value that can neither begin a line of its own nor speak to the terminal."""
    text = str(value)
    return text if text.isprintable() else repr(text)


class TerseHandler(logging.StreamHandler[TextIO]):
    """To standard error; a fault that comes again and again is traced once a minute, else told in a line.

    What needs a database that is away tries again every second or so, in a dozen places.
    """

    def __init__(self) -> None:
        super().__init__()
        self._traced: dict[tuple[object, ...], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(self._told(record))

    def _told(self, record: logging.LogRecord) -> logging.LogRecord:
        kind, error, trace = record.exc_info or (None, None, None)
        if kind is None:
            return record
        fault = (record.name, str(record.msg), kind, *_end_of(trace))
        if record.created - self._traced.get(fault, 0.0) >= _TRACED_EVERY:
            if len(self._traced) >= _MOST_TRACED:
                self._traced.clear()
            self._traced[fault] = record.created
            return record
        short = copy.copy(record)
        short.exc_info = short.exc_text = None
        vars(short).setdefault("error", f"{kind.__name__}: {str(error).partition(chr(10))[0]}")
        return short


def _end_of(trace: TracebackType | None) -> tuple[object, ...]:
    """Where it was raised."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return () if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def say(text: str, level: int = logging.INFO) -> None:
    """To whoever sits at the terminal; where nobody does, a line of the log as all others."""
    if sys.stderr.isatty():
        typer.echo(text, err=True)
    else:
        log.log(level, text)


def set_up_logs(level: str = "INFO") -> None:
    """Send log lines to standard error."""
    handler = TerseHandler()
    handler.setFormatter(TerminalFormatter() if sys.stderr.isatty() else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # What no formatter of ours shows need not be found out for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Where a line was logged from; the documentation of `logging` names this way to leave it out.
    logging._srcfile = None
    # These speak of every migration step and every AMI action.
    for name in ("alembic", "panoramisk"):
        logging.getLogger(name).setLevel(logging.WARNING)
