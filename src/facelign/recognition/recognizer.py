"""The recognizer: photos in; faces, vectors and decisions out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TypeVar, overload

import numpy as np

from facelign.compare import calibrations, scores, thresholds
from facelign.errors import BadArray, FacelignError, InputError, NoCalibration, NoFace, Remedy
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import DEFAULT, Encoded, Limits, Source, is_photo, opened, refusal
from facelign.jobs.stream import Ledger, processors, stream
from facelign.models.weights.store import Store
from facelign.recognition.chain import Chain
from facelign.recognition.embedding import cut, embed, whole
from facelign.recognition.judging import LiveCheck
from facelign.recognition.looks import Looks
from facelign.recognition.options import DEFAULT_PRESET, ChainOptions, LiveOptions
from facelign.recognition.presets import Part, Preset
from facelign.recognition.presets import preset as preset_of
from facelign.recognition.results import Comparison
from facelign.recognition.selection import choose
from facelign.runtime.onnx import OnnxOptions
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.calibrations import Calibration
from facelign.types.decisions import Decision, Threshold
from facelign.types.embeddings import Embeddings, Space
from facelign.types.image import Image
from facelign.types.policies import VERIFY_FMR, FacePolicy, LiveMode

Photo = Source
T = TypeVar("T")


class Stage(IntEnum):
    """How far up the stairs a photo is carried."""

    DETECT = 1
    ALIGN = 2
    EMBED = 3


@dataclass(frozen=True, slots=True)
class Walk:
    """How photos are carried.

    until: the last stage that is wanted. keep: keep pixels and chips in the results. whole: look
    for no face, the whole photo is taken for one chip (sets of chips; photos without a face). live:
    tells whether faces are living persons', where that is asked.
    """

    until: Stage = Stage.EMBED
    keep: bool = False
    whole: bool = False
    live: LiveCheck | None = None


class Recognizer:
    """Detects, aligns, embeds and verifies; safe to share by threads.

    preset: "default", "fast", "accurate" or "dlib". detector, landmarker, model: another model for
    that stage, by id. flip: average each vector with that of the mirrored face. options: the rest
    (layout, preprocessing, downscale, tries). cache: where vectors of photos are kept, or None.
    workers: photos looked at at a time (default: the processors this process may use). limits: the
    largest file and the largest picture that are read.

    Raises WeightsMissing when a model is absent, UnknownModel and ModelMismatch for a chain that
    cannot be.

    Examples:
        >>> recognizer = Recognizer()  # doctest: +SKIP
        >>> recognizer.verify("a.jpg", "b.jpg").is_match  # doctest: +SKIP
        True
    """

    def __init__(
        self,
        preset: str | Preset = DEFAULT_PRESET,
        *,
        detector: str | None = None,
        model: str | None = None,
        landmarker: str | None = None,
        flip: bool | None = None,
        options: ChainOptions | None = None,
        store: Store | None = None,
        engine: OnnxOptions | None = None,
        cache: VectorCache | None = None,
        calibration: Calibration | None = None,
        workers: int | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        chosen = preset_of(preset) if isinstance(preset, str) else preset
        chosen = _changed(chosen, detector, model, landmarker, flip)
        store, engine = store or Store.from_environment(), engine or OnnxOptions()
        self.chain = Chain(chosen, options or ChainOptions(), store, engine)
        self.cache = cache
        self.workers = workers or processors()
        self.limits = limits
        #: what was read and found of the photos at hand, where recognizers share it
        self.looks: Looks | None = None
        self._calibration = calibration
        self._prepared = False
        self._live_checks: dict[tuple[str, str | None], LiveCheck] = {}

    def __repr__(self) -> str:
        models = ", ".join(model for _, model in self.chain.preset.models)
        return f"Recognizer({self.chain.preset.id!r}: {models})"

    def prepare(self) -> None:
        """Begin to open the networks that embed, beside what else there is to do at a start.

        Returns at once; the first photo waits less for it. Without a second worker nothing is
        done. What is wrong with a model is raised where the model is used.
        """
        if self.workers > 1 and not self._prepared:
            self._prepared = True
            threading.Thread(target=self._open, name="facelign-prepare").start()

    def _open(self) -> None:
        with contextlib.suppress(Exception):  # it is raised again where the model is used
            self.chain.embedder.prepare()

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return self.chain.space

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the space, or None ("uncalibrated")."""
        if self._calibration is None:
            # A record of this detector is better evidence than one of another; any is better
            # than none, and the answer names the chain that was measured.
            detector, shipped = {"detector": self.chain.preset.detector}, calibrations.shipped
            self._calibration = shipped(self.space.id, detector) or shipped(self.space.id)
        return self._calibration

    # -- one photo, step by step -----------------------------------------------------------------

    def read(self, photo: Photo) -> Image:
        """Return the photo as an upright Image, decoded no larger than the detector needs."""
        return self._decoded(self._opened(photo))

    def find(self, photo: Photo) -> Analysis:
        """Return the faces of a photo or frame with their points, and what was tried to find them.

        The pixels are kept, so that ``embed`` can go on from here.
        """
        return self.chain.finder.find(self.read(photo))

    detect = find

    def glance(self, frame: Image) -> Analysis:
        """Return the faces of a frame sooner than ``find``, with points that may be less exact.

        Nothing is tried where no face is found. ``closer`` makes the points of some exact.
        """
        return self.chain.finder.glance(frame)

    def closer(self, found: Analysis) -> Analysis:
        """Return what ``glance`` found, or some of its faces, with the points of ``find``."""
        return self.chain.finder.closer(found)

    def align(self, photo: Photo) -> Analysis:
        """Return a photo up to its chips."""
        return self._cut(self.find(photo))

    def embed(self, found: Analysis | Photo) -> Analysis:
        """Return what ``find`` or ``align`` returned, with the vectors of its faces.

        A photo is looked through first. A tracker that wants some of the faces says
        ``replace(found, faces=found.faces[mask])``.
        """
        if not isinstance(found, Analysis):
            found = self.find(found)
        aligned = found if found.chips else self._cut(found)
        return embed(self.chain.embedder, [aligned])[0]

    # -- photos ----------------------------------------------------------------------------------

    @overload
    def analyze(self, photos: Photo) -> Analysis: ...  # type: ignore[overload-overlap] # a str is one photo
    @overload
    def analyze(self, photos: Iterable[Photo]) -> Iterator[Analysis]: ...
    def analyze(self, photos: Photo | Iterable[Photo]) -> Analysis | Iterator[Analysis]:
        """Return all faces of a photo with their vectors; an iterator for several photos.

        A single photo that cannot be used raises InputError. Of several, each gives one Analysis,
        in order; ``error`` says why a photo gave nothing.
        """
        return self.analyze_one(photos) if is_photo(photos) else self.stream(several(photos))

    def analyze_one(self, photo: Photo) -> Analysis:
        """Return all faces of a photo with their vectors; raises InputError also for a list."""
        return self._one(photo)

    def stream(
        self,
        photos: Iterable[Photo],
        *,
        until: Stage = Stage.EMBED,
        keep: bool = False,
        live: LiveCheck | None = None,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Analysis]:
        """Yield one Analysis a photo, in order, several photos at a time; memory stays flat.

        until: the last stage that is wanted. keep: keep pixels and chips in the results. live:
        tells of each face whether it is a living person's (``live_check``). done: called with the
        number of photos done.
        """
        jobs = ((None, photo) for photo in several(photos))
        for _, result in self.carry(jobs, Walk(until, keep, live=live), done=done):
            if isinstance(result, Analysis):
                yield result

    def carry(
        self,
        jobs: Iterable[tuple[T, Photo]],
        walk: Walk | None = None,
        *,
        known: Callable[[T, str], bool] | None = None,
        ledger: Ledger[tuple[T, Photo]] | None = None,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[T, Analysis | PhotoInfo]]:
        """Yield, in order, what each photo is for and what was found in it: every job is this one.

        jobs: (what for, photo), such as a person to enroll or a place in a list. known: asked with
        the digest of the file, by worker threads; a photo that is known already is not decoded and
        comes back as its PhotoInfo. ledger: which jobs are this run's (``jobs.stream``).
        """
        looked_at = partial(self._several, walk=walk or Walk(), known=known)
        for job, result in stream(jobs, looked_at, workers=self.workers, ledger=ledger, done=done):
            yield job[0], result

    def whole(self, photo: Photo) -> Analysis:
        """Return the vector of a photo whose whole area is taken for a chip, without detection."""
        return self._one(photo, Walk(whole=True))

    def _one(self, photo: Photo, walk: Walk | None = None) -> Analysis:
        (result,) = self._several([(None, photo)], walk or Walk(keep=True), None)
        if isinstance(result, PhotoInfo):  # nobody was asked whether it is known
            raise TypeError(f"{result.source} was not looked at")
        if result.error is not None:
            raise result.error
        return result

    def _several(
        self,
        jobs: Sequence[tuple[T, Photo]],
        walk: Walk,
        known: Callable[[T, str], bool] | None,
    ) -> list[Analysis | PhotoInfo]:
        """Return what was found in a few photos, embedded as one batch."""
        results: list[Analysis | PhotoInfo] = []
        fresh: dict[int, Analysis] = {}
        for purpose, photo in jobs:
            try:
                opened = self._opened(photo)
            except FacelignError as error:
                results.append(Analysis.failed(_name(photo), error))
                continue
            if known is not None and known(purpose, opened.digest):
                results.append(PhotoInfo(_name(opened), opened.digest, (0, 0)))
                continue
            try:
                result = self._cached(opened, walk)
                if result is None:
                    result = fresh[len(results)] = self._walked(opened, walk)
            except FacelignError as error:
                result = Analysis.failed(_name(photo), error)
            results.append(result)
        vectors = list(fresh.values())
        if fresh and walk.until is Stage.EMBED:
            vectors = embed(self.chain.embedder, vectors)
        for place, analysis in zip(fresh, vectors, strict=True):
            self._keep(analysis, walk)
            told = analysis if walk.live is None else walk.live.of(analysis)
            results[place] = told if walk.keep else told.without_pixels()
        return results

    def _walked(self, opened: Encoded | Image, walk: Walk) -> Analysis:
        """Return a photo as far as its chips, or as the walk goes."""
        image, chain = self._decoded(opened), self.chain
        if walk.whole:
            prepared = chain.finder.preprocessing.apply(image)
            return whole(prepared, chain.layouts, chain.points)
        if self.looks is None:
            found = chain.finder.find(image)
        else:
            key = chain.search, opened.digest
            found = self.looks.once(key, lambda: chain.finder.find(image))
        return found if walk.until is Stage.DETECT else self._cut(found)

    def _cut(self, found: Analysis) -> Analysis:
        return cut(found, self.chain.layouts, contour=self.chain.contour)

    def _opened(self, photo: Photo) -> Encoded | Image:
        if isinstance(photo, np.ndarray):
            raise BadArray(
                "An array does not say whether it is RGB or BGR.",
                "Wrap it: Image.from_array(array, order='rgb').",
            )
        if self.looks is None or not isinstance(photo, Path):
            return opened(photo, limits=self.limits)
        return self.looks.once((self.limits, photo), lambda: opened(photo, limits=self.limits))

    def _decoded(self, opened: Encoded | Image) -> Image:
        if isinstance(opened, Image):
            return opened
        wants = self.chain.finder.wants_px
        if self.looks is None:
            return opened.decoded(wants)
        key = wants, self.limits, opened.digest
        return self.looks.once(key, lambda: opened.decoded(wants))

    # -- the cache -------------------------------------------------------------------------------

    def _cached(self, opened: Encoded | Image, walk: Walk) -> Analysis | None:
        """Return what the cache knows about the bytes of a photo; pixels have no file to spare."""
        if self.cache is None or walk.until is not Stage.EMBED or isinstance(opened, Image):
            return None
        if walk.live is not None:  # which wants pixels
            return None
        entry = self.cache.get(opened.digest, self._key(walk))
        if entry is None or entry.embeddings is None or entry.embeddings.space.id != self.space.id:
            return None
        return replace(entry, photo=replace(entry.photo, source=opened.name))

    def _keep(self, analysis: Analysis, walk: Walk) -> None:
        turned = analysis.image is not None and analysis.image.turned_deg
        if self.cache is not None and walk.until is Stage.EMBED and not turned:
            self.cache.put(analysis.photo.digest, self._key(walk), analysis)

    def _key(self, walk: Walk) -> str:
        return f"{self.chain.id}, whole picture" if walk.whole else self.chain.id

    # -- living faces ----------------------------------------------------------------------------

    def live_check(self, options: LiveOptions | None = None) -> LiveCheck | None:
        """Return what tells living faces, as ``stream`` takes it; None where nobody asks.

        Raises as ``LiveCheck``.
        """
        if options is None or options.liveness == LiveMode.OFF:
            return None
        asked = options.liveness_model, options.liveness_threshold
        if asked not in self._live_checks:
            self._live_checks[asked] = LiveCheck(*asked, self.chain.store)
        return self._live_checks[asked]

    def check_live(self, photo: Analysis | Photo, options: LiveOptions | None = None) -> Analysis:
        """Return what ``find`` returned, with the answer in ``live`` for each of its faces.

        A photo is looked through first. options: their model and threshold count. Passive liveness
        is never the only gate. Raises as ``LiveCheck``.

        Example:
            >>> recognizer.check_live("selfie.jpg").live[0].decision  # doctest: +SKIP
            <LiveDecision.LIVE: 'live'>
        """
        found = photo if isinstance(photo, Analysis) else self.find(photo)
        asked = replace(options or LiveOptions(), liveness=LiveMode.OBSERVE)
        check = self.live_check(asked)
        return found if check is None else check.of(found)

    # -- comparison ------------------------------------------------------------------------------

    def verify(self, a: Photo, b: Photo, *, threshold: float | Threshold | None = None) -> Decision:
        """Return whether two photos show the same person; the largest face of each is compared.

        threshold: a score (larger is more alike), a Threshold, or None for the calibrated one at
        the false match rate ``VERIFY_FMR`` (types/policies.py). Raises NoFace, NoCalibration,
        InputError.
        """
        return self.compare(a, b, threshold=threshold).decision

    def compare(
        self,
        a: Photo,
        b: Photo,
        *,
        threshold: float | Threshold | None = None,
        policy: FacePolicy = FacePolicy.LARGEST,
        calibration: Calibration | None = None,
        live: LiveOptions | None = None,
    ) -> Comparison:
        """Return the decision of ``verify`` with the faces that were compared.

        calibration: what scores mean, instead of the calibration of this recognizer. live: whether
        the faces must be living persons'; where that is required, ``same`` is False for one that is
        not, and ``refusal`` says why.
        """
        walk = Walk(keep=True, live=self.live_check(live))
        first, second = self._one(a, walk), self._one(b, walk)
        limit = self.threshold() if threshold is None else threshold
        if isinstance(limit, float | int):
            limit = thresholds.uncalibrated(float(limit), "given by the caller")
        face_a, face_b = (choose(p.faces, policy, p.photo.source) for p in (first, second))
        score = float(scores.pair_scores(vector_of(first, face_a), vector_of(second, face_b))[0])
        known = calibration or self.calibration
        decision = thresholds.decide(score, limit, self.space, known)
        refusal = ""
        if live is not None and live.liveness == LiveMode.REQUIRE:
            told = [(p.photo.source, p.live[f]) for p, f in ((first, face_a), (second, face_b))]
            refusal = "; ".join(f"{s}: {one.refusal}" for s, one in told if one.refusal)
        return Comparison(decision, first, second, face_a, face_b, refusal)

    def threshold(self, fmr: float = VERIFY_FMR) -> Threshold:
        """Return the calibrated threshold of one comparison; raises NoCalibration."""
        calibration = self.calibration
        if calibration is None:
            raise NoCalibration(
                f"Space '{self.space.id}' is uncalibrated: no threshold has evidence behind it.",
                Remedy.THRESHOLD,
            )
        return thresholds.threshold(calibration, fmr)


