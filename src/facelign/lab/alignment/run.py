"""The arms of the alignment study: the same photos, cut in every way, through the same model.

A photo is read once. In every condition (a degradation and a lean) each detector looks at it once,
and all layouts are cut from the face that it found, so that nothing but the cut differs between
arms. Faces are found, cut and embedded by the product's own steps; what was embedded once is kept
in the vector cache, whose key spells everything that was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facelign.align.layouts.crop import Crop
from facelign.align.layouts.eyes import Eyes
from facelign.align.layouts.five_points import FivePoints
from facelign.align.layouts.square import Square
from facelign.errors import ConfigError, DegenerateLandmarks, FacelignError, UnknownModel
from facelign.files.disk import digest as digest_of
from facelign.gallery.cache import VectorCache
from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.jobs.stream import stream
from facelign.lab.alignment import degradations
from facelign.lab.alignment.degradations import Degradation, Reference
from facelign.lab.defaults import LAYOUTS
from facelign.models import catalog, load
from facelign.models.weights.store import Store
from facelign.recognition import embedding
from facelign.recognition.chain import CHAIN_VERSION
from facelign.recognition.finding import Finder, giver, require
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.arrays import BoolArray, ByteArray, Float64Array
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder, Landmarker, Layout
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.policies import FacePolicy
from facelign.types.schemes import FIVE, IBUG_68
from facelign.types.specs import DetectorOutput, EmbedderOutput, ModelSpec, Task

#: label of all chips and vectors of a study: an arm is told by the key, not by the space
LABEL = "study"
#: finds the face of the untouched photo that degradations are relative to
REFERENCE = "yunet"
#: raised when this file cuts otherwise: cached vectors are computed anew
VERSION = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """What was done to every photo before anything looked at it."""

    degradation: Degradation
    lean_deg: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"degradation": self.degradation.id, "rotation_deg": self.lean_deg}

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
    vectors: Float64Array = field(repr=False)
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def failed(self) -> BoolArray:
        """(n,) whether a photo gave none."""
        return np.isin(np.arange(len(self.vectors)), list(self.reasons))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A model and how each layout cuts for it; landmarker: gives the points of "native"."""

    embedder: Embedder
    layouts: Mapping[str, Layout]
    size: tuple[int, int]
    landmarker: Landmarker | None


def check_known(layouts: Iterable[str]) -> None:
    """Raise UnknownModel for a layout that the study does not have."""
    unknown = [name for name in layouts if name not in LAYOUTS]
    if unknown:
        raise UnknownModel(
            f"There is no layout '{unknown[0]}' in this study.", f"It has: {', '.join(LAYOUTS)}."
        )


