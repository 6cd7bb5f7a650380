"""`voicecall listen`: a push receiver for people who have none yet."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from controller.cli import stop_signal
from testbed.push_receiver import Push, PushReceiver


async def run_receiver(address: str, port: int, file: Path | None) -> None:
    """Take pushes until SIGTERM or Ctrl-C. Raises OSError if address, port or file can't be had."""
    stop = stop_signal()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    async with PushReceiver.start(
        address=address, port=port, on_push=lambda push: _show(push, file)
    ) as receiver:
        typer.echo(f"Pushes are taken at {receiver.url()} on any path. Ctrl-C ends it.", err=True)
        await stop.asked.wait()


def _show(push: Push, file: Path | None) -> None:
    line = json.dumps(_line(push), ensure_ascii=False)
    typer.echo(line)
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(line + "\n")


def _line(push: Push) -> dict[str, Any]:
    body = push.json if push.json is not None else push.body.decode("utf-8", "replace")
    return {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "path": push.path,
        "sequence": push.header("X-Call-Sequence"),
        "body": body,
    }
