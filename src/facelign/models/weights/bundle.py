"""Bundles: weights in one plain tar file, for machines that reach no source.

A bundle holds the files as published, each under ``<model id>/<file name>``. The names are for
people only: what a member is, is decided by its SHA-256.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from facelign.errors import FacelignError, InputError, WeightsCorrupt
from facelign.files import disk as files
from facelign.models.weights.store import Store, missing
from facelign.types.specs import MOST_UNSTATED, ModelSpec, Source, SourceKind, WeightFile

#: a bundle of everything has a few dozen members
MOST_MEMBERS = 1024
_HINT = "Make the bundle anew with 'facelign models bundle'; nothing doubtful was kept."


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of a bundle."""

    model: str
    name: str
    size: int
    sha256: str


def bundle(store: Store, specs: Sequence[ModelSpec], out: Path) -> list[Packed]:
    """Write the published files of ``specs`` to the tar file ``out``; return what went in.

    Each file is checked once more on the way. Raises WeightsMissing when a model of ``specs`` is
    not here, WeightsCorrupt when a file is damaged; then there is no ``out``.
    """
    packed: list[Packed] = []
    seen: set[str] = set()
    with (
        files.atomic(out) as raw,
        tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for spec in specs:
            store.allowed(spec)
            if not store.present(spec):
                raise missing(spec)
            for file, source, path in store.raw_files(spec):
                if source.sha256 in seen or source.kind is SourceKind.FILE:
                    continue
                seen.add(source.sha256)
                if files.digest(path) != source.sha256:
                    raise WeightsCorrupt(
                        f"The file {path} of {spec.id} is damaged.",
                        f"Run: facelign models pull {spec.id}",
                    )
                entry = tarfile.TarInfo(f"{spec.id}/{path.name[13:]}")
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as opened:
                    tar.addfile(entry, opened)
                packed.append(Packed(spec.id, file.name, entry.size, source.sha256))
    return packed


def unbundle(store: Store, specs: Sequence[ModelSpec], path: Path) -> list[Packed]:
    """Take the files of a bundle into ``store``; return what was taken.

    Nothing is written outside of the cache: a member's name never becomes a path. A member that
    is a link or a device, that climbs out of its folder, that has not the size and SHA-256 of a
    file that facelign knows, makes the whole bundle suspect: WeightsCorrupt, and the members
    before it stay (they were what they should be).
    """
    known = _known(specs)
    taken: list[Packed] = []
    try:
        if (
            path.stat().st_size
            > sum(size or MOST_UNSTATED for _, size in known) + MOST_MEMBERS * 4096
        ):
            raise _refused(path, "is larger than everything that facelign knows")
        with tarfile.open(path, mode="r:") as tar:
            for count, entry in enumerate(tar):
                if count >= MOST_MEMBERS:
                    raise _refused(path, f"has more than {MOST_MEMBERS} members")
                if entry.isdir() and _inside(entry.name):
                    continue
                taken += _take(store, tar, entry, known, path)
    except FileNotFoundError as problem:
        raise InputError(f"There is no bundle {path}.", "Check the path.") from problem
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as problem:
        if isinstance(problem, OSError) and (
            problem.errno in files.NO_ROOM or str(problem.filename).startswith(str(store.folder))
        ):
            raise  # nothing is wrong with the bundle
        raise _refused(path, f"cannot be read ({problem})") from problem
    if not taken:
        raise _refused(path, "holds no weights")
    return taken


_Known = dict[tuple[str, int], list[tuple[ModelSpec, WeightFile, Source]]]


def _known(specs: Sequence[ModelSpec]) -> _Known:
    found: _Known = {}
    for spec in specs:
        for file in spec.weights:
            for source in file.sources:
                found.setdefault((source.sha256, source.size), []).append((spec, file, source))
    return found


def _may_be(size: int, known: _Known) -> bool:
    """Say whether a file of that size may be one of the known: of some nobody tells the size."""
    return any(size == length or (not length and size <= MOST_UNSTATED) for _, length in known)


def _inside(name: str) -> bool:
    parts = PurePosixPath(name)
    return not parts.is_absolute() and ".." not in parts.parts and "\\" not in name


def _take(
    store: Store, tar: tarfile.TarFile, entry: tarfile.TarInfo, known: _Known, path: Path
) -> list[Packed]:
    if not entry.isreg():
        raise _refused(path, f"has the member {entry.name!r}, which is no plain file")
    if not _inside(entry.name):
        raise _refused(path, f"has the member {entry.name!r}, which leads out of its folder")
    if not _may_be(entry.size, known):
        raise _refused(path, f"has the member {entry.name!r}, which facelign does not know")
    opened = tar.extractfile(entry)
    if opened is None:
        raise _refused(path, f"has the member {entry.name!r} without contents")
    unknown = _refused(path, f"has the member {entry.name!r}, which facelign does not know")
    return _received(store, opened, entry.size, known, unknown)


def take_file(store: Store, specs: Sequence[ModelSpec], path: Path) -> list[Packed]:
    """Take one weight file, known by its SHA-256, into ``store``."""
    known = _known(specs)
    unknown = WeightsCorrupt(
        f"{path} is no weight file that facelign knows.",
        "To add a model of your own, write a TOML record beside it and add that.",
    )
    try:
        size = path.stat().st_size
        if not _may_be(size, known):
            raise unknown
        with path.open("rb") as opened:
            return _received(store, opened, size, known, unknown)
    except OSError as problem:
        raise InputError(
            f"{path} cannot be read: {problem.strerror}.", "Check the path."
        ) from problem


def _received(
    store: Store, opened: IO[bytes], size: int, known: _Known, unknown: WeightsCorrupt
) -> list[Packed]:
    """Put a file where each of its owners looks for it; usually there is one."""
    taken: list[Packed] = []
    refusals: list[FacelignError] = []
    places: set[Path] = set()
    with store.scratch("received") as scratch:
        with scratch.open("xb") as out:
            sha256 = files.copy_checked(opened, out, size)
        owners = (*known.get((sha256, size), ()), *known.get((sha256, 0), ()))
        if not owners:
            raise unknown
        for spec, file, source in owners:
            try:
                store.allowed(spec)
            except FacelignError as problem:
                refusals.append(problem)
                continue
            entry = Packed(spec.id, file.name, size, sha256)
            # the user's own file stays where it is; two sources of one file give the same bytes
            if source.kind is SourceKind.FILE or entry in taken:
                continue
            taken.append(entry)
            if store.raw_path(source, file.name) not in places:
                with store.scratch(file.name) as copy:
                    shutil.copyfile(scratch, copy)
                    places.add(store.keep(source, file.name, copy))
    if refusals and not taken:
        raise refusals[0]
    return taken


def _refused(path: Path, what: str) -> WeightsCorrupt:
    return WeightsCorrupt(f"The bundle {path} {what}.", _HINT)
