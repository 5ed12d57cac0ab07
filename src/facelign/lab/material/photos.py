"""From photos to the vectors that are measured: one face a photo, and nothing lost silently.

The only file of this room that opens photos. The recognizer does the work, with its cache: what is
done stays done when a run is interrupted, and a repeated run only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facelign.datasets.records import Photo
from facelign.errors import BadArray, FacelignError, InputError, Refused
from facelign.lab.material.named import Named
from facelign.quality.measure import assess
from facelign.recognition.looks import Looks
from facelign.recognition.recognizer import Photo as Source
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.arrays import BoolArray, Float32Array, Float64Array, IntArray
from facelign.types.embeddings import Space
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy

#: what the reason of a photo begins with whose face was not found and that was used whole
RAW = "raw photo"
#: photos whose pixels are kept while several recognizers look at them
TOGETHER = 16


Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo that gave nothing, or only by a fallback, and why."""

    photo: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors of the chosen face of n photos, of which m gave one.

    named: m vectors with names, heights and digests. rows: (n,) int64, the vector of each photo
    that was asked for, -1 where there is none. photos: n photos as asked. failures: photos without
    a face, with the reason (also those used raw: their reason says so). fallbacks: photos whose
    face was found only by a further attempt. faces: m boxes, xyxy px of the file. quality: (m,)
    numbers by name, larger is better: "height" px, "score" of the detector, "norm" of the raw
    vector.
    """

    named: Named
    rows: IntArray
    photos: tuple[Photo, ...]
    failures: tuple[Failure, ...]
    fallbacks: tuple[Failure, ...]
    faces: tuple[Box, ...]
    quality: Mapping[str, Float64Array] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def lost(self) -> BoolArray:
        """(n,) bool: photos in which no face was found, whether or not they were used raw."""
        failed = {failure.photo for failure in self.failures}
        return np.array([str(photo.path) in failed for photo in self.photos]) | (self.rows < 0)

    @property
    def photo_of(self) -> dict[int, int]:
        """The photo of each vector, by their numbers."""
        return {row: place for place, row in enumerate(self.rows.tolist()) if row >= 0}

    @property
    def heights(self) -> Float64Array:
        """(n,) face heights, px; NaN where a photo has no face, or none is known."""
        known = self.named.heights
        if known is None:
            return np.full(len(self.photos), np.nan)
        return np.append(np.asarray(known, np.float64), np.nan)[self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """The chosen face of a photo. norm: length of the raw vector."""

    person: str
    digest: str
    vector: Float32Array = field(repr=False)
    norm: float
    box: Box
    score: float

    @classmethod
    def of(cls, analysis: Analysis, face: int, person: str) -> _Face:
        vector = analysis.vector_of(face)
        if vector is None:
            raise BadArray(f"face {face} of {analysis.photo.source} has no vector.")
        box = analysis.faces[face].box
        return cls(
            person,
            analysis.photo.digest,
            vector.vectors[0],
            float(vector.norms[0]),
            (box.x1, box.y1, box.x2, box.y2),
            float(analysis.faces.scores[face]),
        )


def embed(
    recognizer: Recognizer,
    photos: Sequence[Photo],
    policy: FacePolicy = FacePolicy.CENTRAL,
    *,
    done: Callable[[int], None] | None = None,
    raw_fallback: bool = False,
) -> Embedded:
    """Return the vector of the face that ``policy`` means in each photo.

    raw_fallback: give the whole photo, resized to a chip, to the model where no face was found, as
    some papers count. done: called with the number of further photos done. Raises Refused when no
    photo gives a vector.
    """
    seen = _Seen()
    seen.add(recognizer, photos, policy, done=done, raw_fallback=raw_fallback)
    return seen.of(recognizer.space, photos)


def embed_together(
    recognizers: Sequence[Recognizer],
    photos: Sequence[Photo],
    policy: FacePolicy = FacePolicy.CENTRAL,
    *,
    done: Callable[[int], None] | None = None,
) -> list[Embedded | FacelignError]:
    """Return what ``embed`` gives for each of several recognizers, or what it raises.

    A photo is read and decoded once for all of them, and its faces are looked for once by those
    that look alike. done: called with the number of further photos that one of them has done.
    """
    looks, found = Looks(), [_Seen() for _ in recognizers]
    failed: dict[int, FacelignError] = {}
    for recognizer in recognizers:
        recognizer.looks = looks
    try:
        for start in range(0, len(photos), TOGETHER):
            for number, recognizer in enumerate(recognizers):
                if number not in failed:
                    try:
                        found[number].add(
                            recognizer, photos[start : start + TOGETHER], policy, done=done
                        )
                    except FacelignError as error:
                        failed[number] = error
            looks.clear()
    finally:
        for recognizer in recognizers:
            recognizer.looks = None
    results: list[Embedded | FacelignError] = []
    for number, (recognizer, seen) in enumerate(zip(recognizers, found, strict=True)):
        try:
            results.append(failed.get(number) or seen.of(recognizer.space, photos))
        except FacelignError as error:
            results.append(error)
    return results


@dataclass(slots=True)
class _Seen:
    """What one recognizer has seen so far: a face a photo, what failed, what was found late."""

    faces: list[_Face | None] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    fallbacks: list[Failure] = field(default_factory=list)

    def add(
        self,
        recognizer: Recognizer,
        photos: Sequence[Photo],
        policy: FacePolicy,
        *,
        done: Callable[[int], None] | None = None,
        raw_fallback: bool = False,
    ) -> None:
        """Look at further photos."""
        analyses = recognizer.stream((photo.path for photo in photos), done=done)
        for photo, analysis in zip(photos, analyses, strict=True):
            face, reason = _chosen(analysis, policy, photo.path.name)
            if reason and raw_fallback and analysis.error is None:
                whole = _whole(recognizer, photo.path)
                if whole is not None:
                    analysis, face = whole, 0
                    reason = f"{RAW} used: {reason}"
            if reason:
                self.failures.append(Failure(str(photo.path), reason))
            elif analysis.attempts:
                tried = ", ".join(analysis.attempts)
                self.fallbacks.append(Failure(str(photo.path), f"found only by: {tried}"))
            self.faces.append(None if face is None else _Face.of(analysis, face, photo.person))

    def of(self, space: Space, photos: Sequence[Photo]) -> Embedded:
        """Return it as the vectors of all photos; raises Refused when there is none."""
        return _embedded(space, photos, self.faces, self.failures, self.fallbacks)


def embed_pictures(
    recognizer: Recognizer,
    pictures: Sequence[bytes],
    *,
    done: Callable[[int], None] | None = None,
) -> Embedded:
    """Return the vectors of encoded pictures that are chips already, as ``.bin`` sets hold them.

    Where every layout of the chain is "arcface-112" the pictures are embedded as they are; for
    another layout faces are looked for in them as in any photo. Photos of the result are named
    after their number.
    """
    photos = [Photo(Path(f"{number:06d}"), "") for number in range(len(pictures))]
    as_they_are = all(layout.id == "arcface-112" for layout in recognizer.chain.layouts)
    analyses: Iterable[Analysis | None] = (
        _wholes(recognizer, pictures, done)
        if as_they_are
        else recognizer.stream(pictures, done=done)
    )
    faces: list[_Face | None] = []
    failures = []
    for photo, analysis in zip(photos, analyses, strict=True):
        face: int | None = None
        reason = "the picture cannot be read"
        if analysis is not None:
            face, reason = (
                (0, "") if as_they_are else _chosen(analysis, FacePolicy.CENTRAL, photo.path.name)
            )
        if analysis is None or face is None:
            failures.append(Failure(photo.path.name, reason))
            faces.append(None)
        else:
            faces.append(_Face.of(analysis, face, ""))
    return _embedded(recognizer.space, photos, faces, failures, [])


def sharpness(
    recognizer: Recognizer, embedded: Embedded, done: Callable[[int], None] | None = None
) -> Float64Array:
    """Return (m,) how sharp each chosen face is (``quality.measure``); reads the photos again."""
    sharp = np.zeros(len(embedded.named.people))
    for photo, row in zip(embedded.photos, embedded.rows, strict=True):
        if row >= 0:
            image = recognizer.read(photo.path)
            box = np.array([embedded.faces[row]], np.float32)
            faces = Faces(box, np.ones(1, np.float32), None, "", image.size)
            sharp[row] = float(assess(image, faces).sharpness[0])
        if done:
            done(1)
    return sharp


def _chosen(analysis: Analysis, policy: FacePolicy, source: str) -> tuple[int | None, str]:
    """Return the chosen face that has a vector, or None and why there is none."""
    if analysis.error is not None:
        return None, analysis.error.message
    try:
        index = choose(analysis.faces, policy, source)
    except FacelignError as error:
        return None, error.message
    if analysis.vector_of(index) is None:
        return None, f"The face cannot be aligned: {analysis.reason_of(index)}."
    return index, ""


def _wholes(
    recognizer: Recognizer, pictures: Sequence[bytes], done: Callable[[int], None] | None
) -> Iterable[Analysis | None]:
    for picture in pictures:
        yield _whole(recognizer, picture)
        if done:
            done(1)


def _whole(recognizer: Recognizer, photo: Source) -> Analysis | None:
    """Return the analysis of a photo whose whole area is taken as the chip, or None."""
    try:
        return recognizer.whole(photo)
    except InputError:
        return None  # the walk before has said what is wrong with it


def _embedded(
    space: Space,
    photos: Sequence[Photo],
    faces: Sequence[_Face | None],
    failures: Sequence[Failure],
    fallbacks: Sequence[Failure],
) -> Embedded:
    there = [face for face in faces if face is not None]
    if not there:
        first = failures[0].reason if failures else "There are no photos."
        raise Refused(
            f"None of {len(photos)} photos gave a face that can be measured.",
            f"The first: {first}",
        )
    rows = np.full(len(photos), -1, np.int64)
    rows[[place for place, face in enumerate(faces) if face is not None]] = np.arange(len(there))
    boxes = np.array([face.box for face in there])
    heights = boxes[:, 3] - boxes[:, 1]
    named = Named(
        space,
        np.stack([face.vector for face in there]),
        tuple(face.person for face in there),
        heights,
        tuple(face.digest for face in there),
    )
    quality = {
        "height": heights,
        "score": np.array([face.score for face in there]),
        "norm": np.array([face.norm for face in there]),
    }
    return Embedded(
        named,
        rows,
        tuple(photos),
        tuple(failures),
        tuple(fallbacks),
        tuple(face.box for face in there),
        MappingProxyType(quality),
    )
