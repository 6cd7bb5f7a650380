"""Which Asterisk the launcher takes: the machine's own, the unpacked one, or none and why."""

import time
from pathlib import Path

import pytest

from testbed.asterisk import AsteriskProgram, LauncherError, obtain_asterisk

RECENT, OLD = "Asterisk 22.10.1~dfsg", "Asterisk 20.15.0~dfsg"


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return path


def installed(prefix: Path, *lines: str, modules: bool = True) -> Path:
    """An Asterisk below `prefix` that runs these lines."""
    if modules:
        (prefix / "lib/asterisk/modules").mkdir(parents=True)
    (prefix / "share/asterisk").mkdir(parents=True)
    return script(prefix / "sbin/asterisk", *lines)


def unpacked(root: Path, version: str = RECENT) -> None:
    """An Asterisk as the launcher unpacks it, with a loader that runs what it is given."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    script(libraries / "ld-linux-x86-64.so.2", "shift 2", 'exec "$@"')
    (libraries / "asterisk/modules").mkdir(parents=True)
    script(root / "usr/sbin/asterisk", f"echo '{version}'")
    (root / "complete").touch()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("VOICECALL_CACHE", str(folder))
    return folder


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machine's own programs are, of which there are none yet."""
    monkeypatch.setenv("PATH", f"{tmp_path}/own/sbin:/usr/bin:/bin")
    return tmp_path / "own"


def taken(program: AsteriskProgram) -> str:
    """Where the program is that was taken."""
    return program.command[-1]


def test_given_a_machine_with_a_recent_asterisk_when_one_is_needed_then_it_is_taken(
    own: Path, cache: Path
) -> None:
    asterisk = installed(own, f"echo '{RECENT}'")
    unpacked(cache / "asterisk")

    program = obtain_asterisk()

    assert program.command == (str(asterisk),)
    assert program.version == (22, 10, 1)
    assert program.module_dir == own / "lib/asterisk/modules"
    assert program.data_dir == own / "share/asterisk"


@pytest.mark.parametrize(
    "lines",
    [(f"echo '{OLD}'",), ("echo 'Asterisk 22.9.4'",), ("echo broken >&2", "exit 1"), ("echo nonsense",)],
    ids=["old", "a release before", "broken", "no version"],
)
def test_given_a_machine_whose_asterisk_is_no_use_when_one_is_needed_then_the_unpacked_one_is_taken(
    own: Path, cache: Path, lines: tuple[str, ...]
) -> None:
    installed(own, *lines)
    unpacked(cache / "asterisk")

    assert taken(obtain_asterisk()) == str(cache / "asterisk/usr/sbin/asterisk")


def test_given_a_program_that_can_not_run_when_one_is_needed_then_the_unpacked_one_is_taken(
    own: Path, cache: Path
) -> None:
    installed(own, "").write_bytes(b"\x7fELF of another machine")
    unpacked(cache / "asterisk")

    assert taken(obtain_asterisk()) == str(cache / "asterisk/usr/sbin/asterisk")


def test_given_a_recent_asterisk_without_modules_when_one_is_needed_then_the_unpacked_one_is_taken(
    own: Path, cache: Path
) -> None:
    installed(own, f"echo '{RECENT}'", modules=False)
    unpacked(cache / "asterisk")

    assert taken(obtain_asterisk()) == str(cache / "asterisk/usr/sbin/asterisk")


def test_given_an_unpacked_asterisk_that_is_too_old_when_one_is_needed_then_its_version_is_named(
    own: Path, cache: Path
) -> None:
    unpacked(cache / "asterisk", OLD)

    with pytest.raises(LauncherError, match=r"\(20, 15, 0\), need at least \(22, 10\)"):
        obtain_asterisk()


MAKES_ROOT = (
    'printf "%s\\n" "$@" > "$0.arguments"',
    'for root in "$@"; do :; done',  # the last argument
    'mkdir -p "$root" && cp -r "$(dirname "$0")/../../template/." "$root"',
)


