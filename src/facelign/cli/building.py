"""From flags to what does the work: the door of the commands to the library.

Commands import this at the top of their file and this imports the library when it is called, so
that a command's help, which needs none of it, does not wait for arrays and networks to load.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facelign.cli.output import line, note
from facelign.errors import InputError
from facelign.files.home import cache_path, may_write
from facelign.types.liveness import NEVER_ALONE
from facelign.wire.records import Record, failure, with_pose, with_quality

if TYPE_CHECKING:
    from facelign.gallery.cache import VectorCache
    from facelign.recognition.judging import Heads, Judge, LiveCheck
    from facelign.recognition.options import IdentifyOptions
    from facelign.recognition.photo_gallery import PhotoGallery
    from facelign.recognition.recognizer import Recognizer
    from facelign.recognition.threshold_rule import ThresholdRule
    from facelign.types.analysis import Analysis
    from facelign.types.policies import FacePolicy
    from facelign.types.templates import Person
    from facelign.wire.options import ChainFlags, NamingFlags

#: who gave a threshold that is a score
SOURCE = "given on the command line"


# -- recognizers and galleries -------------------------------------------------------------------


def recognizer(chain: ChainFlags, *, cached: bool = False) -> Recognizer:
    """Return the recognizer that the flags describe; its warnings go to standard error."""
    return _noted(chain.recognizer(cached=cached))


def finder(chain: ChainFlags) -> Recognizer:
    """Return a recognizer that only looks for faces."""
    return _noted(chain.finder())


def aligner(chain: ChainFlags, layout: str, options: Mapping[str, object]) -> Recognizer:
    """Return a recognizer that cuts chips of a layout."""
    from facelign.recognition.finding import GIVERS
    from facelign.recognition.presets import preset

    made = chain.aligner(layout, options)
    used = made.chain.preset.landmarker
    usual = GIVERS.get(made.chain.layouts[0].needs[0], (used,))[0]
    if used not in (None, usual, chain.landmarker, preset(chain.preset).landmarker):
        note(f"note: the license guard refuses {usual}, so {used} gives the points.")
    return _noted(made)


def judge(model: str | None) -> Judge | None:
    """Return what tells the quality of faces, where a measure is named."""
    if model is None:
        return None
    from facelign.recognition.judging import Judge

    return Judge(model)


def heads(model: str | None) -> Heads | None:
    """Return what tells how heads are turned, where a model is named."""
    if model is None:
        return None
    from facelign.recognition.judging import Heads

    return Heads(model)


def judged(record: Record, analysis: Analysis, judge: Judge | None) -> Record:
    """Return the record of a photo with the quality of its faces, where that is asked for."""
    if judge is None or analysis.image is None:
        return record
    return with_quality(record, judge.numbers(analysis.image, analysis.faces))


def posed(record: Record, analysis: Analysis, heads: Heads | None) -> Record:
    """Return the record of a photo with the pose of its heads, where that is asked for."""
    if heads is None or analysis.image is None:
        return record
    return with_pose(record, heads.angles(analysis))


def live_told(record: Record) -> str:
    """Return in words whether a face is a living person's. record: the ``live`` of a face."""
    score, reason = record["score"], record.get("reason", "")
    if score is None:
        return f"not checked for being live ({reason})"
    return f"{record['decision']} {score:.2f}"


def tell_live(check: LiveCheck | None, *, json: bool) -> None:
    """Say by what living faces were told, and that this is no gate by itself."""
    if check is None:
        return
    limit = check.threshold
    if not json:
        line(f"liveness by {check.model}, from {limit.score:.3g} on ({limit.source})")
    note(f"note: {NEVER_ALONE}")


def _noted(built: Recognizer) -> Recognizer:
    for text in built.chain.finder.notes:
        note(f"note: {text}")
    return built


def cache() -> VectorCache:
    """Return the cache of vectors, which ``people remove`` purges."""
    from facelign.gallery.cache import VectorCache

    found = VectorCache(cache_path())
    atexit.register(found.close)
    return found


