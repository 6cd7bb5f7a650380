"""What the benchmarks count of processes that come and go."""

import os
import subprocess
import sys

from benchmarks.usage import children, family_seconds, process_seconds

_WORK = "import time\nwhile time.process_time() < 0.2: pass\n"
_PARENT = f"""
import subprocess, sys
work, pipe = {_WORK!r}, subprocess.PIPE
subprocess.run([sys.executable, "-c", work], check=True)
command = [sys.executable, "-c", work + "print(flush=True); input()"]
with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
    child.stdout.readline()
    print(flush=True)
    sys.stdin.readline()
    child.communicate(b"x")
"""


def test_given_children_that_work_and_end_when_looked_at_then_all_of_them_count() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=pipe, stdout=pipe) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert len(children(parent.pid)) == 1
        own, family = process_seconds(parent.pid), family_seconds(parent.pid)
        parent.communicate(b"x")
    assert family - own > 0.35
    assert family_seconds(os.getpid()) >= process_seconds(os.getpid())
