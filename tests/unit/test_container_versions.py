"""What the images are made of has a version: no build takes what happens to be the newest."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "containers").glob("*.Dockerfile"))
# What the distribution has in one version for as long as its release lives.
_OF_THE_RELEASE = {"python3", "python3-venv", "ca-certificates"}

pytestmark = pytest.mark.requirement("E5")


def test_E5_given_the_pins_of_the_image_when_compared_then_each_dependency_has_one_in_its_range() -> None:
    lines = (ROOT / "containers/requirements.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for text in (*project["dependencies"], *extras["speech"], *extras["traces"]):
        wanted = Requirement(text)
        version = pinned.get(canonicalize_name(wanted.name))
        assert version is not None and wanted.specifier.contains(version), f"{text}: run `make pins`"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_E5_given_a_dockerfile_when_read_then_all_that_it_installs_has_a_version(file: Path) -> None:
    text = file.read_text("utf-8").replace("\\\n", " ")
    for words in re.findall(r"apt-get install [^&]*?--no-install-recommends ([^&]*)", text):
        for word in words.replace("'", "").split():
            assert "=" in word or re.search(r"-\d+$", word) or word in _OF_THE_RELEASE, word
    for words in re.findall(r"bin/pip install ([^&\n]*)", text):
        asked = [word.strip("'\"") for word in words.split() if not word.startswith("-")]
        for word in asked:
            assert "==" in word or word in ("requirements.txt", ".[speech,traces]"), word
    assert re.search(r"^FROM \S+:(latest)?(\s|$)", text, re.MULTILINE) is None
