"""Writes containers/requirements.txt: the packages of the controller's image, each at one version.

They are the newest that pyproject.toml admits today. Nothing is installed.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

_ROOT = Path(__file__).parents[1]
_FILE = _ROOT / "containers/requirements.txt"
_HEAD = "# What the controller's image has, at these versions: written by `make pins`.\n"
_ASK = ("install", "--dry-run", "--ignore-installed", "-qq", "--disable-pip-version-check", "--report")


def main() -> None:
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", *_ASK, str(report), f"{_ROOT}[speech,traces]"]
        subprocess.run(command, check=True)
        found = [package["metadata"] for package in json.loads(report.read_text("utf-8"))["install"]]
    pins = {
        package["name"].lower(): package["version"] for package in found if package["name"] != "voicecall"
    }
    _FILE.write_text(_HEAD + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)), "utf-8")


if __name__ == "__main__":
    main()
