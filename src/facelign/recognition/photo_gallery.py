"""A recognizer and a gallery together: people are enrolled from photos and named in photos."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from uuid import uuid4

import numpy as np

from facelign.compare import calibrations, thresholds
from facelign.errors import (
    DuplicateTemplate,
    FacelignError,
    GalleryError,
    InputError,
    NoCalibration,
)
from facelign.gallery.gallery import Gallery
from facelign.gallery.records import (
    FaceRecord,
    Person,
    PersonScore,
    PhotoRef,
    Receipt,
)
from facelign.recognition.options import EnrollOptions as EnrollOptions
from facelign.recognition.options import IdentifyOptions as IdentifyOptions
from facelign.recognition.recognizer import Photo, Recognizer
from facelign.recognition.results import Analysis, Enrollment, Identification, IdentifiedFace
from facelign.recognition.selection import choose
from facelign.types.calibrations import Calibration
from facelign.types.decisions import Candidate, CandidateList, SearchThreshold
from facelign.types.embeddings import Embeddings, same_space
from facelign.types.policies import TemplateMode

#: at this false match rate a face that resembles another person is held back at enrollment
LOOKALIKE_FMR = 1e-4
ALREADY = "already enrolled"


class PhotoGallery:
    """A gallery that speaks photos. ``facelign.open_gallery`` returns one.

    Examples:
        >>> with open_gallery("family.db") as gallery:  # doctest: +SKIP
        ...     gallery.enroll("Eileen", ["eileen1.jpg", "eileen2.jpg"])
        ...     [face.person for face in gallery.identify("party.jpg").faces]
        ['Eileen', None]
    """

    def __init__(
        self,
        path: str | Path,
        recognizer: Recognizer | None = None,
        *,
        create: bool = True,
        readonly: bool = False,
    ) -> None:
        if recognizer is not None:
            recognizer.prepare()  # while the gallery is opened and the first photo looked at
        self.gallery = Gallery.open(Path(path), create=create, readonly=readonly)
        self.recognizer = recognizer or Recognizer()
        self._beside: tuple[Calibration | None] | None = None  # not looked for yet

    def __enter__(self) -> PhotoGallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the gallery file."""
        self.gallery.close()

    def people(self) -> list[Person]:
        """Return everybody who is enrolled, by name."""
        return self.gallery.people()

    def remove(self, person: str) -> Receipt:
        """Remove a person from the bytes of gallery and cache, and return the proof."""
        cache = self.recognizer.cache
        return self.gallery.remove(person, cache=cache)

    # -- enrollment ------------------------------------------------------------------------------

    def enroll(
        self,
        person: str,
        photos: Photo | Sequence[Photo],
        options: EnrollOptions | None = None,
    ) -> list[Enrollment]:
        """Enroll photos of one person; one result a photo, in order, each committed by itself."""
        several: Iterable[Photo] = photos if isinstance(photos, list | tuple) else [photos]  # type: ignore[list-item]
        return list(self.enroll_many([(person, photo) for photo in several], options))

    def enroll_many(
        self,
        jobs: Iterable[tuple[str, Photo]],
        options: EnrollOptions | None = None,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Enrollment]:
        """Yield one result a (person, photo), in order, after its commit."""
        options = options or EnrollOptions()
        run = uuid4().hex  # one call is one change: undo takes it back as a whole
        order: deque[tuple[str, Enrollment | None]] = deque()

        def unknown() -> Iterator[Photo]:
            # Photos that are enrolled already need no second look; their place is kept.
            for person, photo in jobs:
                known = None if options.force else self._known(person, photo)
                order.append((person, known))
                if known is None:
                    yield photo

        def settled() -> Iterator[Enrollment]:
            while order and order[0][1] is not None:
                result = order.popleft()[1]
                if result is not None:
                    yield result

        for analysis in self.recognizer.stream(unknown()):
            for result in settled():
                yield _told(result, done)
            person, _ = order.popleft()
            yield _told(self._enroll(person, analysis, options, run), done)
        for result in settled():
            yield _told(result, done)

    def _known(self, person: str, photo: Photo) -> Enrollment | None:
        if not isinstance(photo, str | Path):
            return None
        try:
            digest = hashlib.sha256(Path(photo).read_bytes()).hexdigest()
        except OSError:
            return None  # reading it again says what is wrong
        holder = self.gallery.has_photo(digest, self.recognizer.space.id)
        return Enrollment(str(photo), person, False, ALREADY) if holder == person else None

    def _enroll(
        self, person: str, analysis: Analysis, options: EnrollOptions, run: str
    ) -> Enrollment:
        source = analysis.photo.source
        height: float | None = None
        try:
            if analysis.error is not None:
                raise analysis.error
            choice = choose(analysis.faces, options.policy, source)
            face = analysis.faces[choice.index]
            height = face.box.height
            vector = analysis.vector_of(choice.index)
            if vector is None:
                raise InputError(f"The face cannot be aligned: {analysis.reason_of(choice.index)}.")
            if height < options.min_height:
                raise InputError(
                    f"too small: the face is {height:.0f} px high, and "
                    f"{options.min_height:.0f} px are needed"
                )
        except FacelignError as error:
            return Enrollment(source, person, False, str(error), True, face_height=height)
        if not options.force:
            other = self._lookalike(person, vector)
            if other is not None:
                reason = f"looks like {other}"
                return Enrollment(source, person, False, reason, face_height=height)
        try:
            ids = self.gallery.enroll(
                person,
                vector,
                photo=PhotoRef(source, analysis.photo.digest),
                faces=[FaceRecord.of(face)],
                consent=options.consent,
                force=options.force,
                run=run,
            )
        except DuplicateTemplate as error:
            # The photo came twice in this run, shows a face that is enrolled as another person's,
            # or was rejected as this person's.
            same = self.gallery.has_photo(analysis.photo.digest, vector.space.id) == person
            reason = ALREADY if same else error.message.removeprefix(f"{source} ").rstrip(".")
            return Enrollment(source, person, False, reason, face_height=height)
        return Enrollment(source, person, True, "", False, ids, height)

    def _lookalike(self, person: str, vector: Embeddings) -> str | None:
        """Return another person whom the face matches at FMR 1e-4, or None."""
        calibration = self.calibration
        if calibration is None:
            return None
        # a record of few people ends at a larger rate: the strictest that it can vouch for
        rate = max(LOOKALIKE_FMR, thresholds.evidence_ends(calibration))
        limit = thresholds.threshold(calibration, min(rate, 1.0)).score
        found = self.gallery.search(vector, k=2)[0]
        return next((c.person for c in found if c.person != person and c.score >= limit), None)

    # -- identification --------------------------------------------------------------------------

    def identify(self, photo: Photo, options: IdentifyOptions | None = None) -> Identification:
        """Return every face of a photo with its name or the reason why it has none.

        Raises InputError for a photo that cannot be used, SpaceMismatch and NoCalibration.
        """
        return self._name(self.recognizer.analyze(photo), options or IdentifyOptions())

    def identify_many(
        self,
        photos: Iterable[Photo],
        options: IdentifyOptions | None = None,
        *,
        keep: bool = False,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Identification]:
        """Yield one Identification a photo, in order; ``error`` says why a photo gave nothing."""
        options = options or IdentifyOptions()
        for analysis in self.recognizer.stream(photos, keep=keep, done=done):
            if analysis.error is not None:
                yield Identification(analysis, (), analysis.error)
                continue
            try:
                named = self._name(analysis, options)
            except InputError as error:  # no one face where the policy wants one
                named = Identification(analysis, (), error)
            yield named

    def _name(self, analysis: Analysis, options: IdentifyOptions) -> Identification:
        people, templates = self._size()
        limit = options.threshold
        if limit is None and templates:
            # A mean is one comparison a person, the best template one a template.
            compared = templates if options.mode is TemplateMode.BEST else people
            limit = self._threshold(options, compared)
        wanted = range(len(analysis.faces))
        if options.policy is not None and len(analysis.faces):
            wanted = range(0)
            index = choose(analysis.faces, options.policy, analysis.photo.source).index
            wanted = range(index, index + 1)
        scores: dict[int, Sequence[PersonScore]] = {}
        said: dict[int, str] = {}
        rule = options.classifier
        if rule is not None and rule.revision != self.gallery.revision:
            raise GalleryError(
                "The gallery has changed since its classifier was fitted.",
                "Fit it again: facelign people classifier",
            )
        if analysis.embeddings is not None and len(analysis.embeddings) and templates:
            found = self.gallery.search(
                analysis.embeddings,
                # the classifier may name anybody, whose templates then have to be among the scores
                k=max(options.top_k, 2) if rule is None else people,
                mode=options.mode,
                photo_digest=analysis.photo.digest,
            )
            at = [int(i) for i in analysis.embedded]
            scores = dict(zip(at, found, strict=True))
            if rule is not None:
                vectors = analysis.embeddings
                said = dict(zip(at, rule.names(vectors.vectors, vectors.space.id), strict=True))
        answers = [
            self._answer(
                analysis, index, scores.get(index, ()), said.get(index), limit, options, templates
            )
            for index in wanted
        ]
        faces = [
            IdentifiedFace(analysis.faces[index], answer)
            for index, answer in zip(wanted, _one_name_each(answers), strict=True)
        ]
        return Identification(analysis, tuple(faces))

    def _answer(
        self,
        analysis: Analysis,
        index: int,
        scores: Sequence[PersonScore],
        said: str | None,
        limit: SearchThreshold | None,
        options: IdentifyOptions,
        templates: int,
    ) -> CandidateList:
        candidates = tuple(
            Candidate(rank, s.person, s.template_id, s.score, s.distance)
            for rank, s in enumerate(scores, start=1)
            if rank <= options.top_k or s.person == said
        )
        margin = scores[0].score - scores[1].score if len(scores) > 1 else None
        height = analysis.faces[index].box.height
        dropped = analysis.reason_of(index)
        person, reason = None, ""
        chosen = next((s for s in scores if said is None or s.person == said), None)
        if dropped:
            reason = f"the face cannot be aligned: {dropped}"
        elif height < options.min_height:
            reason = f"too small: {height:.0f} px of {options.min_height:.0f} px needed"
        elif chosen is None or limit is None:
            reason = "nobody is enrolled" if not templates else "no candidate"
        elif chosen.score < limit.threshold.score:
            reason = "below the threshold"
        else:
            person = chosen.person
        return CandidateList(candidates, person, reason, limit, templates, margin)

    def _size(self) -> tuple[int, int]:
        """Return (people, templates) of this space; raises SpaceMismatch when only others exist."""
        space = self.recognizer.space.id
        people, templates = self.gallery.count(space)
        if not templates:
            self.gallery.require_space(space)
        return people, templates

    @property
    def calibration(self) -> Calibration | None:
        """The record beside the gallery if it is of this space, else that of the recognizer.

        ``GALLERY.calibration.json`` beside a gallery was made on its owner's photos by ``facelign
        calibrate``, and says more about them than a record that ships with facelign.
        """
        if self._beside is None:
            path = calibration_path(self.gallery.path)
            found = calibrations.load(path) if path.is_file() else None
            self._beside = (found,)
        (beside,) = self._beside
        if beside is not None and beside.space == self.recognizer.space.id:
            return beside
        return self.recognizer.calibration

    def _threshold(self, options: IdentifyOptions, compared: int) -> SearchThreshold:
        calibration = options.calibration or self.calibration
        if calibration is None:
            raise NoCalibration(
                f"Space '{self.recognizer.space.id}' is uncalibrated: no threshold has evidence.",
                "Give one with --threshold, or make one with 'facelign calibrate'.",
            )
        same_space(self.recognizer.space.id, calibration.space, f"calibration '{calibration.id}'")
        return thresholds.search_threshold(calibration, compared, options.fpir)