def several(photos: Photo | Iterable[Photo]) -> Iterable[Photo]:
    """Return what is handed in as several photos; raises InputError for one, or for none."""
    if is_photo(photos):
        raise InputError("Several photos are asked for, and this is one.", "Pass a list: [photo].")
    if not isinstance(photos, Iterable):
        raise refusal(photos)
    return photos  # type: ignore[return-value] # a BinaryIO is a photo


def vector_of(analysis: Analysis, face: int) -> Embeddings:
    """Return the vector of a face that is to be compared; raises NoFace where it has none."""
    vector = analysis.vector_of(face)
    if vector is None:
        raise NoFace(
            f"The face in {analysis.photo.source} could not be aligned: "
            f"{analysis.reason_of(face)}.",
            "Try another photo.",
        )
    return vector


def _changed(
    preset: Preset,
    detector: str | None,
    model: str | None,
    landmarker: str | None,
    flip: bool | None,
) -> Preset:
    """Return the preset with other models; a change of detector drops points it replaces."""
    parts = preset.parts if model is None else (Part(model),)
    if flip is not None:
        parts = tuple(replace(part, flip=flip) for part in parts)
    detector = preset.detector if detector is None else detector
    landmarker = preset.landmarker if landmarker is None else landmarker or None
    return replace(preset, parts=parts, detector=detector, landmarker=landmarker)


def _name(photo: Photo | Encoded) -> str:
    if isinstance(photo, Image):
        return photo.source
    if isinstance(photo, Encoded):
        return photo.name
    return str(photo) if isinstance(photo, str | Path) else f"<{type(photo).__name__}>"
