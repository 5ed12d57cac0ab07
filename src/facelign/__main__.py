"""``python -m facelign`` and the ``facelign`` command."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from functools import partial


def main() -> None:
    """Run the command line and exit with its status; for a process of its own."""
    if sys.argv[1:] == ["--version"]:  # answered without loading anything
        from facelign._version import __version__

        sys.stdout.write(f"facelign {__version__}\n")
        raise SystemExit(0)
    # Loading modules makes many objects and no garbage: looked for less often, none is missed, and
    # a start takes 6 to 8 percent less.
    gc.set_threshold(10_000)
    ended: list[int] = []
    atexit.register(partial(_end, ended))  # what is registered first is called last
    try:
        from facelign.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded, or while an interruption is reported
        sys.stderr.write("facelign: interrupted.\n")
        code = 130
    ended.append(code)
    raise SystemExit(code)


def _end(ended: list[int]) -> None:
    """End the process here, once all that has to be done before its end is done.

    The interpreter would go on to take modules, arrays and networks apart one by one, which takes
    as long as looking at a photo; the system takes the memory back at once.
    """
    if ended:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            return  # the interpreter tells of it in its own way
        os._exit(ended[0])


if __name__ == "__main__":
    main()