class Bench:
    """Models and detectors of a study, loaded once.

    models, detectors: ids. layouts: names of ``LAYOUTS``. "native" is left out for models that
    take five points as their own where "five" is asked for: there it is the same.
    """

    def __init__(
        self,
        models: Sequence[str],
        detectors: Sequence[str],
        layouts: Sequence[str],
        *,
        store: Store | None = None,
        cache: VectorCache | None = None,
        workers: int = 2,
    ) -> None:
        check_known(layouts)
        self._store = store or Store.from_environment()
        self._known = catalog.default()
        self._workers = workers
        self._cache = cache
        self.layouts = tuple(name for name in LAYOUTS if name in layouts)
        # all at once and first: a study that lacks the last of its weights ends before it begins
        require(self._store, [*self._wanted(detectors, models)])
        self.detectors = {name: self._finder(name) for name in dict.fromkeys(detectors)}
        self._reference = self.detectors.get(REFERENCE) or self._finder(REFERENCE)
        self.models = {name: self._model(name) for name in dict.fromkeys(models)}

    # -- what is measured ------------------------------------------------------------------------

    def arms(self, conditions: Iterable[Condition]) -> list[Arm]:
        """Return every arm, condition by condition."""
        return [
            Arm(condition, detector, layout, name)
            for condition in conditions
            for name, model in self.models.items()
            for layout in self.layouts
            if layout in model.layouts
            for detector in (("-",) if layout == "none" else self.detectors)
        ]

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
        faces = [self._face(detector, image) for image in images]
        for arm in self.arms([plain]):
            if arm.model != model or arm.detector not in (detector, "-"):
                continue
            cuts = [self._cut(*one, arm) for one in zip(images, faces, strict=True)]
            for cut in cuts:
                if not cut.chips:
                    raise DegenerateLandmarks(cut.reason_of(0), indices=(0,))
            pixels = [cut.chips[0].pixels[0] for cut in cuts]
            table[arm.layout] = (pixels, self._vectors(model, cuts).vectors.astype(np.float64))
        return table

    # -- one photo -------------------------------------------------------------------------------

    def _photo(self, path: Path, arms: Sequence[Arm]) -> dict[Arm, Analysis]:
        """Return the face of each arm with its vector, or with the reason why it has none."""
        try:
            digest = digest_of(path)
        except OSError as error:
            return dict.fromkeys(arms, _nothing(f"cannot be read: {error.strerror}"))
        answers: dict[Arm, Analysis] = {}
        for arm in arms:
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
            for arm, answer in self._condition(changed, mine).items():
                answers[arm] = answer
                if self._cache is not None:
                    self._cache.put(digest, self._key(arm), answer)
        return answers

    def _condition(self, image: Image, arms: Sequence[Arm]) -> dict[Arm, Analysis]:
        faces: dict[str, Analysis] = {}
        for detector in {arm.detector for arm in arms} - {"-"}:
            try:
                faces[detector] = self._face(detector, image)
            except FacelignError as error:
                faces[detector] = _nothing(error.message)
        cuts = {arm: self._cut(image, faces.get(arm.detector), arm) for arm in arms}
        answers: dict[Arm, Analysis] = {}
        for model, parts in self.models.items():
            none = Embeddings.none(parts.embedder.space)
            mine = [arm for arm in arms if arm.model == model]
            ready = [arm for arm in mine if cuts[arm].chips]
            answers |= {arm: replace(cuts[arm], embeddings=none) for arm in mine}
            vectors = self._vectors(model, [cuts[arm] for arm in ready]) if ready else none
            for k, arm in enumerate(ready):
                embedded = replace(cuts[arm], embeddings=vectors[k : k + 1])
                answers[arm] = embedded.without_pixels()
        return answers

    def _vectors(self, model: str, cuts: Sequence[Analysis]) -> Embeddings:
        pixels = np.stack([cut.chips[0].pixels[0] for cut in cuts])
        return self.models[model].embedder.embed(Chips(pixels, LABEL, points_scheme=LABEL))

    def _cut(self, image: Image, face: Analysis | None, arm: Arm) -> Analysis:
        """Return the face with a chip of the model's size, or with the reason why it has none."""
        model = self.models[arm.model]
        layout = model.layouts[arm.layout]
        if arm.layout == "none" or face is None:  # the whole photo, in the shape of the input
            return _sized(embedding.whole(image, [layout], ["box"]), model.size)
        if not len(face.faces):
            return face
        faces, marks = face.faces, face.faces.landmarks
        if arm.layout == "native" and model.landmarker is not None:
            faces = model.landmarker.locate(image, faces)
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
        index = choose(found.faces, FacePolicy.CENTRAL, image.source)
        return replace(found, faces=found.faces[index : index + 1])

    def _reference_face(self, image: Image) -> Reference | None:
        faces = self._reference.find(image).faces
        if not len(faces) or faces.landmarks is None:
            return None
        index = choose(faces, FacePolicy.CENTRAL, image.source)
        five = faces.landmarks.as_scheme("five").points[index].astype(np.float64)
        return Reference(faces.boxes[index].astype(np.float64), five[:2])

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

    def _wanted(self, detectors: Iterable[str], models: Iterable[str]) -> Iterator[ModelSpec]:
        """Yield every model of the study."""
        for name in dict.fromkeys((REFERENCE, *detectors)):
            yield self._known.spec(Task.DETECT, name)
            yield from filter(None, [self._points(name)])
        for name in dict.fromkeys(models):
            spec = self._known.spec(Task.EMBED, name)
            yield spec
            if "native" in self.layouts and isinstance(spec.output, EmbedderOutput):
                needs = self._known.layout(spec.output.layout).needs
                yield from filter(None, [giver(needs, self._store, self._known)])

    def _points(self, detector: str) -> ModelSpec | None:
        """Return what gives five points where a detector does not."""
        output = self._known.spec(Task.DETECT, detector).output
        if isinstance(output, DetectorOutput) and output.scheme == FIVE.id:
            return None
        return giver((IBUG_68.id,), self._store, self._known)

    def _finder(self, detector: str) -> Finder:
        """Return the walk up to the faces: a detector, and a landmarker where it has no points."""
        points = self._points(detector)
        name = None if points is None else points.id
        return Finder.load(detector, name, store=self._store, models=self._known)

    def _model(self, name: str) -> _Model:
        spec = self._known.spec(Task.EMBED, name)
        size = spec.input.size
        if size is None or not isinstance(spec.output, EmbedderOutput):
            raise ConfigError(f"'{name}' does not say which chips it reads.", "Take another model.")
        native = self._known.layout(spec.output.layout)
        options = {"layout": LABEL, "points": LABEL}
        embedder = load(spec, self._store, options=options)
        side, crop = max(size), Crop(size=max(size), margin=32.0)
        layouts: dict[str, Layout] = {
            "none": crop,
            "crop": crop,
            "square": Square(side),
            "eyes": Eyes(size=side),
            "five": native if "five" in native.needs else FivePoints(side),
        }
        if "native" not in self.layouts:
            return _Model(embedder, layouts, size, None)
        if native.needs[0] == "five":
            same = {} if "five" in self.layouts else {"native": native}
            return _Model(embedder, layouts | same, size, None)
        found = giver(native.needs, self._store, self._known)
        landmarker = None if found is None else load(found, self._store)
        return _Model(embedder, layouts | {"native": native}, size, landmarker)


def _nothing(reason: str) -> Analysis:
    """Return a photo without a face, with the reason."""
    return replace(Analysis.failed("", FacelignError(reason)), dropped=((0, reason),), error=None)


def _sized(cut: Analysis, size: tuple[int, int]) -> Analysis:
    """Return the face with its chip in the model's size."""
    (chips,) = cut.chips
    return replace(cut, chips=(Chips(resized(chips.pixels[0], size)[None], chips.layout),))
