"""Whether an embedder of one's own is fed as it was trained: the usual alternatives on real faces.

A network that is fed wrongly still gives vectors, so nothing fails; it only tells people apart
worse. Two things show it. Edits of one face (mirrored, darker) come nearer to one another than to
other faces: by how much, in cosine, is the ``gap``. And among the ways that keep the gap, the
vectors are longest, before they are brought to length 1, for pictures that look most like those
of the training (as in MagFace and AdaFace, where the length stands for quality). On ten people of
LFW the longest is the right one for color, scale and layout of SFace, MobileFaceNet and dlib's
network. Elsewhere it is so for scale and layout, and not always for color: docs/how-to/own-model.md
has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facelign.align.chips import chips
from facelign.models.catalog import Registry
from facelign.models.load import load
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.chips import Chips
from facelign.types.contracts import Detector
from facelign.types.image import Image
from facelign.types.specs import EmbedderOutput, InputSpec, ModelSpec

#: share of the best gap that a way may have to be as good as the best, lengths decide then
_AS_GOOD = 0.8
#: how much longer, of its length, vectors must be to be told; smaller differences are chance
_LONGER = 1.005
#: how much larger a gap must be to be told where all lengths are the same
_LARGER = 1.05
#: share of faces that must be nearer to their mirror image than to every other face
_NEARER = 0.75
#: fewer people than this tell little of layouts: another is named only where its gap is larger
_FEW = 5
#: faces that are looked at
MOST_FACES = 12
#: mean and std of pixels 0 to 255 that networks are trained with
SCALES: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...] = (
    ((0.0,) * 3, (1.0,) * 3),
    ((127.5,) * 3, (128.0,) * 3),
    ((127.5,) * 3, (127.5,) * 3),
    ((0.0,) * 3, (255.0,) * 3),
    # of ImageNet, red first (torchvision)
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # of dlib's networks, red first
    ((122.782, 117.001, 104.298), (256.0,) * 3),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One way of feeding a network. gap: cosine of edits of one face over that of other faces.

    length: mean length of the vectors as the network gives them. nearer: share of faces whose
    mirror image is nearer than every other face.
    """

    input: InputSpec
    layout: str
    gap: float
    length: float
    nearer: float

    @property
    def fits(self) -> bool:
        """Say whether the same face mirrored is nearer than other faces."""
        return self.nearer >= _NEARER


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial on faces gave. asked: as the record says. best: the way that fits best."""

    asked: Trial
    best: Trial
    faces: int
    people: int

    @property
    def agrees(self) -> bool:
        """Say whether nothing fits better than what the record says."""
        return self.best == self.asked

    @property
    def clearly(self) -> bool:
        """Say whether what the record says is wrong for sure, not only a little worse."""
        return not self.asked.fits or self.asked.gap < _AS_GOOD * self.best.gap


def tried(
    spec: ModelSpec,
    store: Store,
    photos: Sequence[tuple[str, Image]],
    detector: Detector,
    registry: Registry,
) -> Verdict | None:
    """Return how the network of ``spec`` sees faces, and which way of feeding it fits best.

    photos: who is on it and the photo; its largest face is taken. None where the layout of the
    record goes by other points than the detector gives, or fewer than two people are found.
    Alternatives are tried one at a time: order of colors, mean and std, layout, axes.
    """
    output = spec.output
    assert isinstance(output, EmbedderOutput)  # noqa: S101 - by its task
    size = registry.layout_of_size(output.layout, spec.input.size).size
    fed = _Faces(photos, detector, registry, size)
    if output.layout not in fed.layouts or len(set(fed.people)) < 2:
        return None

    def seen(given: InputSpec, layout: str) -> Trial:
        changed = replace(spec, input=given, output=replace(output, layout=layout))
        return _trial(changed, store, fed)

    asked = seen(spec.input, output.layout)
    trials = [asked]
    few = len(set(fed.people)) < _FEW
    raw = Session(store.ready(spec)[spec.weights[0].name]).inputs[0].kind == "tensor(uint8)"
    here = asked
    for _ in range(2):  # what is right in one may only be seen once another is right
        before = here
        for change in (_layouts(fed.layouts), _axes, _colors, *(() if raw else (_scales,))):
            for given, layout in change(here):
                if all((given, layout) != (t.input, t.layout) for t in trials):
                    trials.append(seen(given, layout))
            here = _best(trials, here, few)
        if here == before:
            break
    best = _best(trials, asked, few)
    return Verdict(asked, best, len(fed.people), len(set(fed.people)))


_Ways = Iterator[tuple[InputSpec, str]]


def _layouts(known: Sequence[str]) -> Callable[[Trial], _Ways]:
    return lambda here: ((here.input, layout) for layout in known)


def _axes(here: Trial) -> _Ways:
    if here.input.axes != "nchw":  # which of height and width comes first shows in no shape
        yield from ((replace(here.input, axes=axes), here.layout) for axes in ("nhwc", "nwhc"))


def _colors(here: Trial) -> _Ways:
    yield from ((replace(here.input, order=order), here.layout) for order in ("rgb", "bgr"))


def _scales(here: Trial) -> _Ways:
    for mean, std in SCALES:
        turn = -1 if here.input.order == "bgr" else 1
        yield replace(here.input, mean=mean[::turn], std=std[::turn]), here.layout


def _best(trials: Sequence[Trial], asked: Trial, few: bool) -> Trial:
    """Return the trial that fits best; ``asked`` where none is noticeably better."""
    top = max(trial.gap for trial in trials)
    # of a network that learned nothing every gap may be below 0
    good = [trial for trial in trials if trial.gap >= top - (1 - _AS_GOOD) * abs(top)]
    if few and any(trial.layout == asked.layout for trial in good):
        good = [trial for trial in good if trial.layout == asked.layout]
    lengths = [trial.length for trial in good]
    if max(lengths) <= _LONGER * min(lengths):  # the network itself makes them alike
        found = max(good, key=lambda trial: trial.gap)
        better = found.gap > _LARGER * asked.gap
    else:
        found = max(good, key=lambda trial: trial.length)
        better = found.length > _LONGER * asked.length
    return found if better or asked not in good else asked


class _Faces:
    """Chips of every face and its edits, in every layout of one size."""

    def __init__(
        self,
        photos: Sequence[tuple[str, Image]],
        detector: Detector,
        registry: Registry,
        size: tuple[int, int],
    ) -> None:
        known = {name: registry.layout_of_size(name, size) for name in registry.layouts()}
        fitting = {
            name: layout
            for name, layout in known.items()
            if layout.size == size and {"five", "box"} & set(layout.needs)
        }
        self.people: list[str] = []
        found: dict[str, list[Chips]] = {name: [] for name in fitting}
        for person, photo in photos:
            faces = detector.detect(photo)
            if not len(faces):
                continue
            sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
            one = faces[[int(sides.prod(axis=1).argmax())]]
            cut = {name: chips(photo, one, layout)[0] for name, layout in fitting.items()}
            if all(len(part) for part in cut.values()):
                self.people.append(person)
                for name, part in cut.items():
                    found[name].append(part)
            if len(self.people) == MOST_FACES:
                break
        self.layouts = tuple(name for name, parts in found.items() if parts)
        self._found = found

    def edited(self, layout: str) -> list[Chips]:
        """Return three sets of chips: as they are, mirrored, darker."""
        parts = self._found[layout]
        pixels = np.concatenate([part.pixels for part in parts])
        dark = (pixels * 0.7).astype(np.uint8)
        places = np.concatenate([part.to_chip for part in parts])
        scheme = parts[0].points_scheme
        return [
            Chips(np.ascontiguousarray(edit), layout, places, scheme)
            for edit in (pixels, pixels[:, :, ::-1], dark)
        ]


def _trial(spec: ModelSpec, store: Store, fed: _Faces) -> Trial:
    output = spec.output
    assert isinstance(output, EmbedderOutput)  # noqa: S101 - by its task
    edits = fed.edited(output.layout)
    model = load(spec, store, options={"points": edits[0].points_scheme})
    seen = [model.embed(edit) for edit in edits]
    units = [part.vectors / np.linalg.norm(part.vectors, axis=1)[:, None] for part in seen]
    people = np.array(fed.people)
    same, other = [], people[:, None] != people[None]
    plain, mirrored, dark = units
    for a, b in ((plain, mirrored), (plain, dark), (mirrored, dark)):
        same.append((a * b).sum(axis=1))
    between = plain @ plain.T
    own = (plain * mirrored).sum(axis=1)
    nearest = np.where(other, between, -2.0).max(axis=1)
    return Trial(
        spec.input,
        output.layout,
        gap=float(np.mean(same) - between[other].mean()),
        length=float(np.mean([part.norms.mean() for part in seen])),
        nearer=float((own > nearest).mean()),
    )
