"""The stages wired together for one photo: read, prepare, detect, locate, align, embed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from facelign.align.chips import CHAIN_VERSION, chips
from facelign.detect.attempts import Found, find, turned_back, turned_with
from facelign.embed.joint import Joint
from facelign.errors import ConfigError, ModelMismatch
from facelign.imaging.resize import resized
from facelign.models import Registry, catalog, load
from facelign.models.weights.store import Store, missing
from facelign.preprocess import photometric
from facelign.recognition.options import ChainOptions as ChainOptions
from facelign.recognition.presets import Part, Preset
from facelign.runtime.onnx import OnnxOptions
from facelign.types.arrays import IntArray
from facelign.types.chips import Chips
from facelign.types.contracts import Detector, Embedder, Landmarker, Layout
from facelign.types.embeddings import Embeddings, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import DetectorOutput, EmbedderOutput, LandmarkerOutput, Task


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A photo up to its chips. chips: one set a distinct layout, all of the faces ``embedded``."""

    image: Image
    faces: Faces
    attempts: tuple[str, ...]
    embedded: IntArray
    dropped: tuple[tuple[int, str], ...]
    chips: tuple[Chips, ...]


class Chain:
    """A preset's stages, loaded and checked against each other; safe to share by threads.

    Raises WeightsMissing when a model is absent and ModelMismatch when stages do not fit: at
    construction, never on the first photo.
    """

    def __init__(
        self,
        preset: Preset,
        options: ChainOptions,
        store: Store,
        engine: OnnxOptions,
        models: Registry | None = None,
    ) -> None:
        self.preset = preset
        self.options = options
        self._models = models or catalog.default()
        self._store = store
        self._engine = engine
        if not 0.05 <= options.downscale <= 32:
            raise ConfigError(f"downscale {options.downscale} is outside 0.05 to 32.")
        self.preprocessing = photometric.parse(options.preprocessing)
        self._require_weights()
        detect = self._models.spec(Task.DETECT, preset.detector)
        self.detector: Detector = load(detect, store, options=options.detector, engine=engine)
        self.landmarker: Landmarker | None = None
        if preset.landmarker:
            spec = self._models.spec(Task.LANDMARK, preset.landmarker)
            self.landmarker = load(spec, store, engine=engine)
        self.points = self._points()
        self.layouts: tuple[Layout, ...] = tuple(self._layout(part) for part in preset.parts)
        self._check_layouts()
        self._embedder: Embedder | Joint | None = None
        self._lock = threading.Lock()

    # -- what the walk is ------------------------------------------------------------------------

    @property
    def space(self) -> Space:
        """The space of the vectors; loads the embedding models on first use."""
        return self.embedder.space

    @property
    def embedder(self) -> Embedder | Joint:
        """The embedding model, or the fusion of several; loaded on first use."""
        if self._embedder is None:
            with self._lock:
                if self._embedder is None:
                    self._embedder = self._load_embedders()
        return self._embedder

    def prepare(self) -> None:
        """Open the networks of the embedder now rather than at the first face."""
        embedder = self.embedder
        for part in embedder.embedders if isinstance(embedder, Joint) else (embedder,):
            opened = getattr(part, "prepare", None)
            if opened is not None:  # a model of one's own need not have it
                opened()

    @property
    def id(self) -> str:
        """One line that names everything that moves a vector: the key of cached vectors."""
        tries = self.options.attempts
        words = [
            f"v{CHAIN_VERSION}",
            f"{self.preset.detector}({_spelled(self.options.detector)})",
            self.preset.landmarker or "-",
            self.space.id,
            f"downscale={self.options.downscale:g}",
            f"tries={int(tries.padded)}{int(tries.turned)}",
            _spelled(self.options.layout_options),
        ]
        return "|".join(words)

    @property
    def evidence(self) -> Mapping[str, str]:
        """The chain as a record for calibrations and results."""
        return MappingProxyType(
            {
                "preset": self.preset.id,
                "detector": self.preset.detector,
                "landmarker": self.preset.landmarker or "",
                "layout": "+".join(dict.fromkeys(layout.id for layout in self.layouts)),
                "preprocessing": self.preprocessing.id,
                "version": str(CHAIN_VERSION),
            }
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings that hold for every photo, such as a reduction that hides small faces."""
        output = self.detector.spec.output
        smallest = output.smallest_px if isinstance(output, DetectorOutput) else 0
        limit = smallest * self.options.downscale
        if self.options.downscale > 1 and limit > 24:
            return (
                f"With downscale {self.options.downscale:g}, detector '{self.preset.detector}' "
                f"misses faces under about {limit:.0f} px.",
            )
        return ()

    # -- the walk --------------------------------------------------------------------------------

    def detect(self, image: Image) -> Found:
        """Return the faces of an image in the file's plane, with the points that layouts want."""
        image = self.preprocessing.apply(image)
        found = find(self.detector, self._reduced(image), self.options.attempts)
        if self.landmarker is None or not len(found.faces):
            return found
        # A landmarker wants upright faces: it looks at the photo as the detector saw it.
        turned = image.turned(found.turned_deg)
        faces = self.landmarker.locate(turned, turned_with(found.faces, found.turned_deg))
        return replace(found, faces=turned_back(faces, found.turned_deg, image.size))

    def align(self, image: Image, found: Found | None = None) -> Aligned:
        """Return the photo up to its chips; faces that no chip fits are dropped with a reason."""
        found = found or self.detect(image)
        prepared = self.preprocessing.apply(image)
        faces, sets, dropped = found.faces, [], {}
        kept = np.arange(len(faces), dtype=np.int64)
        parts = {layout.id: layout for layout in self.layouts}
        pieces = {}
        for name, layout in parts.items():
            pieces[name] = chips(prepared, faces, layout)
            dropped.update(dict(pieces[name][2]))
        if dropped:
            kept = np.array([i for i in kept if int(i) not in dropped], np.int64)
        for made, indices, _ in pieces.values():
            sets.append(made[np.isin(indices, kept)] if len(indices) != len(kept) else made)
        return Aligned(
            image, faces, found.attempts, kept, tuple(sorted(dropped.items())), tuple(sets)
        )

    def embed(self, photos: Sequence[Aligned]) -> list[Embeddings]:
        """Return the vectors of several photos, computed as one batch and split again."""
        counts = [len(photo.embedded) for photo in photos]
        if not sum(counts):
            return [Embeddings.none(self.space) for _ in photos]
        by_layout = {
            sets[0].layout: Chips.joined(sets)
            for sets in zip(
                *(p.chips for p, n in zip(photos, counts, strict=True) if n), strict=True
            )
        }
        embedder = self.embedder
        if isinstance(embedder, Joint):
            every = embedder.embed_many(by_layout)
        else:
            every = embedder.embed(next(iter(by_layout.values())))
        ends = np.cumsum(counts)
        return [every[end - n : end] for end, n in zip(ends, counts, strict=True)]

    # -- construction ----------------------------------------------------------------------------

    def _reduced(self, image: Image) -> Image:
        factor = self.options.downscale
        if factor == 1.0:
            return image
        height, width = image.pixels.shape[:2]
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        pixels = resized(image.pixels, size)
        return replace(image, pixels=pixels, scale=image.scale * size[0] / width, reload=None)

    def _require_weights(self) -> None:
        """Raise WeightsMissing that names every absent model of the walk, so one pull mends it.

        A chain that lacks its embedder only is made all the same: what it finds may be enough.
        """
        spec = self._models.spec
        looks = [spec(Task.DETECT, self.preset.detector)]
        if self.preset.landmarker:
            looks.append(spec(Task.LANDMARK, self.preset.landmarker))
        embeds = [spec(Task.EMBED, part.model) for part in self.preset.parts]
        absent = [one for one in looks if not self._store.present(one)]
        if absent:
            if self.options.embeds:
                absent += [one for one in embeds if not self._store.present(one)]
            for one in absent:
                self._store.allowed(one)  # a refusal says more than "not here"
            raise missing(*absent)

    def _points(self) -> str:
        if self.landmarker is not None:
            output = self.landmarker.spec.output
            return output.scheme if isinstance(output, LandmarkerOutput) else "box"
        output = self.detector.spec.output
        return (output.scheme if isinstance(output, DetectorOutput) else None) or "box"

    def _layout(self, part: Part) -> Layout:
        spec = self._models.spec(Task.EMBED, part.model)
        native = spec.output.layout if isinstance(spec.output, EmbedderOutput) else ""
        given = self.options.layout_options
        layout = self._models.layout(self.options.layout or native, **given)
        wanted = spec.input.size
        if not self.options.embeds or wanted is None or layout.size == wanted:
            return layout
        if "size" not in given and wanted[0] == wanted[1]:
            layout = self._models.layout(layout.id, **{**given, "size": wanted[0]})
        if layout.size != wanted:
            raise ModelMismatch(
                f"Model '{spec.id}' reads {wanted[0]}x{wanted[1]} px, and layout '{layout.id}' "
                f"gives {layout.size[0]}x{layout.size[1]}.",
                "Choose a layout of that size.",
            )
        return layout

    def _check_layouts(self) -> None:
        from facelign.types.schemes import SCHEMES

        have = {"box", self.points}
        if self.points in SCHEMES and SCHEMES[self.points].to_five:
            have.add("five")
        for layout in self.layouts:
            if not have & set(layout.needs):
                raise ModelMismatch(
                    f"Layout '{layout.id}' needs {' or '.join(layout.needs)}, but "
                    f"'{self.preset.landmarker or self.preset.detector}' gives {self.points}.",
                    "Choose a detector with five points (yunet, mtcnn), add a landmarker "
                    "(--landmarks dlib-68), or use --layout crop.",
                )

    def points_for(self, layout: Layout) -> str:
        """Return the kind of points by which a layout aligns the faces of this chain."""
        if self.points in layout.needs:
            return self.points
        return "five" if "five" in layout.needs and self.points != "box" else "box"

    def _load_embedders(self) -> Embedder | Joint:
        specs = {p.model: self._models.spec(Task.EMBED, p.model) for p in self.preset.parts}
        absent = [spec for spec in specs.values() if not self._store.present(spec)]
        if len(absent) > 1:
            raise missing(*absent)
        loaded: list[Embedder] = []
        for part, layout in zip(self.preset.parts, self.layouts, strict=True):
            spec = specs[part.model]
            options: dict[str, object] = {
                "layout": layout.id,
                "points": self.points_for(layout),
                "preprocessing": self.preprocessing.id,
                "flip": part.flip,
                "unit": part.unit,
            }
            loaded.append(load(spec, self._store, options=options, engine=self._engine))
        if len(loaded) == 1:
            return loaded[0]
        return Joint(tuple(loaded), tuple(part.weight for part in self.preset.parts))


def _spelled(options: Mapping[str, object]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(options.items()))
