"""``python -m facelign`` and the ``facelign`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    if sys.argv[1:] == ["--version"]:  # answered without loading anything
        from facelign._version import __version__

        sys.stdout.write(f"facelign {__version__}\n")
        raise SystemExit(0)
    try:
        from facelign.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded, or while an interruption is reported
        sys.stderr.write("facelign: interrupted.\n")
        code = 130
    raise SystemExit(code)


if __name__ == "__main__":
    main()
