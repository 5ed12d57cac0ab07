"""The arms of the alignment study: the same photos, cut in every way, through the same model.

A photo is read once. In every condition (a degradation and a lean) each detector looks at it once,
and all layouts are cut from the face that it found, so that nothing but the cut differs between
arms. What was embedded once is kept in the vector cache; its key spells everything that was done.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from facelign.align.chips import chips
from facelign.align.layouts.crop import Crop
from facelign.align.layouts.eyes import Eyes
from facelign.align.layouts.five_points import FivePoints
from facelign.align.layouts.square import Square
from facelign.errors import ConfigError, DegenerateLandmarks, FacelignError
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.lab.alignment import degradations
from facelign.lab.alignment.degradations import Degradation, Reference
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.recognition.chain import CHAIN_VERSION
from facelign.recognition.finding import Finder
from facelign.recognition.selection import FacePolicy, choose
from facelign.runtime.onnx import OnnxOptions
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.arrays import ByteArray, Float64Array, FloatArray
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder, Landmarker, Layout
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import DetectorOutput, EmbedderOutput, LandmarkerOutput, Task

#: layouts of the study, from no alignment at all to the model's own, and what each is
LAYOUTS: Mapping[str, str] = {
    "none": "the whole photo, squeezed to the model's input; no face is looked for",
    "crop": "the detector's box and a margin of 32 px, stretched to a square (facenet's cut)",
    "square": "the upright square over the longer side of the box",
    "eyes": "the same square, turned until the eyes are level",
    "five": "five points onto the model's template: turn, scale and place",
    "native": "the model's own layout by the points that it was trained with",
}
#: label of all chips and vectors of a study: an arm is told by the key, not by the space
LABEL = "study"
#: finds the face of the untouched photo that degradations are relative to
REFERENCE = "yunet"
#: gives points where a detector has none
POINTS = "dlib-68"
#: raised when this file cuts otherwise: cached vectors are computed anew
VERSION = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """What was done to every photo before anything looked at it."""

    degradation: Degradation
    lean_deg: float

    @property
    def id(self) -> str:
        """Such as "blur=0.02|lean=30"."""
        return f"{self.degradation.id}|lean={self.lean_deg:g}"

    @property
    def told(self) -> str:
        """Short, for tables."""
        words = [] if self.degradation.name == "none" else [self.degradation.id]
        words += [f"{self.lean_deg:g} deg"] if self.lean_deg else []
        return ", ".join(words) or "as they are"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way from photos to vectors. detector: "-" for layout none."""

    condition: Condition
    detector: str
    layout: str
    model: str


