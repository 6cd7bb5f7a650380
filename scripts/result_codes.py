"""Prints every result code of the cloud service: the test that provokes it, or why it can't occur here."""

import sys
from pathlib import Path

from controller.api.wire.result_reference import absent_codes, test_of
from controller.api.wire.results import RESULTS

ROOT = Path(__file__).parent.parent


def main() -> None:
    missing = []
    for code in sorted({*RESULTS, *absent_codes()}, key=int):
        if code not in RESULTS:
            _text, why = absent_codes()[code]
            print(f"{code:8}cannot occur here: {why}")
            continue
        file, test = test_of(code)
        print(f"{code:8}provoked by {file}::{test}")
        if f"def {test.partition('[')[0]}(" not in (ROOT / file).read_text("utf-8"):
            missing.append(code)
    print(f"{len(RESULTS)} codes are provoked by a test, {len(absent_codes())} cannot occur here")
    if missing:
        sys.exit(f"there is no such test: {', '.join(missing)}")


if __name__ == "__main__":
    main()