def calibration_path(gallery: Path) -> Path:
    """Return where the calibration of a gallery lies: beside it, its name with an ending."""
    return gallery.with_name(f"{gallery.name}.calibration.json")


def open_gallery(path: str | Path, recognizer: Recognizer | None = None) -> PhotoGallery:
    """Return the gallery at ``path`` (made when it is not there) with a recognizer.

    recognizer: its preset decides the space of the vectors; default: ``Recognizer()``.
    """
    return PhotoGallery(path, recognizer)


def _one_name_each(answers: Sequence[CandidateList]) -> list[CandidateList]:
    """Return answers in which no person stands twice: the best score keeps the name."""
    best: dict[str, int] = {}
    for place in np.argsort([-_top(a) for a in answers], kind="stable"):
        person = answers[place].person
        if person is not None:
            best.setdefault(person, int(place))
    result = []
    for place, answer in enumerate(answers):
        if answer.person is not None and best[answer.person] != place:
            reason = f"another face of this photo is more like {answer.person}"
            answer = replace(answer, person=None, reason=reason)
        result.append(answer)
    return result


def _top(answer: CandidateList) -> float:
    return answer.candidates[0].score if answer.candidates else float("-inf")


def _told(result: Enrollment, done: Callable[[int], None] | None) -> Enrollment:
    if done:
        done(1)
    return result
