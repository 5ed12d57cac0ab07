"""The recognizer: photos in; faces, vectors and decisions out."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
import numpy.typing as npt

from facelign.compare import calibrations, scores, thresholds
from facelign.detect.attempts import Found
from facelign.errors import BadArray, FacelignError, NoCalibration, NoFace
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.models.weights.store import Store
from facelign.recognition import caching
from facelign.recognition.chain import Aligned, Chain, ChainOptions
from facelign.recognition.options import DEFAULT_PRESET
from facelign.recognition.presets import Part, Preset
from facelign.recognition.presets import preset as preset_of
from facelign.recognition.results import Analysis, Comparison, PhotoInfo
from facelign.recognition.selection import FacePolicy, choose
from facelign.runtime.onnx import OnnxOptions
from facelign.types.calibrations import Calibration
from facelign.types.decisions import Decision, Threshold
from facelign.types.embeddings import Embeddings, Space
from facelign.types.image import Image

Photo = str | Path | bytes | Image | BinaryIO | npt.NDArray[np.uint8]

#: photos that one worker takes at a time: their faces are embedded as one batch
CHUNK = 4


class Stage(IntEnum):
    """How far up the stairs a photo is carried."""

    DETECT = 1
    ALIGN = 2
    EMBED = 3


class Recognizer:
    """Detects, aligns, embeds and verifies; safe to share by threads.

    preset: "default", "fast", "accurate" or "dlib". detector, landmarker, model: another model for
    that stage, by id. flip: average each vector with that of the mirrored face. options: the rest
    (layout, preprocessing, downscale, tries). cache: where vectors of photos are kept, or None.
    workers: photos looked at at a time (default: the processors this process may use).

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
    ) -> None:
        chosen = preset_of(preset) if isinstance(preset, str) else preset
        chosen = _changed(chosen, detector, model, landmarker, flip)
        self.chain = Chain(
            chosen,
            options or ChainOptions(),
            store or Store.from_environment(),
            engine or OnnxOptions(),
        )
        self.cache = cache
        self.workers = workers or len(os.sched_getaffinity(0) if _affinity else range(_cores))
        self._calibration = calibration
        self._prepared = False

    def prepare(self) -> None:
        """Begin to open the networks that embed, beside what else there is to do at a start.

        Returns at once; the first photo waits less for it. Without a second worker nothing is
        done. What is wrong with a model is raised where the model is used.
        """
        if self.workers > 1 and not self._prepared:
            self._prepared = True
            threading.Thread(target=self._open, name="facelign-prepare").start()

    def _open(self) -> None:
        with contextlib.suppress(FacelignError):
            self.chain.prepare()

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
            with_detector = {"detector": self.chain.preset.detector}
            self._calibration = calibrations.shipped(
                self.space.id, with_detector
            ) or calibrations.shipped(self.space.id)
        return self._calibration

    # -- one stage at a time ---------------------------------------------------------------------

    def read(self, photo: Photo) -> Image:
        """Return the photo as an upright Image, decoded no larger than the detector needs."""
        if isinstance(photo, np.ndarray):
            raise BadArray(
                "An array does not say whether it is RGB or BGR.",
                "Wrap it: Image.from_array(array, order='rgb').",
            )
        return read(photo, at_least=getattr(self.chain.detector, "wants_px", None))

    def detect(self, photo: Photo) -> Found:
        """Return the faces of a photo and what was tried to find them."""
        return self.chain.detect(self.read(photo))

    def align(self, photo: Photo) -> Aligned:
        """Return a photo up to its chips."""
        return self.chain.align(self.read(photo))

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
        if isinstance(photos, str | Path | bytes | Image | np.ndarray) or hasattr(photos, "read"):
            return self._one(photos)  # type: ignore[arg-type]
        return self.stream(photos)

    def stream(
        self,
        photos: Iterable[Photo],
        *,
        until: Stage = Stage.EMBED,
        keep: bool = False,
        done: Callable[[int], None] | None = None,
    ) -> Iterator[Analysis]:
        """Yield one Analysis a photo, in order, several photos at a time; memory stays flat.

        until: the last stage that is wanted. keep: keep pixels and chips in the results. done:
        called with the number of photos done.
        """
        source = iter(photos)
        batches = iter(lambda: list(islice(source, CHUNK)), [])
        for results in self._parallel(batches, until, keep):
            for result in results:
                yield result
                if done:
                    done(1)

    def _parallel(
        self, batches: Iterator[list[Photo]], until: Stage, keep: bool
    ) -> Iterator[list[Analysis]]:
        if self.workers == 1:
            for batch in batches:
                yield self._several(batch, until, keep)
            return
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="facelign")
        waiting: deque[Future[list[Analysis]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(self._several, batch, until, keep))
                if len(waiting) > 2 * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, photo: Photo) -> Analysis:
        result = self._several([photo], Stage.EMBED, keep=True)[0]
        if result.error is not None:
            raise result.error
        return result

    def _several(self, photos: Sequence[Photo], until: Stage, keep: bool) -> list[Analysis]:
        """Return the analyses of a few photos, embedded as one batch."""
        known: dict[int, Analysis] = {}
        fresh: list[tuple[int, Aligned]] = []
        for place, photo in enumerate(photos):
            try:
                cached = self._cached(photo) if until is Stage.EMBED else None
                if cached is not None:
                    known[place] = cached
                else:
                    fresh.append((place, self._walk(photo, until)))
            except FacelignError as error:
                known[place] = Analysis.failed(_name(photo), error)
        vectors: Sequence[Embeddings | None] = [None] * len(fresh)
        if until is Stage.EMBED:
            vectors = self.chain.embed([aligned for _, aligned in fresh])
        for (place, aligned), embeddings in zip(fresh, vectors, strict=True):
            known[place] = _analysis(aligned, embeddings, keep)
            if self.cache is not None and until is Stage.EMBED:
                caching.put(self.cache, self.chain.id, known[place])
        return [known[place] for place in range(len(photos))]

    def _walk(self, photo: Photo, until: Stage) -> Aligned:
        image = self.read(photo)
        found = self.chain.detect(image)
        if until is Stage.DETECT:
            nothing = np.zeros(0, np.int64)
            return Aligned(image, found.faces, found.attempts, nothing, (), ())
        return self.chain.align(image, found)

    def _cached(self, photo: Photo) -> Analysis | None:
        if self.cache is None or not isinstance(photo, str | Path):
            return None
        return caching.get(self.cache, self.chain.id, Path(photo), self.space)

    # -- comparison ------------------------------------------------------------------------------

    def verify(self, a: Photo, b: Photo, *, threshold: float | Threshold | None = None) -> Decision:
        """Return whether two photos show the same person; the largest face of each is compared.

        threshold: a score (larger is more alike), a Threshold, or None for the calibrated one at
        a false match rate of 1e-3. Raises NoFace, NoCalibration, InputError.
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
    ) -> Comparison:
        """Return the decision of ``verify`` with the faces that were compared.

        calibration: what scores mean, instead of the calibration of this recognizer.
        """
        first, second = self._one(a), self._one(b)
        limit = self.threshold() if threshold is None else threshold
        if isinstance(limit, float | int):
            limit = thresholds.uncalibrated(float(limit), "given by the caller")
        face_a = choose(first.faces, policy, first.photo.source).index
        face_b = choose(second.faces, policy, second.photo.source).index
        vectors = []
        for analysis, face in ((first, face_a), (second, face_b)):
            vector = analysis.vector_of(face)
            if vector is None:
                raise NoFace(
                    f"The face in {analysis.photo.source} could not be aligned: "
                    f"{analysis.reason_of(face)}.",
                    "Try another photo.",
                )
            vectors.append(vector)
        score = float(scores.pair_scores(vectors[0], vectors[1])[0])
        known = calibration or self.calibration
        decision = thresholds.decide(score, limit, self.space, known)
        return Comparison(decision, first, second, face_a, face_b)

    def threshold(self, fmr: float = thresholds.VERIFY_FMR) -> Threshold:
        """Return the calibrated threshold of one comparison; raises NoCalibration."""
        calibration = self.calibration
        if calibration is None:
            raise NoCalibration(
                f"Space '{self.space.id}' is uncalibrated: no threshold has evidence behind it.",
                "Give one with --threshold, or make one with 'facelign calibrate'.",
            )
        return thresholds.threshold(calibration, fmr)


def _analysis(aligned: Aligned, embeddings: Embeddings | None, keep: bool) -> Analysis:
    image = aligned.image
    return Analysis(
        PhotoInfo(image.source, image.digest, image.size),
        aligned.faces,
        aligned.embedded,
        embeddings,
        aligned.dropped,
        aligned.attempts,
        image if keep else None,
        aligned.chips if keep else (),
    )


_affinity = hasattr(os, "sched_getaffinity")
_cores = os.cpu_count() or 1


def _changed(
    preset: Preset,
    detector: str | None,
    model: str | None,
    landmarker: str | None,
    flip: bool | None,
) -> Preset:
    """Return the preset with other models; a change of detector drops points it replaces."""
    if model is not None:
        preset = replace(preset, parts=(Part(model),))
    if flip is not None:
        preset = replace(preset, parts=tuple(replace(p, flip=flip) for p in preset.parts))
    if detector is not None:
        preset = replace(preset, detector=detector)
    if landmarker is not None:
        preset = replace(preset, landmarker=landmarker or None)
    return preset


def _name(photo: Photo) -> str:
    if isinstance(photo, Image):
        return photo.source
    return str(photo) if isinstance(photo, str | Path) else f"<{type(photo).__name__}>"