def opened(gallery: Path, recognizer: Recognizer, *, create: bool = False) -> PhotoGallery:
    """Return a gallery with a recognizer, for reading only where it cannot be written."""
    from facelign.recognition.photo_gallery import PhotoGallery

    readonly = not create and not may_write(gallery)
    found = PhotoGallery(gallery, recognizer, create=create, readonly=readonly)
    away, everybody = found.gallery.people_without(recognizer.space.id), found.people()
    if away and not create:  # whoever enrolls is about to mend that
        have = "person has" if len(away) == 1 else "people have"
        note(
            f"note: {len(away)} {have} no template of this preset and cannot be found with it, of "
            f"{len(everybody)} in {gallery.name} (space {recognizer.space.id}): "
            f"{_some(away)}. Enroll their photos with it too"
        )
    return found


def _some(people: Sequence[Person]) -> str:
    """Return the names of a few people, and how many more there are."""
    names, more = ", ".join(one.name for one in people[:3]), len(people) - 3
    return f"{names} and {more} more" if more > 0 else names


# -- options of the library ----------------------------------------------------------------------


def naming(
    flags: NamingFlags, recognizer: Recognizer, gallery: Path, policy: FacePolicy | None = None
) -> IdentifyOptions:
    """Return how faces are named by a gallery."""
    return flags.chosen(recognizer, gallery, policy, source=SOURCE)


def rule(recognizer: Recognizer, text: str | None) -> ThresholdRule:
    """Return what a --threshold says: nothing, a score, a published one's name, or a file."""
    from facelign.recognition import threshold_rule

    return threshold_rule.rule(recognizer, text, SOURCE)


# -- photos --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """What the words of a command line mean: files, and failure records of the other words.

    root: the one folder that was named, whose tree a result may mirror, or None. words: what a file
    is called, where that is not its path.
    """

    files: list[str]
    missing: list[Record]
    root: Path | None
    words: Mapping[str, str] = field(default_factory=dict)

    def called(self, record: Record) -> Record:
        """Return the record of a photo with what it is called."""
        place = record["image"]
        word, error = self.words.get(place), record.get("error")
        if word is None:
            return record
        return {**record, "image": word, "error": error and error.replace(place, word)}


def listing(paths: Sequence[str], *, recursive: bool = True, results: Path | None = None) -> Listed:
    """Return the photos that the words mean; notes (such as stripped marks) go to stderr.

    results: a folder that the command writes pictures into, which are no photos of its own.
    """
    from facelign.imaging.listing import photos, remarks

    found = photos(paths, recursive=recursive, results=results)
    for text in remarks(found):
        note(f"note: {text}")
    root = found.folders[0] if len(paths) == 1 and found.folders else None
    missing = [failure(word, reason) for word, reason in found.missing]
    return Listed([str(file) for file in found.files], missing, root)


@contextmanager
def kept(found: Listed, folder: Path) -> Iterator[Listed]:
    """Yield the photos as files that can be copied: what a shell hands over, which can be read once
    and has no name, is written into ``folder``, from where it goes again.
    """
    from facelign.files import disk
    from facelign.imaging.containers import MAGIC_BYTES, kind_of
    from facelign.imaging.listing import handed_over, named_as
    from facelign.imaging.read import encoded

    if not any(map(handed_over, found.files)):
        yield found
        return
    files, missing, words = [], list(found.missing), {}
    with disk.scratch_folder(folder) as scratch:
        for photo in found.files:
            if not handed_over(photo):
                files.append(photo)
                continue
            try:
                read = encoded(photo)
            except InputError as error:
                missing.append(failure(photo, error))
                continue
            kind = kind_of(read.data[:MAGIC_BYTES])
            suffix = "" if kind is None else f".{kind.value.lower()}"
            place = scratch / named_as(photo).with_suffix(suffix.replace("jpeg", "jpg"))
            disk.write(place, read.data)
            words[str(place)] = read.name
            files.append(str(place))
        yield replace(found, files=files, missing=missing, words=words)


def path_of(text: str) -> str:
    """Return the path that a word means, pasted direction marks stripped.

    Raises InputError for an address of the network.
    """
    from facelign.imaging.listing import local_path

    path, mark = local_path(text)
    if mark:
        note(f"note: {mark}")
    return str(path)