def test_given_an_unpacking_that_was_cut_off_when_one_is_needed_then_it_is_made_anew(
    own: Path, cache: Path, tmp_path: Path
) -> None:
    unpacked(tmp_path / "template")
    script(own / "sbin/mmdebstrap", *MAKES_ROOT)
    (cache / "asterisk/usr/sbin").mkdir(parents=True)
    (cache / "asterisk/usr/sbin/rest").touch()
    said: list[str] = []

    program = obtain_asterisk(said.append)
    again = obtain_asterisk(said.append)

    assert taken(program) == taken(again) == str(cache / "asterisk/usr/sbin/asterisk")
    assert not (cache / "asterisk/usr/sbin/rest").exists()
    assert [line.split()[0] for line in said] == ["Unpacking"]


@pytest.mark.requirement("E3")
@pytest.mark.parametrize(("user", "modes"), [(0, []), (1000, ["--mode=chrootless"])], ids=["root", "user"])
def test_given_who_is_not_root_when_asterisk_is_unpacked_then_no_chroot_is_asked_for(
    own: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, modes: list[str]
) -> None:
    unpacked(tmp_path / "template")
    script(own / "sbin/mmdebstrap", *MAKES_ROOT)
    monkeypatch.setattr("os.getuid", lambda: user)

    obtain_asterisk()

    arguments = (own / "sbin/mmdebstrap.arguments").read_text().splitlines()
    assert [argument for argument in arguments if argument.startswith("--mode")] == modes
    assert arguments[-1] == str(cache / "asterisk")


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in seconds: none is waited for, but for those in which a program runs."""
    pauses: list[float] = []
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda pause_s: (pauses.append if pause_s >= 1 else sleep)(pause_s))
    return pauses


def test_given_no_mirror_when_one_is_to_be_unpacked_then_the_reason_is_told_and_none_is_taken(
    own: Path, cache: Path, paused: list[float]
) -> None:
    unpacking = 'for root in "$@"; do :; done; mkdir -p "$root/usr"'
    script(own / "sbin/mmdebstrap", unpacking, "echo 'I: begun' >&2", "echo 'E: no network' >&2", "exit 2")

    with pytest.raises(LauncherError, match=r"\d+ MB were free, 600 are needed\):\nE: no network$"):
        obtain_asterisk()

    assert not (cache / "asterisk").exists()
    assert paused == [5.0, 20.0]


def test_given_somebody_else_who_unpacks_it_meanwhile_when_one_is_unpacked_then_theirs_is_taken_and_left(
    own: Path, cache: Path, tmp_path: Path, paused: list[float]
) -> None:
    unpacked(tmp_path / "template")
    theirs = f'cp -r "{tmp_path}/template/." "{cache}/asterisk"'
    script(
        own / "sbin/mmdebstrap", f'mkdir -p "{cache}/asterisk"', theirs, "echo 'E: not empty' >&2", "exit 25"
    )

    program = obtain_asterisk()

    assert taken(program) == str(cache / "asterisk/usr/sbin/asterisk")
    assert paused == [5.0]


@pytest.mark.requirement("E3")
def test_given_a_mirror_that_lacks_a_package_for_a_moment_when_one_is_unpacked_then_it_is_asked_again(
    own: Path, cache: Path, tmp_path: Path, paused: list[float]
) -> None:
    unpacked(tmp_path / "template")
    missing = 'if mkdir "$0.asked" 2>/dev/null; then echo "E: 404 Not Found" >&2; exit 25; fi'
    script(own / "sbin/mmdebstrap", missing, *MAKES_ROOT)
    said: list[str] = []

    program = obtain_asterisk(said.append)

    assert taken(program) == str(cache / "asterisk/usr/sbin/asterisk")
    assert said[1:] == ["That failed, again in 5 s: E: 404 Not Found"]
    assert paused == [5.0]


def test_given_no_asterisk_and_nothing_to_make_one_with_when_one_is_needed_then_the_remedy_is_told(
    own: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(own))
    if AsteriskProgram.of_machine() is not None:
        pytest.skip("this machine has an Asterisk of its own in /usr/sbin")

    with pytest.raises(LauncherError, match="apt-get install mmdebstrap"):
        obtain_asterisk()
