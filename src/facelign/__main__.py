"""``python -m facelign`` and the ``facelign`` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    if sys.argv[1:] == ["--version"]:  # answered without loading anything
        from facelign._version import __version__

        sys.stdout.write(f"facelign {__version__}\n")
        raise SystemExit(0)
    from facelign.cli.app import run

    raise SystemExit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
