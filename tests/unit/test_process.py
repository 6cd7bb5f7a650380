"""What a controller asks of its process, in a process of its own."""

import subprocess
import sys


def said(program: str) -> list[str]:
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return made.stdout.split()


def test_given_a_low_soft_limit_when_raised_then_as_many_files_as_the_system_grants() -> None:
    soft, granted = said(
        "import resource\n"
        "from controller.process import raise_file_limit\n"
        "granted = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, granted))\n"
        "raise_file_limit()\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    assert soft == granted != "256"


def test_given_many_objects_when_settled_then_no_collection_looks_at_them() -> None:
    frozen, left = said(
        "import gc\n"
        "from controller.process import settle_memory\n"
        "kept = [[] for _ in range(100_000)]\n"
        "settle_memory()\n"
        "print(gc.get_freeze_count(), len(gc.get_objects()))"
    )

    assert int(frozen) > 100_000
    assert int(left) < 1000
