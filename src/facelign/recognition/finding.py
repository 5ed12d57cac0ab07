"""From a photo or frame to faces with points: prepare, detect, locate; no embedder is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from facelign.detect.attempts import find, turned_back, turned_with
from facelign.errors import InputError, ModelMismatch, Remedy
from facelign.imaging.resize import resized
from facelign.models import Registry, catalog, load
from facelign.models.weights.store import Store, missing
from facelign.preprocess import photometric
from facelign.recognition.options import ChainOptions
from facelign.runtime.onnx import OnnxOptions
from facelign.types.analysis import Analysis
from facelign.types.contracts import Detector, Landmarker, Layout
from facelign.types.image import Image
from facelign.types.schemes import SCHEMES
from facelign.types.specs import DetectorOutput, LandmarkerOutput, ModelSpec, Task

#: faces under this height are found by no setting, so nothing is said about them, px
_UNREMARKABLE_PX = 24


class Finder:
    """Finds faces and places their points; safe to share by threads.

    options: its preprocessing, downscale and attempts are used. points: id of the scheme of the
    points that it gives, or "box".
    """

    def __init__(
        self,
        detector: Detector,
        landmarker: Landmarker | None = None,
        options: ChainOptions | None = None,
    ) -> None:
        self.detector = detector
        self.landmarker = landmarker
        self.options = options or ChainOptions()
        self.preprocessing = photometric.parse(self.options.preprocessing)
        output = (landmarker or detector).spec.output
        scheme = output.scheme if isinstance(output, DetectorOutput | LandmarkerOutput) else None
        self.points = scheme or "box"

    @classmethod
    def load(
        cls,
        detector: str,
        landmarker: str | None = None,
        options: ChainOptions | None = None,
        *,
        store: Store | None = None,
        engine: OnnxOptions | None = None,
        models: Registry | None = None,
    ) -> Finder:
        """Return the finder of two models by their ids; raises WeightsMissing that names both.

        Example:
            >>> finder = Finder.load("yunet")  # doctest: +SKIP
            >>> finder.find(read_image("party.jpg")).faces.boxes  # doctest: +SKIP
        """
        options, store = options or ChainOptions(), store or Store.from_environment()
        models = models or catalog.default()
        photometric.parse(options.preprocessing)  # what cannot be meant is said before all else
        specs = [models.spec(Task.DETECT, detector)]
        if landmarker:
            specs.append(models.spec(Task.LANDMARK, landmarker))
        require(store, specs)
        first = load(specs[0], store, options=options.detector, engine=engine)
        second = load(specs[1], store, engine=engine) if landmarker else None
        return cls(first, second, options)

    @property
    def wants_px(self) -> int | None:
        """The long side that is needed, px: larger photos may be decoded reduced to it."""
        return self.detector.wants_px

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings that hold for every photo, such as a reduction that hides small faces."""
        output, factor = self.detector.spec.output, self.options.downscale
        smallest = output.smallest_px if isinstance(output, DetectorOutput) else 0
        if factor > 1 and smallest * factor > _UNREMARKABLE_PX:
            return (
                f"With downscale {factor:g}, detector '{self.detector.spec.id}' "
                f"misses faces under about {smallest * factor:.0f} px.",
            )
        return ()

    def find(self, image: Image) -> Analysis:
        """Return the faces of an image in the file's plane, with the points that it gives.

        ``Analysis.prepared`` is what the models saw; chips are cut from it.
        """
        prepared = self.preprocessing.apply(image)
        seen = self._reduced(prepared)
        found = find(self.detector, seen, self.options.attempts)
        if seen is not image:
            found = replace(found, image=image, prepared=prepared)
        if self.landmarker is None or not len(found.faces):
            return found
        # A landmarker wants upright faces: it looks at the photo as the detector saw it.
        turned = prepared.turned(found.turned_deg)
        faces = self.landmarker.locate(turned, turned_with(found.faces, found.turned_deg))
        return replace(found, faces=turned_back(faces, found.turned_deg, image.size))

    def glance(self, image: Image) -> Analysis:
        """Return the faces of a frame at a glance: no tries, points of the detector's first look.

        For faces that are followed; ``closer`` gives those that matter the points of ``find``.
        """
        prepared = self.preprocessing.apply(image)
        return Analysis.of(image, self.detector.glance(self._reduced(prepared)), prepared)

    def closer(self, found: Analysis) -> Analysis:
        """Return what ``glance`` gave, or some of its faces, with the points that ``find`` gives.

        Raises InputError when the pixels were not kept.
        """
        if found.prepared is None:
            raise InputError(f"The pixels of {found.photo.source} were not kept.")
        faces = self.detector.closer(self._reduced(found.prepared), found.faces)
        if self.landmarker is not None and len(faces):
            faces = self.landmarker.locate(found.prepared, faces)
        return replace(found, faces=faces)

    def points_for(self, layout: Layout) -> str:
        """Return the kind of points by which a layout aligns these faces.

        Raises ModelMismatch when the layout wants points that are not given.
        """
        if self.points in layout.needs:
            return self.points
        five = self.points in SCHEMES and SCHEMES[self.points].to_five is not None
        for kind in ("five", "box") if five else ("box",):
            if kind in layout.needs:
                return kind
        giver = (self.landmarker or self.detector).spec.id
        raise ModelMismatch(
            f"Layout '{layout.id}' needs {' or '.join(layout.needs)}, but "
            f"'{giver}' gives {self.points}.",
            Remedy.OTHER_POINTS,
        )

    def _reduced(self, image: Image) -> Image:
        factor = self.options.downscale
        if factor == 1.0:
            return image
        height, width = image.pixels.shape[:2]
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        scale = image.scale * size[0] / width
        return replace(image, pixels=resized(image.pixels, size), scale=scale, reload=None)


#: who gives points that no detector has, by what a layout wants first. OpenFace's three of the 68:
#: what its network was trained with; the nearest to that, and free (docs/stages/align.md); free
GIVERS: Mapping[str, tuple[str, ...]] = {
    "ibug-68": ("dlib-68", "dlib-5", "face-api-68"),
    "dlib-5": ("dlib-5",),
}


def giver(needs: Sequence[str], store: Store, models: Registry) -> ModelSpec | None:
    """Return the landmarker for a layout that wants ``needs``, None where a detector's points do.

    It is the first whose points will do and whose license the guard of ``store`` lets pass; the
    first of all, to be refused by its name, where none passes.
    """
    known = [models.spec(Task.LANDMARK, name) for name in GIVERS.get(needs[0], ())]
    fitting = [
        spec
        for spec in known
        if isinstance(spec.output, LandmarkerOutput) and spec.output.scheme in needs
    ]
    allowed = [spec for spec in fitting if not store.refused(spec)]
    return next(iter([*allowed, *fitting]), None)


def require(store: Store, specs: Sequence[ModelSpec], also: Sequence[ModelSpec] = ()) -> None:
    """Raise WeightsMissing when weights of ``specs`` are absent, so that one pull mends it.

    also: models whose absence is named with them, and alone is no reason to stop.
    """
    absent = [spec for spec in specs if not store.present(spec)]
    if absent:
        absent += [spec for spec in also if not store.present(spec)]
        for spec in absent:
            store.allowed(spec)  # a refusal says more than "not here"
        raise missing(*absent)
