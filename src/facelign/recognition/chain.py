"""A preset's stages, loaded and checked against each other: finder, layouts, embedder."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType

from facelign.align.contour import check_contour
from facelign.embed.joint import Joint
from facelign.errors import ModelMismatch
from facelign.models import Registry, catalog, load
from facelign.models.weights.store import Store, missing
from facelign.recognition.finding import Finder, require
from facelign.recognition.options import ChainOptions
from facelign.recognition.presets import Part, Preset
from facelign.runtime.onnx import OnnxOptions
from facelign.types.contracts import Embedder, Layout
from facelign.types.embeddings import Space
from facelign.types.specs import EmbedderOutput, Task

#: Raised whenever code of any stage changes what a vector comes out as, so that cached vectors are
#: computed anew. 1: the first. 2: points from level closer looks (YuNet). 3: points blended over
#: the cells of one closer look (YuNet). 4: three more convolutions of ``sface-int8`` in integers.
CHAIN_VERSION = 4


class Chain:
    """The models of a preset; safe to share by threads.

    Raises WeightsMissing when a model is absent and ModelMismatch when stages do not fit: at
    construction, never on the first photo. A chain that lacks its embedder only is made all the
    same: what it finds may be enough.
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
        looks = [self._models.spec(*model) for model in preset.models if model[0] != Task.EMBED]
        embeds = [self._models.spec(Task.EMBED, part.model) for part in preset.parts]
        require(store, looks, also=embeds if options.embeds else ())
        finder = preset.detector, preset.landmarker, options
        self.finder = Finder.load(*finder, store=store, engine=engine, models=self._models)
        self.layouts: tuple[Layout, ...] = tuple(self._layout(part) for part in preset.parts)
        #: the kind of points by which each layout places its chips
        self.points = tuple(self.finder.points_for(layout) for layout in self.layouts)
        #: points of the contour outside of which chips are blanked, or 0
        self.contour = self.finder.preprocessing.contour
        check_contour(self.contour, self.finder.points)
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        """Where the weights come from."""
        return self._store

    @property
    def space(self) -> Space:
        """The space of the vectors; loads the embedding models on first use."""
        return self.embedder.space

    @property
    def embedder(self) -> Embedder:
        """The embedding model, or the fusion of several; loaded on first use."""
        if self._embedder is None:
            with self._lock:
                if self._embedder is None:
                    self._embedder = self._load_embedders()
        return self._embedder

    @property
    def id(self) -> str:
        """One line that names everything that moves a vector: the key of cached vectors."""
        options, tries = self.options, self.options.attempts
        # two forms of a model share a space, but not to the last digit
        models = "+".join(part.model for part in self.preset.parts)
        return (
            f"v{CHAIN_VERSION}|{self.preset.detector}({_spelled(options.detector)})|"
            f"{self.preset.landmarker or '-'}|{models}|{self.space.id}|"
            f"downscale={options.downscale:g}|tries={tries.padded:d}{tries.turned:d}|{_spelled(options.layout_options)}"
        )

    @property
    def search(self) -> str:
        """One line that names everything that decides which faces and points are found."""
        options, tries = self.options, self.options.attempts
        return (
            f"{self.preset.detector}({_spelled(options.detector)})|{self.preset.landmarker or '-'}|"
            f"{self.finder.preprocessing.id}|downscale={options.downscale:g}|"
            f"tries={tries.padded:d}{tries.turned:d}"
        )

    @property
    def evidence(self) -> Mapping[str, str]:
        """The chain as a record for calibrations and results."""
        return MappingProxyType(
            {
                "preset": self.preset.id,
                "detector": self.preset.detector,
                "landmarker": self.preset.landmarker or "",
                "layout": "+".join(dict.fromkeys(layout.id for layout in self.layouts)),
                "preprocessing": self.finder.preprocessing.id,
                "version": str(CHAIN_VERSION),
            }
        )

    def _layout(self, part: Part) -> Layout:
        spec = self._models.spec(Task.EMBED, part.model)
        native = spec.output.layout if isinstance(spec.output, EmbedderOutput) else ""
        given = self.options.layout_options
        wanted = spec.input.size if self.options.embeds else None
        layout = self._models.layout_of_size(self.options.layout or native, wanted, **given)
        if wanted is not None and layout.size != wanted:
            raise ModelMismatch(
                f"Model '{spec.id}' reads {wanted[0]}x{wanted[1]} px, and layout '{layout.id}' "
                f"gives {layout.size[0]}x{layout.size[1]}.",
                "Choose a layout of that size.",
            )
        return layout

    def _load_embedders(self) -> Embedder:
        specs = [self._models.spec(Task.EMBED, part.model) for part in self.preset.parts]
        absent = {spec.id: spec for spec in specs if not self._store.present(spec)}
        if len(absent) > 1:
            raise missing(*absent.values())
        loaded: list[Embedder] = []
        for part, spec, layout, points in zip(
            self.preset.parts, specs, self.layouts, self.points, strict=True
        ):
            options: dict[str, object] = {
                "layout": layout.id,
                "points": points,
                "preprocessing": self.finder.preprocessing.id,
                "flip": part.flip,
                "unit": part.unit,
            }
            loaded.append(load(spec, self._store, options=options, engine=self._engine))
        if len(loaded) == 1:
            return loaded[0]
        return Joint(loaded, [part.weight for part in self.preset.parts])


def _spelled(options: Mapping[str, object]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(options.items()))
