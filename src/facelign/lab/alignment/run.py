"""The arms of the alignment study: the same photos, cut in every way, through the same model.

A photo is read once. In every condition (a degradation and a lean) each detector looks at it once,
and all layouts are cut from the face that it found, so that nothing but the cut differs between
arms. Faces are found, cut and embedded by the product's own steps; what was embedded once is kept
in the vector cache, whose key spells everything that was done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facelign.align.layouts.crop import Crop
from facelign.align.layouts.eyes import Eyes
from facelign.align.layouts.five_points import FivePoints
from facelign.align.layouts.square import Square
from facelign.errors import ConfigError, DegenerateLandmarks, FacelignError
from facelign.files.disk import digest as digest_of
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.jobs.stream import stream
from facelign.lab.alignment import degradations
from facelign.lab.alignment.degradations import Degradation, Reference
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.recognition import embedding
from facelign.recognition.chain import CHAIN_VERSION
from facelign.recognition.finding import Finder
from facelign.recognition.selection import choose
from facelign.runtime.onnx import OnnxOptions
from facelign.types.analysis import Analysis
from facelign.types.arrays import ByteArray, Float64Array
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder, Landmarker, Layout
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.policies import FacePolicy
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
    def words(self) -> str:
        """Short, for tables."""
        parts = [] if self.degradation.name == "none" else [self.degradation.id]
        parts += [f"{self.lean_deg:g} deg"] if self.lean_deg else []
        return ", ".join(parts) or "as they are"


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
    """A model and how each layout cuts for it; ``layouts`` has no "none"."""

    embedder: Embedder
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
        arms = []
        for condition in conditions:
            for model, parts in self.models.items():
                for layout in self.layouts:
                    if layout == "none":
                        arms.append(Arm(condition, "-", layout, model))
                    elif layout in parts.layouts:
                        arms += [Arm(condition, name, layout, model) for name in self.detectors]
        return arms

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
        spaces = {name: model.embedder.space for name, model in self.models.items()}
        table = {
            arm: Vectors(spaces[arm.model], np.zeros((len(photos), spaces[arm.model].dim)))
            for arm in arms
        }

        def work(places: Sequence[int]) -> list[dict[Arm, Analysis]]:
            return [self._photo(photos[place], arms) for place in places]

        for place, answers in stream(range(len(photos)), work, workers=self._workers, done=done):
            for arm, answer in answers.items():
                vector = answer.vector_of(0)
                if vector is None:
                    table[arm].reasons[place] = answer.reason_of(0) or "no face"
                else:
                    table[arm].vectors[place] = vector.vectors[0]
        return table

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
                face = self._face(detector, read(path).full())
                cut = embedding.cut(face, [layout])
            except FacelignError:
                continue
            if face.image is None or face.faces.landmarks is None or not len(cut.embedded):
                continue
            five = face.faces.landmarks.as_scheme("five").points[0].astype(np.float64)
            scale = np.array([size / face.photo.size[0], size / face.photo.size[1]])
            before.append(resized(face.image.pixels, (size, size)))
            spots.append((five + 0.5) * scale - 0.5)
            after.append(cut.chips[0].pixels[0])
            matrix = layout.fit(face.faces)[0]
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
        table: dict[str, tuple[list[ByteArray], Float64Array]] = {}
        images = [read(path).full() for path in photos]
        for arm in self.arms([plain]):
            if arm.model != model or arm.detector not in (detector, "-"):
                continue
            cuts = []
            for image in images:
                face = None if arm.detector == "-" else self._face(detector, image)
                cut = self._cut(image, face, arm)
                if not cut.chips:
                    raise DegenerateLandmarks(cut.reason_of(0), indices=(0,))
                cuts.append(cut)
            pixels = [cut.chips[0].pixels[0] for cut in cuts]
            vectors = [photo.embeddings for photo in self._embedded(model, cuts)]
            rows = [vector.vectors[0] for vector in vectors if vector is not None]
            table[arm.layout] = (pixels, np.stack(rows).astype(np.float64))
        return table

    # -- one photo -------------------------------------------------------------------------------

    def _photo(self, path: Path, arms: Sequence[Arm]) -> dict[Arm, Analysis]:
        """Return the face of each arm with its vector, or with the reason why it has none."""
        try:
            digest = digest_of(path)
        except OSError as error:
            return dict.fromkeys(arms, _nothing(f"cannot be read: {error.strerror}"))
        answers: dict[Arm, Analysis] = {}
        for arm in arms if self._cache is not None else ():
            entry = self._cache.get(digest, self._key(arm)) if self._cache else None
            if entry is not None and entry.embeddings is not None:
                answers[arm] = entry
        missing = [arm for arm in arms if arm not in answers]
        if not missing:
            return answers
        try:
            image = read(path).full()
        except FacelignError as error:
            return answers | dict.fromkeys(missing, _nothing(error.message))
        reference = self._reference_face(image)
        for condition in dict.fromkeys(arm.condition for arm in missing):
            mine = [arm for arm in missing if arm.condition == condition]
            changed = condition.degradation.apply(image, reference)
            changed = degradations.lean(changed, reference, condition.lean_deg)
            fresh = self._condition(changed, mine)
            for arm, answer in fresh.items() if self._cache is not None else ():
                if self._cache is not None:
                    self._cache.put(digest, self._key(arm), answer)
            answers |= fresh
        return answers

    def _condition(self, image: Image, arms: Sequence[Arm]) -> dict[Arm, Analysis]:
        answers: dict[Arm, Analysis] = {}
        cuts: dict[str, list[tuple[Arm, Analysis]]] = {name: [] for name in self.models}
        faces: dict[str, Analysis] = {}
        for arm in arms:
            if arm.detector != "-" and arm.detector not in faces:
                try:
                    faces[arm.detector] = self._face(arm.detector, image)
                except FacelignError as error:
                    faces[arm.detector] = _nothing(error.message)
            cut = self._cut(image, faces.get(arm.detector), arm)
            if cut.chips:
                cuts[arm.model].append((arm, cut))
            else:
                space = self.models[arm.model].embedder.space
                answers[arm] = replace(cut, embeddings=Embeddings.none(space))
        for model, parts in cuts.items():
            photos = self._embedded(model, [cut for _, cut in parts])
            answers |= dict(zip([arm for arm, _ in parts], photos, strict=True))
        return answers

    def _embedded(self, model: str, cuts: Sequence[Analysis]) -> list[Analysis]:
        """Return faces that were cut, with their vectors and without their pixels."""
        if not cuts:
            return []
        pixels = np.stack([cut.chips[0].pixels[0] for cut in cuts])
        vectors = self.models[model].embedder.embed(Chips(pixels, LABEL, points_scheme=LABEL))
        return [
            replace(cut, embeddings=vectors[k : k + 1]).without_pixels()
            for k, cut in enumerate(cuts)
        ]

    def _cut(self, image: Image, face: Analysis | None, arm: Arm) -> Analysis:
        """Return the face with a chip of the model's size, or with the reason why it has none."""
        model = self.models[arm.model]
        layout = model.layouts["crop" if arm.layout == "none" else arm.layout]
        if face is None:  # the whole photo, in the shape of the model's input
            return _sized(embedding.whole(image, [layout], ["box"]), model.size)
        if not len(face.faces):
            return face
        faces, marks = face.faces, face.faces.landmarks
        if arm.layout == "native":
            faces = self._landmarker(layout.needs[0]).locate(image, faces)
        elif arm.layout in ("eyes", "five") and marks is not None:
            faces = faces.with_landmarks(marks.as_scheme("five"))
        elif arm.layout in ("crop", "square"):
            faces = Faces(faces.boxes, faces.scores, None, faces.detector, faces.image_size)
        try:
            cut = embedding.cut(replace(face, faces=faces), [layout])
        except DegenerateLandmarks as error:
            return _nothing(error.message)
        if not len(cut.embedded):
            return _nothing(f"the face cannot be aligned: {cut.reason_of(0)}")
        return _sized(cut, model.size)

    def _face(self, detector: str, image: Image) -> Analysis:
        """Return the photo with its most central face alone; raises NoFace."""
        found = self.detectors[detector].find(image)
        index = choose(found.faces, FacePolicy.CENTRAL, image.source).index
        return replace(found, faces=found.faces[index : index + 1])

    def _reference_face(self, image: Image) -> Reference | None:
        if image.digest not in self._references:
            faces = self._reference.find(image).faces
            reference = None
            if len(faces) and faces.landmarks is not None:
                index = choose(faces, FacePolicy.CENTRAL, image.source).index
                five = faces.landmarks.as_scheme("five").points[index].astype(np.float64)
                reference = Reference(faces.boxes[index].astype(np.float64), five[:2])
            self._references[image.digest] = reference
        return self._references[image.digest]

    def _key(self, arm: Arm) -> str:
        """Return what was done before a vector: part of the name under which it is kept."""
        finder = self.detectors.get(arm.detector)
        detector = arm.detector
        if finder is not None:
            tries = finder.options.attempts
            points = "-" if finder.landmarker is None else finder.landmarker.spec.id
            detector = f"{detector}+{points}(tries={int(tries.padded)}{int(tries.turned)})"
        words = [
            f"{LABEL}{VERSION}.{degradations.VERSION}.v{CHAIN_VERSION}",
            f"{arm.condition.id}(by {REFERENCE})",
            detector,
            f"central|{arm.layout}",
            self.models[arm.model].embedder.space.id,
        ]
        return "|".join(words)

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
        return _Model(embedder, layouts, size)

    def _landmarker(self, scheme: str) -> Landmarker:
        """Return the landmarker that gives points of ``scheme``, loaded once."""
        with self._lock:
            if scheme not in self._landmarkers:
                for spec in self._known.specs(Task.LANDMARK):
                    if isinstance(spec.output, LandmarkerOutput) and spec.output.scheme == scheme:
                        made: Landmarker = load(spec, self._store, engine=self._engine)
                        self._landmarkers[scheme] = made
                        break
                else:
                    raise ConfigError(f"No landmarker gives points of scheme '{scheme}'.")
            return self._landmarkers[scheme]


def _nothing(reason: str) -> Analysis:
    """Return a photo without a face, with the reason."""
    return replace(Analysis.failed("", FacelignError(reason)), dropped=((0, reason),), error=None)


def _sized(cut: Analysis, size: tuple[int, int]) -> Analysis:
    """Return the face with its chip in the model's size."""
    (chips,) = cut.chips
    return replace(cut, chips=(Chips(resized(chips.pixels[0], size)[None], chips.layout),))
