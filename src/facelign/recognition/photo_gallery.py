"""A recognizer and a gallery together: people are enrolled from photos and named in photos."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from uuid import uuid4

from facelign.compare import calibrations
from facelign.errors import BadArray, GalleryError, InputError
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.migrations import calibration_path
from facelign.imaging.read import is_photo
from facelign.recognition.naming import decide, limit_of, living, one_name_each
from facelign.recognition.options import EnrollOptions, IdentifyOptions
from facelign.recognition.recognizer import Photo, Recognizer, several
from facelign.recognition.results import Enrollment, Identification, IdentifiedFace
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.arrays import AnyArray
from facelign.types.calibrations import Calibration
from facelign.types.closing import Closing
from facelign.types.decisions import CandidateList, SearchThreshold
from facelign.types.embeddings import Embeddings, same_space
from facelign.types.liveness import LiveAnswer
from facelign.types.templates import Checkup, Person, Receipt, person_name

#: photos of one person that are looked at before they are kept: memory does not grow with more
_TOGETHER = 1000


class PhotoGallery(Closing):
    """A gallery that speaks photos. ``facelign.open_gallery`` returns one.

    Examples:
        >>> with open_gallery("family.db") as gallery:  # doctest: +SKIP
        ...     gallery.enroll("Eileen", ["eileen1.jpg", "eileen2.jpg"])
        ...     [face.person for face in gallery.identify("party.jpg").faces]
        ['Eileen', None]
    """

    def __init__(
        self,
        gallery: Gallery | str | Path,
        recognizer: Recognizer | None = None,
        *,
        create: bool = True,
        readonly: bool = False,
    ) -> None:
        if recognizer is not None:
            recognizer.prepare()  # while the gallery is opened and the first photo looked at
        if not isinstance(gallery, Gallery):
            gallery = Gallery.open(Path(gallery), create=create, readonly=readonly)
        self.gallery = gallery
        self.recognizer = recognizer or Recognizer()
        self._calibration: tuple[Calibration | None] | None = None  # not looked for yet

    def __repr__(self) -> str:
        where = self.gallery.store.location
        place = "in memory" if where is None else repr(str(where))
        return f"PhotoGallery({place}, {self.recognizer!r})"

    def close(self) -> None:
        """Close the gallery file."""
        self.gallery.close()

    def people(self) -> list[Person]:
        """Return everybody who is enrolled, by name."""
        return self.gallery.people()

    def remove(self, person: str) -> Receipt:
        """Remove a person from the bytes of gallery and cache, and return the proof."""
        return self.gallery.remove(person, cache=self.recognizer.cache)

    def check(self) -> Checkup:
        """Look the whole gallery through for damage, without changing it."""
        return self.gallery.check()

    def backup(self, path: str | Path, *, replace: bool = False) -> Checkup:
        """Copy the gallery to a file, also while others write; see ``Gallery.backup``."""
        return self.gallery.backup(path, replace=replace)

    # -- enrollment ------------------------------------------------------------------------------

    def enroll(
        self,
        person: str,
        photos: Photo | Iterable[Photo],
        options: EnrollOptions | None = None,
    ) -> list[Enrollment]:
        """Enroll photos of one person; one result a photo, in order, each committed by itself."""
        every = [photos] if is_photo(photos) else several(photos)
        return list(self.enroll_many([(person, photo) for photo in every], options))

    def enroll_many(
        self,
        jobs: Iterable[tuple[str, Photo]],
        options: EnrollOptions | None = None,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Enrollment]:
        """Yield one result a (person, photo), in order, after its commit.

        Photos of one person that follow one another are looked at before any of them is kept, so
        that one that does not show the person is told (``enrolling.enroll_together``).
        Names are taken as they are kept (``person_name``); raises ConfigError for one that cannot
        be.
        """
        from facelign.recognition.elsewhere import Elsewhere
        from facelign.recognition.enrolling import Doubt, enroll_together
        from facelign.recognition.judging import Judge

        options = options or EnrollOptions()
        store = self.recognizer.chain.store
        judge = None if options.quality is None else Judge(options.quality_model, store)
        named = (((person_name(person), photo), photo) for person, photo in jobs)
        elsewhere = Elsewhere(self.gallery, self.recognizer)
        run = uuid4().hex  # one call is one change: undo takes it back as a whole
        space = self.recognizer.space.id

        def holds(job: tuple[str, Photo], digest: str) -> bool:
            return self.gallery.has_photo(digest, space) == job[0]

        if self.recognizer.cache is not None:
            self.gallery.hold_cache(self.recognizer.cache)
        known = None if options.force else holds
        evidence = None if options.force else self.calibration
        carried = self.recognizer.carry(named, known=known, done=done)
        for person, group in groupby(carried, key=lambda done: done[0][0]):
            while some := list(islice(group, _TOGETHER)):
                sources = {id(found): photo for (_, photo), found in some}

                def like(found: Analysis, face: int, who: str = person) -> Doubt:
                    return elsewhere.like(who, sources[id(found)], found, face)  # noqa: B023 - now

                def number(found: Analysis, face: int) -> float:
                    assert judge is not None  # noqa: S101 - it is asked where there is one
                    photo = sources[id(found)]  # noqa: B023 - now
                    faces = found.faces[face : face + 1]
                    return float(judge.numbers(self.recognizer.read(photo), faces)[0])

                yield from enroll_together(
                    self.gallery,
                    person,
                    [found for _, found in some],
                    options,
                    calibration=evidence,
                    elsewhere=like,
                    quality=None if judge is None else number,
                    run=run,
                )

    # -- identification --------------------------------------------------------------------------

    def identify(
        self, photo: Photo | Analysis, options: IdentifyOptions | None = None
    ) -> Identification:
        """Return every face of a photo with its name or the reason why it has none.

        photo: also what was found in it already.
        Raises InputError for a photo that cannot be used, SpaceMismatch and NoCalibration.
        """
        if not isinstance(photo, Analysis):
            found = self.recognizer.analyze_one(photo)
        else:
            found = photo if photo.embeddings is not None else self.recognizer.embed(photo)
        check = None if options is None else self.recognizer.live_check(options.live)
        if check is not None and len(found.live) != len(found.faces):
            if found.image is None and not isinstance(photo, Analysis):  # it came out of the cache
                found = replace(found, image=self.recognizer.read(photo))
            found = check.of(found)
        return self.name_faces(found, options)

    def identify_many(
        self,
        photos: Iterable[Photo],
        options: IdentifyOptions | None = None,
        *,
        keep: bool = False,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Identification]:
        """Yield one Identification a photo, in order; ``error`` says why a photo gave nothing."""
        check = None if options is None else self.recognizer.live_check(options.live)
        for analysis in self.recognizer.stream(photos, keep=keep, live=check, done=done):
            if analysis.error is not None:
                yield Identification(analysis, (), analysis.error)
                continue
            try:
                yield self.name_faces(analysis, options)
            except InputError as error:  # no one face where the policy wants one
                yield Identification(analysis, (), error)

    def name_faces(
        self, analysis: Analysis, options: IdentifyOptions | None = None
    ) -> Identification:
        """Return every face of a photo that was analyzed before with its name or the reason."""
        options, faces = options or IdentifyOptions(), analysis.faces
        vectors, photo = analysis.embeddings, analysis.photo
        if vectors is None:
            vectors = Embeddings.none(self.recognizer.space)
        boxes = faces.boxes[analysis.embedded]
        found, limit, size, away = self._searched(vectors, options, photo.digest, boxes)
        wanted: Sequence[int] = range(len(faces))
        if options.policy is not None and len(faces):
            wanted = [choose(faces, options.policy, photo.source)]
        without = (CandidateList((), None, "", None, size), None)
        live: Sequence[LiveAnswer | None] = analysis.live or [None] * len(faces)
        asked, answers = [faces[i] for i in wanted], []
        for face in asked:
            place, why = analysis.place_of(face.index), analysis.reason_of(face.index)
            searched, name = without if place is None else found[place]
            height = face.box.height
            answer = decide(searched, limit, options, height, unaligned=why, suggested=name)
            answers.append(living(answer, live[face.index], options.live))
        named = zip(asked, one_name_each(answers), strict=True)
        return Identification(
            analysis,
            tuple(IdentifiedFace(face, answer, live[face.index]) for face, answer in named),
            people_elsewhere=away,
        )

    def name(
        self,
        embeddings: Embeddings,
        heights: Sequence[float] | None = None,
        options: IdentifyOptions | None = None,
        *,
        photo_digest: str = "",
    ) -> list[CandidateList]:
        """Return the answer for each of n vectors, as a track or a request has them.

        heights: (n,) of the faces, px, or None where nobody measured them: then none is too small.
        photo_digest: of the photo they come from; people who were rejected for it are left out.
        Each vector is named by itself; ``naming.one_name_each`` is for faces of one photo.
        ``options.policy`` chooses among faces of a photo, and is not asked. Vectors say nothing of
        living faces: where those are required, nobody is named.

        Example:
            >>> found = gallery.recognizer.embed(tracked)  # doctest: +SKIP
            >>> [a.person for a in gallery.name(found.embeddings)]  # doctest: +SKIP
            ['Eileen', None]
        """
        options = options or IdentifyOptions()
        same_space(embeddings.space.id, self.recognizer.space.id, "this recognizer")
        if heights is not None and len(heights) != len(embeddings):
            raise BadArray(f"heights: wanted {len(embeddings)}, got {len(heights)}.")
        found, limit, *_ = self._searched(embeddings, options, photo_digest)
        tall = [None] * len(found) if heights is None else [float(px) for px in heights]
        return [
            living(decide(searched, limit, options, height, suggested=name), None, options.live)
            for (searched, name), height in zip(found, tall, strict=True)
        ]

    def _searched(
        self,
        vectors: Embeddings,
        options: IdentifyOptions,
        digest: str = "",
        boxes: AnyArray | None = None,
    ) -> tuple[list[tuple[CandidateList, str | None]], SearchThreshold | None, int, int]:
        """Return what the gallery, and the classifier if there is one, say about each vector; the
        threshold; how many templates were searched; how many people lie in other spaces only.

        Raises SpaceMismatch when the gallery holds other spaces only, and NoCalibration.
        """
        rule, space = options.classifier, vectors.space.id
        # the classifier may name anybody, whose templates then have to be among the candidates
        found, size, away = self.gallery.candidates(
            vectors,
            k=max(options.top_k, 2) if rule is None else None,
            mode=options.mode,
            photo_digest=digest,
            boxes=boxes,
        )
        asked = options.threshold is None and options.calibration is None and size[1]
        limit = limit_of(options, self.calibration if asked else None, space, size)
        names: Sequence[str | None] = [None] * len(found)
        if rule is not None:
            if rule.revision != self.gallery.revision:
                raise GalleryError(
                    "The gallery has changed since its classifier was fitted.",
                    "Fit it again: facelign people classifier",
                )
            if found and size[1]:
                names = rule.names(vectors.vectors, space)
        return list(zip(found, names, strict=True)), limit, size[1], away

    def limit(self, options: IdentifyOptions | None = None) -> SearchThreshold | None:
        """Return the threshold that names faces now; None while nobody can be found.

        It follows the size of the gallery. Raises SpaceMismatch and NoCalibration.
        """
        nothing = Embeddings.none(self.recognizer.space)
        return self._searched(nothing, options or IdentifyOptions())[1]

    @property
    def calibration(self) -> Calibration | None:
        """The gallery's own record of this space if there is one, else that of the recognizer.

        One made on its owner's photos by ``facelign calibrate --gallery`` says more about them than
        a record that ships with facelign. Without one in the gallery, ``GALLERY.calibration.json``
        beside it is taken, as older versions wrote it.
        """
        if self._calibration is None:
            own = self.gallery.calibration(self.recognizer.space.id)
            location = self.gallery.store.location
            if own is None and location is not None:
                path = calibration_path(location)
                own = calibrations.load(path) if path.is_file() else None
            self._calibration = (own,)
        (own,) = self._calibration
        if own is not None and own.space == self.recognizer.space.id:
            return own
        return self.recognizer.calibration


def open_gallery(
    path: str | Path, recognizer: Recognizer | None = None, *, create: bool | None = None
) -> PhotoGallery:
    """Return the gallery at ``path`` with a recognizer.

    recognizer: its preset decides the space of the vectors; default: ``Recognizer()``. create:
    whether a gallery that is not there is made. Where nobody says so it is made too, with a
    FutureWarning, since a name may be misspelled; a later version will ask for ``create=True``.
    Raises GalleryError when there is none and ``create`` is False.
    """
    if create is None and not Path(path).expanduser().exists():
        warnings.warn(
            f"There is no gallery at {path}, and a new one is made. Say create=True if that is "
            "meant; a later version of facelign asks for it.",
            FutureWarning,
            stacklevel=2,
        )
    return PhotoGallery(path, recognizer, create=create is not False)
