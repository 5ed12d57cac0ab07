"""Whether a face becomes a template: policy, size, look-alikes, photos of others, duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from facelign.compare import thresholds
from facelign.compare.calibrations import shipped
from facelign.compare.scores import score_matrix
from facelign.errors import DuplicateTemplate, FacelignError, InputError
from facelign.gallery.gallery import Gallery
from facelign.recognition.options import ALREADY, EnrollOptions
from facelign.recognition.results import Enrollment
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.arrays import AnyArray, BoolArray
from facelign.types.calibrations import Calibration
from facelign.types.decisions import Candidate
from facelign.types.embeddings import Embeddings
from facelign.types.policies import SEARCH_FPIR, VERIFY_FMR
from facelign.types.templates import FaceRecord, PhotoRef, person_name

#: a face that resembles another person is held back at the threshold of a search, and at least at
#: that of this false match rate of one comparison
LOOKALIKE_FMR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Usable:
    """A photo with a face that may become a template: which one, and its vector."""

    photo: Analysis
    face: int
    vector: Embeddings
    quality: float | None = None


class Doubt(NamedTuple):
    """Why a face is held back, "" for no reason, and whom it looks like where that is why."""

    reason: str = ""
    person: str = ""


def enroll(
    gallery: Gallery,
    person: str,
    photo: Analysis,
    options: EnrollOptions,
    *,
    calibration: Calibration | None = None,
    run: str | None = None,
) -> Enrollment:
    """Enroll the face of a photo that the options mean, or say why it is held back or unusable.

    See ``enroll_together``.
    """
    (result,) = enroll_together(gallery, person, [photo], options, calibration=calibration, run=run)
    return result


def enroll_together(
    gallery: Gallery,
    person: str,
    photos: Sequence[Analysis | PhotoInfo],
    options: EnrollOptions,
    *,
    calibration: Calibration | None = None,
    elsewhere: Callable[[Analysis, int], Doubt] | None = None,
    quality: Callable[[Analysis, int], float] | None = None,
    run: str | None = None,
) -> Iterator[Enrollment]:
    """Enroll photos that are said to show one person; yield one result a photo, after its commit.

    Before anything is kept the photos are held against one another and against those that are
    enrolled: who is unlike the others is held back, and so are all when most do not show one
    person. photos: a PhotoInfo is one that is enrolled already. calibration: by which that and
    look-alikes are told; without one neither is. elsewhere: asked with a photo and its face, says
    whom it looks like beyond the space of its vector. quality: asked with a photo and its
    face where the options want some, says its number. run: see ``Gallery.enroll``.
    """
    name = person_name(person)
    usable = [_usable(gallery, name, photo, options, quality) for photo in photos]
    known = None if options.force else calibration
    fresh = [one for one in usable if isinstance(one, _Usable)]
    doubts: dict[int, Doubt] = {}
    if known is not None and fresh:
        vectors = Embeddings.joined([one.vector for one in fresh])
        digests = [one.photo.photo.digest for one in fresh]
        reasons = doubtful(gallery, name, vectors, known, digests)
        doubts = {id(one): Doubt(why) for one, why in zip(fresh, reasons, strict=True)}
    for one in usable:
        if isinstance(one, Enrollment):
            yield one
        else:
            doubt = doubts.get(id(one), Doubt())
            if elsewhere is not None and not doubt.reason and not options.force:
                doubt = elsewhere(one.photo, one.face)
            yield _kept(gallery, name, one, options, known, doubt, run)


def _usable(
    gallery: Gallery,
    person: str,
    photo: Analysis | PhotoInfo,
    options: EnrollOptions,
    quality: Callable[[Analysis, int], float] | None,
) -> _Usable | Enrollment:
    """Return the face of a photo that is to be enrolled, or why there is none."""
    if isinstance(photo, PhotoInfo):
        return Enrollment(photo.source, person, False, ALREADY)
    result = Enrollment(photo.photo.source, person, False)
    try:
        if photo.error is not None:
            raise photo.error
        index = choose(photo.faces, options.policy, result.image)
        result = replace(result, face_height=photo.faces[index].box.height)
        vector = big_enough(photo, index, options.min_height)
        if quality is not None and options.quality is not None:
            result = replace(result, quality=(number := quality(photo, index)))
            good_enough(number, options)
    except FacelignError as error:
        return replace(result, reason=str(error), failed=True)
    box = photo.faces[index].box
    where = (box.x1, box.y1, box.x2, box.y2)
    if gallery.was_rejected(person, photo.photo.digest, where):  # somebody has decided already
        return replace(result, reason=f"was rejected as {person}")
    return _Usable(photo, index, vector, result.quality)


def _kept(
    gallery: Gallery,
    person: str,
    one: _Usable,
    options: EnrollOptions,
    calibration: Calibration | None,
    doubt: Doubt,
    run: str | None,
) -> Enrollment:
    """Return what became of a face: a template, or why it is held back."""
    source, digest, face = one.photo.photo.source, one.photo.photo.digest, one.photo.faces[one.face]
    result = Enrollment(source, person, False, face_height=face.box.height, quality=one.quality)
    other = lookalike(gallery, person, one.vector, calibration)
    if other is not None:
        why = [looks_like(gallery, other, one.vector, calibration)]
        if doubt.reason and doubt.person != other.person:  # not the same one in another space
            why.append(doubt.reason)
        return replace(result, reason=" and ".join(why), held=True)
    if doubt.reason:
        return replace(result, reason=doubt.reason, held=True)
    try:
        ids = gallery.enroll(
            person,
            one.vector,
            photo=PhotoRef(source, digest),
            faces=[FaceRecord.of(face)],
            consent=options.consent,
            force=options.force,
            run=run,
        )
    except DuplicateTemplate as error:
        # The photo came twice in this run, or shows a face that is enrolled as another person's.
        if gallery.has_photo(digest, one.vector.space.id) == person:
            return replace(result, reason=ALREADY)
        reason = error.message.removeprefix(f"{source} ").rstrip(".")
        return replace(result, reason=reason, held=True)
    return replace(result, enrolled=True, template_ids=ids)


def big_enough(photo: Analysis, face: int, min_height: float) -> Embeddings:
    """Return the vector of a face; raises InputError when the face is too small for a template."""
    height, vector = photo.faces[face].box.height, photo.vector_of(face)
    if vector is None:
        raise InputError(f"The face cannot be aligned: {photo.reason_of(face)}.")
    if height < min_height:
        raise InputError(
            f"too small: the face is {height:.0f} px high, and {min_height:.0f} px are needed"
        )
    return vector


def good_enough(number: float, options: EnrollOptions) -> None:
    """Raise InputError when the quality of a face is under the one that is wanted."""
    if options.quality is not None and number < options.quality:
        raise InputError(
            f"too poor: the quality of the face is {number:.2f} by '{options.quality_model}', and "
            f"{options.quality:g} is wanted"
        )


# -- like another person -------------------------------------------------------------------------


def lookalike(
    gallery: Gallery, person: str, vector: Embeddings, calibration: Calibration | None
) -> Candidate | None:
    """Return another person whom the face matches, or None.

    The threshold is that of a search: it rises with the number of templates, so that the share of
    newcomers who are taken for somebody else does not (``search_threshold``).
    """
    if calibration is None:
        return None
    templates = gallery.searched(vector.space)
    limit = thresholds.search_threshold(
        calibration, templates, SEARCH_FPIR, verify_fmr=LOOKALIKE_FMR
    ).threshold.score
    nearest = gallery.search(vector, k=2)[0]
    return next((c for c in nearest if c.person != person and c.score >= limit), None)


def looks_like(
    gallery: Gallery, other: Candidate, vector: Embeddings, calibration: Calibration | None
) -> str:
    """Return whom a face looks like, by which photo, and whether that is the odd one of theirs."""
    ids, theirs = gallery.vectors(other.person, vector.space)
    at = ids.index(other.template_id)
    photo = next(i.photo for i in gallery.templates(other.person) if i.id == other.template_id)
    text = f"looks like {other.person} ({photo.reference})"
    rest = [place for place in range(len(ids)) if place != at]
    if calibration is not None and len(rest) > 1:
        scores = score_matrix(theirs.vectors, theirs.vectors, theirs.space.metric)
        if scores[at, rest].max() < one_person_at(calibration):
            text = f"{text[:-1]}, which is unlike the other photos of {other.person})"
    return text


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two enrolled people are: the score of their two most alike templates.

    threshold: from which score on two photos are taken for one person's.
    """

    score: float
    threshold: float
    space: str

    @property
    def alike(self) -> bool:
        """Whether they may be one person."""
        return self.score >= self.threshold


