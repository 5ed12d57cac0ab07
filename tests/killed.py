"""Processes that are killed while they work: one that has imported all forks each, and kills it."""

from __future__ import annotations

import subprocess
import sys

#: how many are killed, one after the other
RUNS = 20
_NURSERY = """
import os, signal, sys, time

setup, code, runs, words = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
names = {"words": words}
exec(setup, names)
for run in range(runs):
    seen, begun = os.pipe()
    pid = os.fork()
    if not pid:
        def tell(text):
            os.write(1, text.encode() + bytes([10]))
            os.write(begun, b".")
        exec(code, names | {"run": run, "tell": tell})
        os._exit(1)
    os.read(seen, 1)
    time.sleep(0.001 * run)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(seen)
    os.close(begun)
"""


def killed(setup: str, code: str, *words: object) -> list[str]:
    """Return the lines that processes told before they were killed.

    setup: imports, done once. code: what each does; it knows ``words``, the number of its ``run``
    and ``tell``, which prints a line. Each is killed some milliseconds after its first line.
    """
    given = [setup, code, str(RUNS), *map(str, words)]
    done = subprocess.run(
        [sys.executable, "-c", _NURSERY, *given], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.splitlines()
