"""The bar is on standard error; what is printed meanwhile goes where standard output goes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest

SCRIPT = """
from facelign.cli import output
with output.progress("images", 3) as done:
    output.emit({"epoch": 1})
    done(2)
"""


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_results_are_not_drawn_into_the_terminal_of_the_bar():
    import pty

    terminal, other = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=other,
        env=os.environ | {"TERM": "xterm"},
        text=True,
    )
    os.close(other)
    drawn = b""
    with suppress(OSError):  # what is closed at the other end
        while part := os.read(terminal, 4096):
            drawn += part
    out, _ = done.communicate(timeout=60)
    os.close(terminal)
    assert out == '{"epoch": 1}\n'
    assert b"images" in drawn
    assert b"epoch" not in drawn