def likeness(gallery: Gallery, a: str, b: str) -> Likeness | None:
    """Return how alike two people are, or None where no calibrated space holds templates of both.

    Of several spaces the one counts in which they are most alike, by the distance to its threshold.
    """
    found = []
    for space in gallery.spaces():
        (_, ours), (_, theirs) = (gallery.vectors(name, space.space) for name in (a, b))
        calibration = gallery.calibration(space.id) or shipped(space.id)
        if calibration is None or not len(ours) or not len(theirs):
            continue
        best = float(score_matrix(ours.vectors, theirs.vectors, ours.space.metric).max())
        found.append(Likeness(best, one_person_at(calibration), space.id))
    return max(found, key=lambda one: one.score - one.threshold, default=None)


# -- one person ----------------------------------------------------------------------------------


def one_person_at(calibration: Calibration) -> float:
    """Return the score from which two photos are taken for one person's: that of verify.

    A record of few people ends at a larger rate: the strictest that it can vouch for.
    """
    rate = max(VERIFY_FMR, thresholds.evidence_ends(calibration))
    return thresholds.threshold(calibration, min(rate, 1.0)).score


def doubtful(
    gallery: Gallery,
    person: str,
    vectors: Embeddings,
    calibration: Calibration,
    digests: Sequence[str],
) -> list[str]:
    """Return why each of n photos should not be enrolled as one person's, or "".

    digests: (n) of the photos; the same bytes count once. Templates of the person that are there
    are trusted: a photo has to be like one of them, or like a photo that is. Where there is none,
    the photo that is like most others stands for the person if these are more than half of all.
    """
    _, kept = gallery.vectors(person, vectors.space)
    limit = one_person_at(calibration)
    alike = score_matrix(vectors.vectors, vectors.vectors, vectors.space.metric) >= limit
    if len(kept):
        like_kept = score_matrix(vectors.vectors, kept.vectors, kept.space.metric) >= limit
        ours: BoolArray = np.atleast_1d(like_kept.any(axis=1))
    else:
        once = np.unique(np.array(digests), return_index=True)[1]
        most = once[int(np.argmax(alike[np.ix_(once, once)].sum(axis=1)))]
        ours = alike[most].copy()
        if 2 * np.count_nonzero(ours[once]) <= len(once) and len(once) > 1:
            count = _people(alike[np.ix_(once, once)])
            return [f"the photos of {person} look like {count} people"] * len(vectors)
    ours |= alike[:, ours].any(axis=1)
    return ["" if one else f"unlike the other photos of {person}" for one in ours]


def _people(alike: AnyArray) -> int:
    """Return how many people n photos show, (n, n) saying who is like whom: the largest first."""
    left, count = np.ones(len(alike), bool), 0
    while left.any():
        most = int(np.argmax((alike & left).sum(axis=1) * left))
        left &= ~alike[most]
        left[most] = False
        count += 1
    return count
