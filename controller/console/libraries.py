"""The browser's libraries: installed packages that package-lock.json names, checked against its digests.

They come from the npm registry. The one library that isn't made for browsers yet is put together by a program
that comes as a package too.
`python -m controller.console.libraries` installs them; `scripts/setup` does so.
"""

import base64
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from controller.registries import NpmPackage, npm_archives

_HERE: Final = Path(__file__).parent
_LOCK: Final = _HERE / "package-lock.json"
INSTALLED: Final = _HERE / "node_modules"
_BUNDLED: Final = INSTALLED / ".bundled"
_READY_MADE: Final = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx-sse.js": "htmx.org/dist/ext/hx-sse.min.js",
}
_MACHINES: Final = {"x86_64": "@esbuild/linux-x64", "aarch64": "@esbuild/linux-arm64"}


def bundled() -> Iterator[Path]:
    """The files for browsers. Raises FileNotFoundError if they aren't installed."""
    if not _BUNDLED.is_dir():
        raise FileNotFoundError(
            "The console's libraries aren't installed: python -m controller.console.libraries"
        )
    return iter(sorted(_BUNDLED.iterdir()))


def install() -> None:
    """Install what package-lock.json names, unless it is there already. Raises OSError, ValueError."""
    wanted = hashlib.sha256(_LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    stamp = INSTALLED / ".complete"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(INSTALLED, ignore_errors=True)
    packages = dict(_packages())
    with TemporaryDirectory(prefix="libraries-") as scratch:
        archives = npm_archives(list(packages), Path(scratch))
        for (package, integrity), archive in zip(packages.items(), archives, strict=True):
            _unpack(package, integrity, archive.read_bytes())
    _bundle()
    stamp.write_text(wanted)


def _packages() -> Iterator[tuple[NpmPackage, str]]:
    """What this machine needs, each with its digest."""
    for place, package in json.loads(_LOCK.read_text())["packages"].items():
        name = place.removeprefix("node_modules/")
        if place and (not package.get("optional") or name == _MACHINES.get(platform.machine())):
            yield NpmPackage(name, package["version"]), package["integrity"]


def _unpack(package: NpmPackage, integrity: str, content: bytes) -> None:
    kind, _, expected = integrity.partition("-")
    if base64.b64encode(hashlib.new(kind, content).digest()).decode() != expected:
        raise ValueError(f"{package.name} {package.version} is not what package-lock.json says")
    into = INSTALLED / package.name
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            _, _, inner = member.name.partition("/")
            if member.isfile() and inner:
                target = (into / inner).resolve()
                if not target.is_relative_to(into.resolve()):
                    raise ValueError(f"{package.name} has a file outside of its folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                assert source is not None
                target.write_bytes(source.read())
                target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _bundle() -> None:
    _BUNDLED.mkdir()
    for name, source in _READY_MADE.items():
        shutil.copy(INSTALLED / source, _BUNDLED / name)
    esbuild = INSTALLED / _MACHINES[platform.machine()] / "bin" / "esbuild"
    subprocess.run(
        [
            esbuild,
            "jssip/lib/JsSIP.js",
            "--bundle",
            "--minify",
            "--global-name=JsSIP",
            "--platform=browser",
            "--log-level=warning",
            f"--outfile={_BUNDLED / 'jssip.js'}",
        ],
        cwd=INSTALLED,
        env={**os.environ, "NODE_PATH": str(INSTALLED)},
        check=True,
    )


if __name__ == "__main__":
    install()
