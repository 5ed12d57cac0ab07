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

from facelign.compare.scores import score_matrix
from facelign.datasets.records import PairList, Photo
from facelign.errors import BadArray, FacelignError, InputError, Refused
from facelign.lab.material.named import Named
from facelign.lab.verification.figures import Failure, PairScores
from facelign.quality.measure import assess
from facelign.recognition.recognizer import Photo as Source
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import FacePolicy, choose
from facelign.types.analysis import Analysis
from facelign.types.arrays import Float32Array, Float64Array, IntArray
from facelign.types.faces import Faces

#: photos whose pairs fit into memory all at once (18 million pairs, 34 bytes each)
MOST_PHOTOS = 6000
#: what the reason of a photo begins with whose face was not found and that was used whole
RAW = "raw photo"


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
    faces: tuple[tuple[float, float, float, float], ...]
    quality: Mapping[str, Float64Array] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def failed(self) -> int:
        """How many photos gave no face, whether or not the raw photo was used instead."""
        return len(self.failures)

    def row_of(self) -> dict[Path, int]:
        """Return the vector of each photo by its path, -1 where there is none."""
        return {p.path: int(row) for p, row in zip(self.photos, self.rows, strict=True)}


@dataclass(slots=True)
class _Gathered:
    """What one walk over photos collects."""

    vectors: list[Float32Array] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    fallbacks: list[Failure] = field(default_factory=list)

    def add(self, analysis: Analysis, face: int, person: str) -> None:
        vector = analysis.vector_of(face)
        if vector is None:
            raise BadArray(f"face {face} of {analysis.photo.source} has no vector.")
        box = analysis.faces[face].box
        self.vectors.append(vector.vectors[0])
        self.people.append(person)
        self.digests.append(analysis.photo.digest)
        self.boxes.append((box.x1, box.y1, box.x2, box.y2))
        self.scores.append(float(analysis.faces.scores[face]))
        self.norms.append(float(vector.norms[0]))


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
    gathered = _Gathered()
    rows = np.full(len(photos), -1, np.int64)
    analyses = recognizer.stream((photo.path for photo in photos), done=done)
    for place, (photo, analysis) in enumerate(zip(photos, analyses, strict=True)):
        face, reason = _chosen(analysis, policy, photo.path.name)
        if reason and raw_fallback and analysis.error is None:
            whole = _whole(recognizer, photo.path)
            if whole is not None:
                analysis, face = whole, 0
                reason = f"{RAW} used: {reason}"
        if reason:
            gathered.failures.append(Failure(str(photo.path), reason))
        elif analysis.attempts:
            tried = ", ".join(analysis.attempts)
            gathered.fallbacks.append(Failure(str(photo.path), f"found only by: {tried}"))
        if face is not None:
            rows[place] = len(gathered.vectors)
            gathered.add(analysis, face, photo.person)
    return _embedded(recognizer, gathered, rows, tuple(photos))


def embed_pictures(
    recognizer: Recognizer,
    pictures: Sequence[bytes],
    *,
    done: Callable[[int], None] | None = None,
    aligned_as: str = "arcface-112",
) -> Embedded:
    """Return the vectors of encoded pictures that are chips already, as ``.bin`` sets hold them.

    Where every layout of the chain is ``aligned_as`` the pictures are embedded as they are; for
    another layout faces are looked for in them as in any photo. Photos of the result are named
    after their number.
    """
    gathered = _Gathered()
    rows = np.full(len(pictures), -1, np.int64)
    photos = tuple(Photo(Path(f"{number:06d}"), "") for number in range(len(pictures)))
    as_they_are = all(layout.id == aligned_as for layout in recognizer.chain.layouts)
    found: Iterable[Analysis | None]
    if as_they_are:
        found = _wholes(recognizer, pictures, done)
    else:
        found = recognizer.stream(pictures, done=done)
    for place, analysis in enumerate(found):
        face: int | None = 0
        reason = "the picture cannot be read"
        if analysis is not None:
            reason = ""
            if not as_they_are:
                face, reason = _chosen(analysis, FacePolicy.CENTRAL, photos[place].path.name)
        if analysis is None or face is None:
            gathered.failures.append(Failure(photos[place].path.name, reason))
            continue
        rows[place] = len(gathered.vectors)
        gathered.add(analysis, face, "")
    return _embedded(recognizer, gathered, rows, photos)


def sharpness(
    recognizer: Recognizer, embedded: Embedded, done: Callable[[int], None] | None = None
) -> Float64Array:
    """Return (m,) how sharp each chosen face is (``quality.measure``); reads the photos again."""
    found = np.zeros(len(embedded.named.people))
    for photo, row in zip(embedded.photos, embedded.rows, strict=True):
        if row >= 0:
            image = recognizer.read(photo.path)
            box = np.array([embedded.faces[row]], np.float32)
            faces = Faces(box, np.ones(1, np.float32), None, "", image.size)
            found[row] = float(assess(image, faces).sharpness[0])
        if done:
            done(1)
    return found