@dataclass(slots=True)
class Vectors:
    """What one arm gave for n photos. vectors: (n, d), zeros where a photo gave none.

    reasons: photo index -> why it gave none.
    """

    space: Space
    vectors: Float64Array
    reasons: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A model and how each layout cuts for it."""

    embedder: Embedder
    native: Layout
    layouts: Mapping[str, Layout]
    size: tuple[int, int]


class Bench:
    """Models and detectors of a study, loaded once.

    models, detectors: ids. layouts: names of ``LAYOUTS``. "native" is left out for models that
    take five points as their own: there it is "five" already.
    """

    def __init__(
        self,
        models: Sequence[str],
        detectors: Sequence[str],
        layouts: Sequence[str],
        *,
        store: Store | None = None,
        engine: OnnxOptions | None = None,
        cache: VectorCache | None = None,
        workers: int = 2,
    ) -> None:
        unknown = [name for name in layouts if name not in LAYOUTS]
        if unknown:
            raise ConfigError(
                f"The study has no layout '{unknown[0]}'.", f"It has: {', '.join(LAYOUTS)}."
            )
        self._store = store or Store.from_environment()
        self._engine = engine or OnnxOptions()
        self._known = catalog.default()
        self._workers = workers
        self._cache = cache
        self.layouts = tuple(name for name in LAYOUTS if name in layouts)
        self.detectors = {name: self._finder(name) for name in dict.fromkeys(detectors)}
        self._reference = self.detectors.get(REFERENCE) or self._finder(REFERENCE)
        self.models = {name: self._model(name) for name in dict.fromkeys(models)}
        self._landmarkers: dict[str, Landmarker] = {}
        self._references: dict[str, Reference | None] = {}
        self._lock = threading.Lock()

    # -- what is measured ------------------------------------------------------------------------

    def arms(self, conditions: Iterable[Condition]) -> list[Arm]:
        """Return every arm, condition by condition."""
        made = []
        for condition in conditions:
            for model, parts in self.models.items():
                for layout in self.layouts:
                    if layout == "none":
                        made.append(Arm(condition, "-", layout, model))
                    elif layout in parts.layouts:
                        made += [Arm(condition, name, layout, model) for name in self.detectors]
        return made

    def run(
        self,
        photos: Sequence[Path],
        conditions: Sequence[Condition],
        done: Callable[[int], None] | None = None,
    ) -> dict[Arm, Vectors]:
        """Return the vectors of every arm; photos are spread over the workers.

        done: called with the number of further photos done in all conditions.
        """
        arms = self.arms(conditions)
        found = {
            arm: Vectors(
                self.models[arm.model].embedder.space,
                np.zeros((len(photos), self.models[arm.model].embedder.space.dim)),
            )
            for arm in arms
        }

        def one(place: int) -> None:
            for arm, vector in self._photo(photos[place], arms).items():
                if isinstance(vector, str):
                    found[arm].reasons[place] = vector
                else:
                    found[arm].vectors[place] = vector

        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="study")
        try:
            for _ in pool.map(one, range(len(photos))):
                if done:
                    done(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return found

    def theory(
        self, photos: Sequence[Path], detector: str, *, most: int = 200, size: int = 112
    ) -> tuple[ByteArray, ByteArray, Float64Array, Float64Array]:
        """Return faces before and after alignment by five points, and their points on them.

        (n, size, size, 3) uint8 twice, (n, 5, 2) px twice; photos without a face are left out.
        """
        layout = FivePoints(size)
        before, after, spots, aligned = [], [], [], []
        for path in photos[:most]:
            try:
                image = read(path).full()
                face = self._face(detector, image, path.name)
                cut, kept, _ = chips(image, face, layout)
            except FacelignError:
                continue
            if face.landmarks is None or not len(kept):
                continue
            five = face.landmarks.as_scheme("five").points[0].astype(np.float64)
            scale = np.array([size / image.size[0], size / image.size[1]])
            before.append(_squeezed(image, (size, size)))
            spots.append((five + 0.5) * scale - 0.5)
            after.append(cut.pixels[0])
            matrix = layout.fit(face)[0]
            aligned.append(five @ matrix[:, :2].T + matrix[:, 2])
        if not before:
            raise ConfigError("No photo gave a face, so nothing can be averaged.")
        return np.stack(before), np.stack(after), np.stack(spots), np.stack(aligned)

    def shown(
        self, photos: Sequence[Path], model: str, detector: str
    ) -> dict[str, tuple[list[ByteArray], Float64Array]]:
        """Return, by layout, what the model sees of untouched photos, and its vectors (n, d).

        Nothing is degraded or turned. Raises what reading does, NoFace, DegenerateLandmarks.
        """
        plain = Condition(degradations.parse("none"), 0.0)
        found: dict[str, tuple[list[ByteArray], Float64Array]] = {}
        images = [read(path).full() for path in photos]
        for arm in self.arms([plain]):
            if arm.model != model or arm.detector not in (detector, "-"):
                continue
            cuts = []
            for image in images:
                face = "" if arm.detector == "-" else self._face(detector, image, image.source)
                cut = self._cut(image, face, arm)
                if isinstance(cut, str):
                    raise DegenerateLandmarks(cut, indices=(0,))
                cuts.append(cut)
            found[arm.layout] = (cuts, self._vectors(model, cuts).astype(np.float64))
        return found

    # -- one photo -------------------------------------------------------------------------------

    def _photo(self, path: Path, arms: Sequence[Arm]) -> dict[Arm, Float64Array | str]:
        """Return the vector of each arm for one photo, or why there is none."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            return dict.fromkeys(arms, f"cannot be read: {error.strerror}")
        found: dict[Arm, Float64Array | str] = {}
        for arm in arms:
            known = self._known_vector(digest, arm)
            if known is not None:
                found[arm] = known
        missing = [arm for arm in arms if arm not in found]
        if not missing:
            return found
        try:
            image = read(path).full()
        except FacelignError as error:
            return found | dict.fromkeys(missing, error.message)
        reference = self._reference_face(image, digest)
        for condition in dict.fromkeys(arm.condition for arm in missing):
            mine = [arm for arm in missing if arm.condition == condition]
            changed = condition.degradation.apply(image, reference)
            changed = degradations.lean(changed, reference, condition.lean_deg)
            found |= self._condition(changed, mine, digest)
        return found

    def _condition(
        self, image: Image, arms: Sequence[Arm], digest: str
    ) -> dict[Arm, Float64Array | str]:
        found: dict[Arm, Float64Array | str] = {}
        cuts: dict[str, list[tuple[Arm, ByteArray]]] = {name: [] for name in self.models}
        faces: dict[str, Faces | str] = {}
        for arm in arms:
            if arm.detector != "-" and arm.detector not in faces:
                try:
                    faces[arm.detector] = self._face(arm.detector, image, image.source)
                except FacelignError as error:
                    faces[arm.detector] = error.message
            cut = self._cut(image, faces.get(arm.detector, "no face"), arm)
            if isinstance(cut, str):
                found[arm] = cut
            else:
                cuts[arm.model].append((arm, cut))
        for model, parts in cuts.items():
            if parts:
                made = self._vectors(model, [cut for _, cut in parts])
                for (arm, _), vector in zip(parts, made, strict=True):
                    found[arm] = vector.astype(np.float64)
        for arm, vector in found.items():
            self._keep(digest, arm, vector, image.size)
        return found

    def _vectors(self, model: str, cuts: Sequence[ByteArray]) -> FloatArray:
        chips_alone = Chips(np.stack(cuts), LABEL, points_scheme=LABEL)
        return self.models[model].embedder.embed(chips_alone).vectors

    def _cut(self, image: Image, face: Faces | str, arm: Arm) -> ByteArray | str:
        model = self.models[arm.model]
        if arm.layout == "none":
            return _squeezed(image, model.size)
        if isinstance(face, str):
            return face
        layout = model.layouts[arm.layout]
        if arm.layout == "native":
            face = self._located(layout.needs[0], image, face)
        elif arm.layout in ("eyes", "five") and face.landmarks is not None:
            face = face.with_landmarks(face.landmarks.as_scheme("five"))
        elif arm.layout in ("crop", "square"):
            face = Faces(face.boxes, face.scores, None, face.detector, face.image_size)
        try:
            made, kept, dropped = chips(image, face, layout)
        except DegenerateLandmarks as error:
            return error.message
        if not len(kept):
            return f"the face cannot be aligned: {dropped[0][1]}"
        return _fitted(made.pixels[0], model.size)

    def _face(self, detector: str, image: Image, source: str) -> Faces:
        """Return the most central face as a set of one; raises NoFace."""
        found = self.detectors[detector].find(image)
        index = choose(found.faces, FacePolicy.CENTRAL, source).index
        return found.faces[index : index + 1]

    def _located(self, scheme: str, image: Image, face: Faces) -> Faces:
        """Return the face with points of ``scheme``, placed by a landmarker that gives them."""
        with self._lock:
            if scheme not in self._landmarkers:
                self._landmarkers[scheme] = self._landmarker(scheme)
        return self._landmarkers[scheme].locate(image, face)

    def _reference_face(self, image: Image, digest: str) -> Reference | None:
        if digest not in self._references:
            found = self._reference.find(image)
            reference = None
            if len(found.faces):
                index = choose(found.faces, FacePolicy.CENTRAL, image.source).index
                points = found.faces.landmarks
                if points is not None:
                    five = points.as_scheme("five").points[index].astype(np.float64)
                    box = found.faces.boxes[index].astype(np.float64)
                    reference = Reference(box, five[:2])
            self._references[digest] = reference
        return self._references[digest]

    # -- the cache -------------------------------------------------------------------------------

    def _key(self, arm: Arm) -> str:
        chain = self.detectors.get(arm.detector)
        detector = arm.detector
        if chain is not None:
            tries = chain.options.attempts
            points = "-" if chain.landmarker is None else chain.landmarker.spec.id
            detector = f"{detector}+{points}(tries={int(tries.padded)}{int(tries.turned)})"
        words = [
            f"{LABEL}{VERSION}.{degradations.VERSION}.v{CHAIN_VERSION}",
            f"{arm.condition.id}(by {REFERENCE})",
            detector,
            f"central|{arm.layout}",
            self.models[arm.model].embedder.space.id,
        ]
        return "|".join(words)

    def _known_vector(self, digest: str, arm: Arm) -> Float64Array | str | None:
        if self._cache is None:
            return None
        entry = self._cache.get(digest, self._key(arm))
        if entry is None:
            return None
        space = self.models[arm.model].embedder.space
        vectors = entry.embeddings
        if vectors is None or vectors.space.id != space.id:
            return None
        if not len(vectors):
            return entry.reason_of(0) or "no face"
        return np.asarray(vectors.vectors[0], np.float64)

    def _keep(
        self, digest: str, arm: Arm, vector: Float64Array | str, size: tuple[int, int]
    ) -> None:
        if self._cache is None:
            return
        space = self.models[arm.model].embedder.space
        if isinstance(vector, str):
            entry = Analysis(
                PhotoInfo("", digest, size),
                Faces.none(arm.detector, size),
                np.zeros(0, np.int64),
                Embeddings.none(space),
                ((0, vector),),
            )
        else:
            row = vector.astype(np.float32)[None]
            whole = np.array([[-0.5, -0.5, size[0] - 0.5, size[1] - 0.5]], np.float32)
            entry = Analysis(
                PhotoInfo("", digest, size),
                Faces(whole, np.ones(1, np.float32), None, arm.detector, size),
                np.zeros(1, np.int64),
                Embeddings(row, space, np.linalg.norm(row, axis=1)),
            )
        self._cache.put(digest, self._key(arm), entry)

    # -- construction ----------------------------------------------------------------------------

    def _finder(self, detector: str) -> Finder:
        """Return the walk up to the faces: a detector, and a landmarker where it has no points."""
        output = self._known.spec(Task.DETECT, detector).output
        scheme = output.scheme if isinstance(output, DetectorOutput) else None
        return Finder.load(
            detector,
            None if scheme == "five" else POINTS,
            store=self._store,
            engine=self._engine,
            models=self._known,
        )

    def _model(self, name: str) -> _Model:
        spec = self._known.spec(Task.EMBED, name)
        size = spec.input.size
        if size is None or not isinstance(spec.output, EmbedderOutput):
            raise ConfigError(f"'{name}' does not say which chips it reads.", "Take another model.")
        native = self._known.layout(spec.output.layout)
        embedder: Embedder = load(
            spec, self._store, options={"layout": LABEL, "points": LABEL}, engine=self._engine
        )
        side = max(size)
        layouts: dict[str, Layout] = {
            "crop": Crop(size=side, margin=32.0),
            "square": Square(side),
            "eyes": Eyes(size=side),
            "five": native if "five" in native.needs else FivePoints(side),
        }
        if native.needs[0] != "five":
            layouts["native"] = native
        return _Model(embedder, native, layouts, size)

    def _landmarker(self, scheme: str) -> Landmarker:
        for spec in self._known.specs(Task.LANDMARK):
            if isinstance(spec.output, LandmarkerOutput) and spec.output.scheme == scheme:
                made: Landmarker = load(spec, self._store, engine=self._engine)
                return made
        raise ConfigError(f"No landmarker gives points of scheme '{scheme}'.")


def _squeezed(image: Image, size: tuple[int, int]) -> ByteArray:
    """Return the whole photo in the shape of the model's input, aspect not kept."""
    return _fitted(image.pixels, size)


def _fitted(pixels: ByteArray, size: tuple[int, int]) -> ByteArray:
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    shrinks = pixels.shape[0] * pixels.shape[1] > size[0] * size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
