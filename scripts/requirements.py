"""Lists the requirement numbers that no test shows, and with --tests which tests show each of the others."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "requirements.md"


def numbers() -> dict[str, str]:
    """Number -> title, from the document's table."""
    rows = [line.split("|") for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {
        row[1].strip(): row[2].strip()
        for row in rows
        if row[1].strip()[:1].isupper() and row[1].strip()[1:2].isdigit()
    }


def shown() -> dict[str, list[str]]:
    """Number -> the tests that carry it."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for number, test in _carried(ast.parse(path.read_text("utf-8"))):
            found.setdefault(number, []).append(f"{path.relative_to(ROOT / 'tests')}::{test}")
    return found


def _carried(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        for mark in getattr(node, "decorator_list", ()):
            yield from ((number, node.name) for number in _numbers_of(mark))  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from ((number, "all") for number in _numbers_of(node.value))


def _numbers_of(mark: ast.AST) -> Iterator[str]:
    for node in ast.walk(mark):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
            yield from (ast.literal_eval(argument) for argument in node.args)


def main() -> None:
    wanted, tests = numbers(), shown()
    for number in sorted(set(tests) - set(wanted)):
        print(f"{number}: carried by a test, but not in {DOCUMENT.name}")
    for number, title in wanted.items():
        if number not in tests:
            print(f"{number}: {title}")
        elif "--tests" in sys.argv:
            print(f"{number}: {title}", *tests[number], sep="\n    ")
    count = sum(number in tests for number in wanted)
    print(f"{count} of {len(wanted)} requirement numbers are shown by a test")


if __name__ == "__main__":
    main()
