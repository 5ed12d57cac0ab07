"""Whether a face becomes a template: policy, size, look-alikes, duplicates."""

from __future__ import annotations

from dataclasses import replace

from facelign.compare import thresholds
from facelign.errors import DuplicateTemplate, FacelignError, InputError
from facelign.gallery.gallery import Gallery
from facelign.recognition.options import ALREADY, EnrollOptions
from facelign.recognition.results import Enrollment
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.calibrations import Calibration
from facelign.types.embeddings import Embeddings
from facelign.types.templates import FaceRecord, PhotoRef, person_name

#: at this false match rate a face that resembles another person is held back at enrollment
LOOKALIKE_FMR = 1e-4


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

    calibration: by which look-alikes are told; without one nobody is. run: see ``Gallery.enroll``.
    """
    source, digest, person = photo.photo.source, photo.photo.digest, person_name(person)
    result = Enrollment(source, person, False)
    try:
        if photo.error is not None:
            raise photo.error
        index = choose(photo.faces, options.policy, source)
        result = replace(result, face_height=photo.faces[index].box.height)
        vector = big_enough(photo, index, options.min_height)
    except FacelignError as error:
        return replace(result, reason=str(error), failed=True)
    other = None if options.force else lookalike(gallery, person, vector, calibration)
    if other is not None:
        return replace(result, reason=f"looks like {other}")
    try:
        ids = gallery.enroll(
            person,
            vector,
            photo=PhotoRef(source, digest),
            faces=[FaceRecord.of(photo.faces[index])],
            consent=options.consent,
            force=options.force,
            run=run,
        )
    except DuplicateTemplate as error:
        # The photo came twice in this run, shows a face that is enrolled as another person's,
        # or was rejected as this person's.
        same = gallery.has_photo(digest, vector.space.id) == person
        reason = ALREADY if same else error.message.removeprefix(f"{source} ").rstrip(".")
        return replace(result, reason=reason)
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


def lookalike(
    gallery: Gallery, person: str, vector: Embeddings, calibration: Calibration | None
) -> str | None:
    """Return another person whom the face matches at FMR 1e-4, or None."""
    if calibration is None:
        return None
    # a record of few people ends at a larger rate: the strictest that it can vouch for
    rate = max(LOOKALIKE_FMR, thresholds.evidence_ends(calibration))
    limit = thresholds.threshold(calibration, min(rate, 1.0)).score
    nearest = gallery.search(vector, k=2)[0]
    return next((c.person for c in nearest if c.person != person and c.score >= limit), None)
