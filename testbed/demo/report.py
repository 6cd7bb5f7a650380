"""What the demo shows: lines as things happen, at the end what was checked and what can be listened to."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

_COLOURS = {
    "notification": "cyan",
    "verification": "yellow",
    "callback": "magenta",
    "balancers": "green",
    "failover": "red",
}
_WIDEST = max(map(len, _COLOURS))
_WIDEST_NAME = 36


@dataclass(frozen=True)
class Check:
    """Something that must be so; `shown` is what was found."""

    service: str
    name: str
    passed: bool
    shown: str


@dataclass
class Report:
    """Everything that is shown."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    checks: list[Check] = field(default_factory=list)
    sounds: list[tuple[str, Path]] = field(default_factory=list)

    def step(self, text: str, service: str = "") -> None:
        """Something happened now."""
        tag = f"{_tag(service)}  " if service else ""
        self._line(f"[dim]{time.monotonic() - self.started:6.2f} s[/]  {tag}{text}")

    def check(self, service: str, name: str, passed: bool, shown: str) -> None:
        self.checks.append(Check(service, name, passed, shown))

    def listen(self, what: str, path: Path) -> None:
        """A file that a person may want to hear."""
        self.sounds.append((what, path))

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    def summary(self) -> None:
        """Everything that was checked, what can be listened to, and the verdict."""
        self.console.print("\n[italic]Summary[/]")
        for check in sorted(self.checks, key=lambda check: list(_COLOURS).index(check.service)):
            verdict = "[green]ok    [/]" if check.passed else "[red]failed[/]"
            self._line(f"{verdict}  {_tag(check.service)}  {check.name:{_WIDEST_NAME}}  {check.shown}")
        self.console.print("\n[italic]To listen to[/]")
        for what, path in self.sounds:
            self._line(f"{what:{_WIDEST_NAME}}  {os.path.relpath(path)}")
        verdict = "[green]All as it should be.[/]" if self.passed else "[red]Not all is as it should be.[/]"
        self.console.print(f"\n{verdict}")

    def _line(self, text: str) -> None:
        # What stands in one line can be searched and copied, however narrow the terminal.
        self.console.print(text, soft_wrap=True)


def _tag(service: str) -> str:
    return f"[{_COLOURS[service]}]{service:{_WIDEST}}[/]"
