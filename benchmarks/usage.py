"""Who uses how much of the processor."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from testbed.postgresql import RunningPostgresql

_TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
_PERIOD_US = 2500


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time so far: of each role, and of the whole machine."""

    roles: Mapping[str, float]
    machine: float

    @classmethod
    def now(cls, roles: Mapping[str, Iterable[int]]) -> "Usage":
        """`roles` names the processes that belong together."""
        seconds = {role: sum(process_seconds(pid) for pid in pids) for role, pids in roles.items()}
        return cls(seconds, _machine_seconds())

    def since(self, before: "Usage") -> "Usage":
        """What was used between two moments."""
        roles = {role: seconds - before.roles[role] for role, seconds in self.roles.items()}
        return Usage(roles, self.machine - before.machine)

    @property
    def others(self) -> float:
        """Seconds that went to processes of no role, or were taken away by a host."""
        return max(self.machine - sum(self.roles.values()), 0.0)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def process_seconds(pid: int) -> float:
    """What a process has used so far."""
    own, _ended = _times(pid)
    return own


def family_seconds(pid: int) -> float:
    """The same with all that it has started, also those that have ended since."""
    seconds = sum(_times(pid))
    for child in children(pid):
        # One that ends just now counts at the next look, with its parent.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            seconds += process_seconds(child)
    return seconds


def database_seconds(server: RunningPostgresql) -> float:
    """What a PostgreSQL has used so far; its processes come and go."""
    return family_seconds(server.processes()[0])


def pin(pids: Iterable[int], cores: Collection[int]) -> None:
    """Have processes, with all their threads, run on these cores alone; what they start later does too."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


@contextlib.contextmanager
def own_cores_kept() -> Iterator[None]:
    """Have this process run again where it may now, when the block is over."""
    cores = os.sched_getaffinity(0)
    try:
        yield
    finally:
        pin([os.getpid()], cores)


@contextlib.contextmanager
def held_to(pid: int, cores: float) -> Iterator[None]:
    """Have a process, with all its threads, use this share of the machine's time at most: 0.5 is half a core.

    It is stopped for the rest of every 2.5 ms of which it has used its share. Ends the program where the
    kernel has no such limit for it.
    """
    quota = round(_PERIOD_US * cores)
    one_tree, its_own = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")
    top = its_own if its_own.is_dir() else one_tree
    group = top / f"voicecall-bench-{pid}"
    try:
        if top is one_tree:
            (top / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir()
    except OSError as error:
        raise SystemExit(f"a process can't be held to a part of a core: {error}") from error
    try:
        if top is one_tree:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            (top / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def ratio_by_rounds(these: Sequence[float], those: Sequence[float]) -> float:
    """The median of the ratios of each round: how fast a machine is changes from one round to the next."""
    return median(this / that for this, that in zip(these, those, strict=True))


def first_and_other_cores() -> tuple[list[int], list[int]]:
    """The first core that this process may use, and the others. Ends the program if there is but one."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise SystemExit("there is but one core")
    return [first], others


def _times(pid: int) -> tuple[float, float]:
    """Seconds of a process, and of its children that have ended."""
    user, system, ended_user, ended_system = map(
        int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]
    )
    return (user + system) / _TICKS, (ended_user + ended_system) / _TICKS


def _machine_seconds() -> float:
    """What processes used and what a host took away: no interrupts, which are mostly our own packets."""
    user, nice, system, _idle, _waiting, _hard, _soft, stolen = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + stolen) / _TICKS
