"""Presets: which models walk together. Evidence for the choices: docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from facelign.errors import UnknownModel
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.specs import Task


@dataclass(frozen=True, slots=True)
class Part:
    """One embedding model of a preset.

    flip: average with the mirrored chip. unit: bring vectors to length 1 (None = as the model's
    record says). weight: share of its cosine in a fused score.
    """

    model: str
    flip: bool = False
    unit: bool | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Preset:
    """A named chain: detector, landmarker where the layout wants other points, embedders.

    measured: False where its files could not be had by those who measured the others.
    """

    id: str
    title: str
    detector: str
    parts: tuple[Part, ...]
    landmarker: str | None = None
    measured: bool = True

    @property
    def models(self) -> tuple[tuple[Task, str], ...]:
        """Every model that has to be on this machine."""
        wanted = [(Task.DETECT, self.detector)]
        if self.landmarker:
            wanted.append((Task.LANDMARK, self.landmarker))
        return (*wanted, *((Task.EMBED, part.model) for part in self.parts))


_ALL = (
    Preset(
        id="default",
        title="YuNet and SFace: one 11 MB download, free for every use by the text of the licenses",
        detector=DEFAULT_DETECTOR,
        parts=(Part("sface-int8"),),
    ),
    Preset(
        id="fast",
        title="YuNet and dlib's ResNet-29 on the same five points, mirrored view averaged",
        detector=DEFAULT_DETECTOR,
        parts=(Part("dlib-resnet-int8", flip=True, unit=True),),
    ),
    Preset(
        id="light",
        title="YuNet and MobileFaceNet: least work a face; standing of its training data unclear",
        detector=DEFAULT_DETECTOR,
        parts=(Part("mobilefacenet-int8"),),
    ),
    Preset(
        id="tiny",
        title="YuNet and MobileFaceNet, 4 MB: the smallest within two points of default's TAR",
        detector=DEFAULT_DETECTOR,
        # today what costs least work is also what is smallest (docs/how-to/choose-a-model.md)
        parts=(Part("mobilefacenet-int8"),),
    ),
    Preset(
        id="accurate",
        title="SFace and dlib's ResNet-29 fused, mirrored views averaged",
        detector=DEFAULT_DETECTOR,
        # Equal weights after scaling by the spread of non-mated cosines on the 752 calibration
        # people (0.0884 and 0.0351). Level points, which came later, give 0.2856 and 0.7144
        # (tools/calibrate_presets.py prints them); the space keeps its name and its weights.
        parts=(
            Part("sface", flip=True, weight=0.2843),
            Part("dlib-resnet", flip=True, unit=True, weight=0.7157),
        ),
    ),
    Preset(
        id="dlib",
        title="dlib's own chain, bit for bit given the same box: for face_recognition galleries",
        detector="mmod",
        landmarker="dlib-5",
        parts=(Part("dlib-resnet"),),
    ),
    Preset(
        id="large",
        title="YuNet and AuraFace: 261 MB, free for every use by its license, not measured here",
        detector=DEFAULT_DETECTOR,
        parts=(Part("auraface"),),
        measured=False,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.id: preset for preset in _ALL})


def preset(preset_id: str) -> Preset:
    """Return a preset; raises UnknownModel, which lists near names."""
    if preset_id in PRESETS:
        return PRESETS[preset_id]
    near = get_close_matches(preset_id, PRESETS, n=1)
    meant = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(PRESETS)}."
    raise UnknownModel(f"There is no preset '{preset_id}'.", meant)
