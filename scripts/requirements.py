"""Lists the requirement numbers that no test shows; exit status 0 always: it informs."""

import ast
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


def shown() -> dict[str, int]:
    """Number -> how many tests carry it."""
    found: dict[str, int] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
                for argument in node.args:
                    name = ast.literal_eval(argument)
                    found[name] = found.get(name, 0) + 1
    return found


def main() -> None:
    wanted, tests = numbers(), shown()
    for number in sorted(set(tests) - set(wanted)):
        print(f"{number}: carried by a test, but not in {DOCUMENT.name}")
    for number, title in wanted.items():
        if number not in tests:
            print(f"{number}: {title}")
    count = sum(number in tests for number in wanted)
    print(f"{count} of {len(wanted)} requirement numbers are shown by a test")


if __name__ == "__main__":
    main()
