"""Files that people hand in: sounds, settings, declarations."""

import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from unit.accounts.test_declared_limits import WHOLE

from controller.accounts.declaration import DeclarationError, read_declaration
from controller.prompts import wav
from controller.prompts.errors import SoundFileError, SoundNameError
from controller.settings import load_settings
from controller.settings.file import initial_settings, settings_text
from fuzz.effort import tries
from testbed.sounds import distinct_prompt

SOUND = wav.write(wav.read(distinct_prompt(1, 0.05)))
_CHUNK = st.builds(
    lambda name, size, content: name + struct.pack("<I", size) + content,
    st.sampled_from([b"fmt ", b"data", b"fact", b"LIST", b"\0\0\0\0"]),
    st.integers(0, 2**32 - 1) | st.integers(0, 40),
    st.binary(max_size=40),
)
_TOML = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.datetimes()
    | st.sampled_from(["+86", "+8657126880001", "notification", "sip:{number}@h", "1/1h", "off"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    raw=st.binary(max_size=100),
    at=st.integers(0, 120),
    chunks=st.lists(_CHUNK, max_size=4),
    streamed=st.booleans(),
)
@tries(200)
def test_given_a_sound_file_with_damage_when_read_then_it_is_sound_or_the_fault_is_named(
    raw: bytes, at: int, chunks: list[bytes], streamed: bool
) -> None:
    body = b"WAVE" + b"".join(chunks)
    files = (
        raw,
        SOUND[:at] + raw + SOUND[at + len(raw) :],
        SOUND[:at],
        b"RIFF" + struct.pack("<I", len(body)) + body,
    )
    for file in files:
        for read in (wav.check, lambda file: wav.parse(file, streamed=streamed)):
            try:
                found = read(file)
            except SoundFileError as error:
                assert str(error)
            else:
                assert found.seconds >= 0
                assert len(found.data) <= len(file)


@given(name=st.text(max_size=140) | st.from_regex(r"[./\\A-Za-z0-9%\0]{1,20}(\.wav)?", fullmatch=True))
@tries(150)
def test_given_any_name_of_a_sound_when_taken_then_it_leads_out_of_no_folder(name: str) -> None:
    try:
        taken = wav.check_name(name)
    except SoundNameError:
        return
    assert Path("/sounds", taken).resolve().parent == Path("/sounds")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def _lines(text: str) -> list[str]:
    return [line.removeprefix("# ") for line in text.splitlines() if "=" in line or line.startswith("[")]


SETTINGS = _lines(settings_text(initial_settings(Path("/srv"))))


@given(
    lines=st.lists(st.sampled_from(SETTINGS) | st.text(max_size=30), max_size=12),
    place=st.integers(0, 11),
    value=_TOML,
    raw=st.just(b"") | st.binary(max_size=40),
)
@tries(60)
def test_given_any_settings_file_when_read_then_it_holds_or_its_faults_are_named(
    folder: Path, lines: list[str], place: int, value: Any, raw: bytes
) -> None:
    file = folder / "settings.toml"
    changed = tomli_w.dumps({"x": value}).encode("utf-8", "replace").replace(b"x = ", b"", 1)
    text = [line.encode("utf-8", "replace") for line in lines]
    if place < len(text):
        text[place] = text[place].partition(b"=")[0] + b"= " + changed
    file.write_bytes(b"\n".join([*text, raw]))
    _load(file)


def test_given_a_file_nested_deeper_than_can_be_read_when_read_then_that_is_named(folder: Path) -> None:
    file = folder / "deep.toml"
    file.write_text("x = " + "[" * 5000)
    with pytest.raises(ValueError, match="nested too deeply"):
        load_settings(file)
    with pytest.raises(DeclarationError, match="nested too deeply"):
        read_declaration(file)


def _load(file: Path) -> None:
    try:
        load_settings(file)
    except ValidationError as error:
        assert error.errors()
    except ValueError as error:
        assert str(error)


def _parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a declaration."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, part in inner for deeper in _parts(part, (*path, name)))]


@given(data=st.data(), value=_TOML, raw=st.binary(max_size=40))
@tries(80)
def test_given_a_declaration_with_anything_in_any_place_when_read_then_it_holds_or_its_faults_are_named(
    folder: Path, data: st.DataObject, value: Any, raw: bytes
) -> None:
    declared: Any = tomllib.loads(WHOLE)
    *path, last = data.draw(st.sampled_from(_parts(declared)[1:]))
    place = declared
    for step in path:
        place = place[step]
    place[last] = value
    file = folder / "declaration.toml"
    for content in (
        tomli_w.dumps(declared).encode("utf-8", "replace"),
        WHOLE.encode() + raw,
        raw,
    ):
        file.write_bytes(content)
        try:
            read_declaration(file)
        except DeclarationError as error:
            assert str(error)