def pairs_of(pairs: PairList, embedded: Embedded) -> PairScores:
    """Return the scores of listed pairs; a pair is failed where a photo has no vector of a face.

    A photo that was used raw counts as failed too: ``Failures.RAW`` counts its score all the same.
    """
    row_of = embedded.row_of()
    a = np.array([row_of.get(pair.a, -1) for pair in pairs], np.int64)
    b = np.array([row_of.get(pair.b, -1) for pair in pairs], np.int64)
    lost = {Path(failure.photo) for failure in embedded.failures}
    unusable = [pair.a in lost or pair.b in lost for pair in pairs]
    failed = np.array(unusable, bool) | (a < 0) | (b < 0)
    named = all(pair.person_a and pair.person_b for pair in pairs)
    sides = [[str(getattr(pair, side)) for pair in pairs] for side in ("a", "b")]
    people = [[getattr(pair, f"person_{side}") for pair in pairs] for side in ("a", "b")]
    return PairScores.of(
        scores_of(embedded.named, a, b),
        np.array([pair.same for pair in pairs]),
        people=(people[0], people[1]) if named else None,
        photos=None if named else (sides[0], sides[1]),
        folds=np.array([pair.fold for pair in pairs], np.int64),
        failed=failed,
    )


def all_pairs(embedded: Embedded) -> tuple[PairScores, IntArray, IntArray]:
    """Return every pair of photos once, and the photos (p,), (p,) of each pair.

    Raises Refused for more photos than fit into memory as pairs.
    """
    n = len(embedded.photos)
    if n > MOST_PHOTOS:
        raise Refused(
            f"All pairs of {n:,} photos do not fit into memory ({MOST_PHOTOS:,} photos do).",
            "Give a list of pairs, or use: facelign calibrate, facelign evaluate identification",
        )
    i, j = np.triu_indices(n, 1)
    codes = np.unique(np.array([p.person for p in embedded.photos], dtype=str), return_inverse=True)
    person = codes[1].astype(np.int64)
    a, b = embedded.rows[i], embedded.rows[j]
    lost = {failure.photo for failure in embedded.failures}
    failed_photo = np.array([str(p.path) in lost for p in embedded.photos], bool)
    pairs = PairScores(
        scores_of(embedded.named, a, b),
        person[i] == person[j],
        person[i],
        person[j],
        np.zeros(len(i), np.int64),
        failed_photo[i] | failed_photo[j] | (a < 0) | (b < 0),
    )
    return pairs, i.astype(np.int64), j.astype(np.int64)


def scores_of(named: Named, a: IntArray, b: IntArray) -> Float64Array:
    """Return scores (p,) of the vectors in rows ``a`` (p,) and ``b`` (p,).

    Where one is -1 the score is below all others, so that it matches at no threshold among them.
    """
    scores = _scores(named, a, b)
    lost = (a < 0) | (b < 0)
    scores[lost] = scores[~lost].min(initial=0.0) - 1
    return scores


def _scores(named: Named, a: IntArray, b: IntArray) -> Float64Array:
    scores = np.zeros(len(a))
    n = len(named.people)
    if len(a) > n * n // 4:  # nearly every pair: the whole matrix is cheaper than picking rows
        for start in range(0, n, 512):
            mine = np.flatnonzero((a >= start) & (a < start + 512) & (b >= 0))
            part = named.vectors[start : start + 512]
            table = score_matrix(part, named.vectors, named.space.metric)
            scores[mine] = table[a[mine] - start, b[mine]]
        return scores
    for x in np.unique(a[a >= 0]):
        mine = np.flatnonzero((a == x) & (b >= 0))
        table = score_matrix(named.vectors[x : x + 1], named.vectors[b[mine]], named.space.metric)
        scores[mine] = table[0]
    return scores


def _chosen(analysis: Analysis, policy: FacePolicy, source: str) -> tuple[int | None, str]:
    """Return the chosen face that has a vector, or None and why there is none."""
    if analysis.error is not None:
        return None, analysis.error.message
    try:
        index = choose(analysis.faces, policy, source).index
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
    recognizer: Recognizer, gathered: _Gathered, rows: IntArray, photos: tuple[Photo, ...]
) -> Embedded:
    if not gathered.vectors:
        first = gathered.failures[0].reason if gathered.failures else "There are no photos."
        raise Refused(
            f"None of {len(photos)} photos gave a face that can be measured.",
            f"The first: {first}",
        )
    boxes = np.array(gathered.boxes)
    heights = boxes[:, 3] - boxes[:, 1]
    named = Named(
        recognizer.space,
        np.stack(gathered.vectors),
        tuple(gathered.people),
        heights,
        tuple(gathered.digests),
    )
    quality = {
        "height": heights,
        "score": np.array(gathered.scores),
        "norm": np.array(gathered.norms),
    }
    return Embedded(
        named,
        rows,
        photos,
        tuple(gathered.failures),
        tuple(gathered.fallbacks),
        tuple(gathered.boxes),
        MappingProxyType(quality),
    )
