"""Log lines: for people at a terminal, else one JSON object a line. Facts ride as attributes.

Messages never carry numbers, digits, codes or secrets; whoever logs passes a call by its id.
"""

import logging
import sys
from datetime import UTC, datetime

import msgspec

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


def set_up_logs(level: str = "INFO") -> None:
    """Send log lines to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(TerminalFormatter() if sys.stderr.isatty() else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # What no formatter of ours shows need not be found out for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # These speak of every migration step and every AMI action.
    for name in ("alembic", "panoramisk"):
        logging.getLogger(name).setLevel(logging.WARNING)
