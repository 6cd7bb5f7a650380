"""Looks the installed packages that the platform runs with up in the registry's list of vulnerabilities.

`make check` fails when one is vulnerable. Without a registry that can be asked it says so, and passes: a
machine without a network can be worked on. What was found is kept for a day, unless something else is
installed.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KEPT = Path(".cache/audit.json")
_DAY = 86400.0
_EXTRAS = ("speech", "traces")
_PROBE = "aiohttp"

ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that the platform may have, by id, and why they do no harm here."""


def installed(name: str, extras: Iterable[str] = ()) -> Iterator[tuple[str, str]]:
    """Name and version of what a package needs, itself left out; each once."""
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra) for extra in ("", *extras)]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        package, extra = one
        try:
            found = distribution(package)
        except PackageNotFoundError:
            # Of another platform, or an extra that is not installed.
            continue
        if package != canonicalize_name(name) and (package, "told") not in seen:
            seen.add((package, "told"))
            yield package, found.version
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(needed.name), its) for its in ("", *needed.extras)]


def audit(pins: list[str], folder: Path) -> list[dict[str, Any]] | None:
    """What the registry says of each package; None: it can't be asked."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "audited.txt"
    wanted.write_text("\n".join(pins))
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(wanted), "--no-deps", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return None
    return found


def judged(found: list[dict[str, Any]] | None) -> tuple[bool, list[str]]:
    """Whether that may pass, and what is to be said."""
    if found is None:
        return True, ["dependencies NOT audited: the registry can't be reached"]
    skipped = [one for one in found if "skip_reason" in one]
    bad = [
        f"{one['name']} {one['version']}: {its['id']}, mended in "
        f"{' or '.join(its['fix_versions']) or 'no release'}"
        for one in found
        for its in one.get("vulns", ())
        if not {its["id"], *its.get("aliases", ())} & ACCEPTED.keys()
    ]
    said = [f"dependencies: {len(found) - len(skipped)} audited, {len(bad)} vulnerabilities"]
    if skipped:
        names = ", ".join(one["name"] for one in skipped)
        said.append(f"dependencies NOT audited, the registry tells nothing of their releases: {names}")
    return not bad, [*said, *bad]


def main() -> int:
    pins = sorted(f"{name}=={version}" for name, version in installed("voicecall", _EXTRAS))
    state = hashlib.sha256("\n".join(pins).encode()).hexdigest()
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    if kept.get("state") == state and time.time() - kept["at"] < _DAY:
        found = kept["found"]
    else:
        # One first: some mirrors tell nothing of releases, and there the others needn't be asked for.
        found = audit([pin for pin in pins if pin.startswith(f"{_PROBE}==")], KEPT.parent)
        if found and all("skip_reason" not in one for one in found):
            found = audit(pins, KEPT.parent)
        if found is not None:
            KEPT.write_text(json.dumps({"state": state, "at": time.time(), "found": found}))
    passes, said = judged(found)
    print("\n".join(said))
    return not passes


if __name__ == "__main__":
    sys.exit(main())
