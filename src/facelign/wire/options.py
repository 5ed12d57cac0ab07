"""Groups of options, each option once: its default, its words, and how a command line spells it.

A group is a frozen dataclass without a word of any command line in it, so that a service may take
the same ones. Defaults are those of the core, read where they are defined. ``cli.flags`` makes
flags of a group; the library below is never told of flags.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from facelign.errors import ConfigError
from facelign.recognition.options import (
    DEFAULT_PRESET,
    ChainOptions,
    EnrollOptions,
    IdentifyOptions,
)
from facelign.types.policies import FacePolicy, TemplateMode

#: raises ConfigError for a value that cannot be meant; it is told the option's spelling
Check = Callable[[str, float], object]


@dataclass(frozen=True, slots=True)
class Flag:
    """How a field of a group is said, beside its type.

    spelling: such as "--flip/--no-flip". help: one sentence. panel: the part of the help that
    lists it. low: the smallest number. metavar: the word for its value. check: of a value that is
    not None. unread: a file that is refused by what opens it, with a better sentence. names: what
    its value is the name of: "preset", "detector", "landmarker", "embedder" or "layout".
    """

    spelling: str
    help: str
    panel: str | None = None
    low: int | None = None
    metavar: str | None = None
    check: Check | None = None
    unread: bool = False
    names: str | None = None


def share(option: str, value: float) -> float:
    """Return the value of an option that is a share: above 0, at most 1."""
    if not 0 < value <= 1:
        raise ConfigError(f"{option} {value:g} is no share.", "Give one above 0 and up to 1.")
    return value


def height(option: str, value: float) -> float:
    """Return the value of an option that is a height of faces, px."""
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{option} {value:g} is no height.", "Give pixels, 0 or more.")
    return value


_CHAIN, _ENROLL, _IDENTIFY = ChainOptions(), EnrollOptions(), IdentifyOptions()


_of_chain = partial(Flag, panel="Chain")


@dataclass(frozen=True, slots=True)
class ChainFlags:
    """From photo to vector: which models walk together, and how."""

    preset: Annotated[
        str, _of_chain("--preset", "default, fast, accurate or dlib.", names="preset")
    ] = DEFAULT_PRESET
    detector: Annotated[
        str | None, _of_chain("--detector", "Another detector, by id.", names="detector")
    ] = None
    landmarks: Annotated[
        str | None,
        _of_chain("--landmarks", "A landmarker, by id (dlib-5, dlib-68).", names="landmarker"),
    ] = None
    model: Annotated[
        str | None, _of_chain("--model", "Another embedding model, by id.", names="embedder")
    ] = None
    layout: Annotated[
        str | None, _of_chain("--layout", "Another layout for the chips, by id.", names="layout")
    ] = _CHAIN.layout
    flip: Annotated[
        bool | None,
        _of_chain("--flip/--no-flip", "Average each vector with that of the mirrored face."),
    ] = None
    preprocess: Annotated[
        str,
        _of_chain(
            "--preprocess", "luma-equalize, gamma=G or clahe, joined by commas; part of the space."
        ),
    ] = _CHAIN.preprocessing
    downscale: Annotated[
        float,
        _of_chain(
            "--downscale", "Detect on a picture reduced by this factor; boxes are mapped back."
        ),
    ] = _CHAIN.downscale
    padded: Annotated[
        bool,
        _of_chain(
            "--padded/--no-padded",
            "When no face is found, look again with a border around the photo.",
        ),
    ] = _CHAIN.attempts.padded
    rotate: Annotated[
        bool,
        _of_chain(
            "--rotate/--no-rotate",
            "When no face is found, look again turned by 90, 180 and 270 degrees.",
        ),
    ] = _CHAIN.attempts.turned
    max_pixels: Annotated[
        int | None,
        _of_chain(
            "--max-pixels",
            "Pixels of the largest photo that is read; four times as many of a JPEG, which is then "
            "read at half its sides (default: 100 million).",
            low=1,
        ),
    ] = None
    workers: Annotated[
        int | None, Flag("--workers", "Photos at a time (default: processors at hand).", low=1)
    ] = None


@dataclass(frozen=True, slots=True)
class OutputFlags:
    """Where results go besides the terminal."""

    json: Annotated[bool, Flag("--json", "One JSON object a line on standard output.")] = False
    draw: Annotated[
        Path | None, Flag("--draw", "Write the picture with boxes and names: a file, or a folder.")
    ] = None
    out: Annotated[
        Path | None,
        Flag(
            "--out",
            "Also write a .csv or .jsonl; what failed is put beside, in NAME.failures.csv.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class FaceFlags:
    """Which face of a photo is meant."""

    face: Annotated[
        FacePolicy | None,
        Flag(
            "--face",
            "Which face is meant of several: only, largest, central or best.",
            metavar="WHICH",
        ),
    ] = None
    largest: Annotated[bool, Flag("--largest", "Short for --face largest.")] = False

    def policy(self, default: FacePolicy) -> FacePolicy:
        """Return the policy that was chosen, or the default of the command."""
        if self.largest and self.face not in (None, FacePolicy.LARGEST):
            raise ConfigError(
                f"--largest and --face {self.face} contradict each other.", "Use one."
            )
        return FacePolicy.LARGEST if self.largest else self.face or default


@dataclass(frozen=True, slots=True)
class GalleryFlags:
    """Which gallery is meant."""

    gallery: Annotated[
        Path | None,
        Flag("--gallery", "Gallery file (default: gallery.db in FACELIGN_HOME).", unread=True),
    ] = None


@dataclass(frozen=True, slots=True)
class EnrollFlags:
    """How photos are enrolled."""

    consent: Annotated[
        str | None, Flag("--consent", "A note on the person's consent, kept with it.")
    ] = _ENROLL.consent
    force: Annotated[
        bool,
        Flag(
            "--force", "Enroll a face even when it is like another person's or unlike the others."
        ),
    ] = _ENROLL.force
    min_height: Annotated[
        float,
        Flag(
            "--min-height",
            "Smallest face that is enrolled, px (small faces mislead).",
            check=height,
        ),
    ] = _ENROLL.min_height


@dataclass(frozen=True, slots=True)
class NamingFlags:
    """How faces get their names."""

    fpir: Annotated[
        float,
        Flag(
            "--fpir",
            "Share of strangers that may be given a name, whatever the gallery's size.",
            check=share,
        ),
    ] = _IDENTIFY.fpir
    top_k: Annotated[int, Flag("--top-k", "How many candidates are listed.", low=1)] = (
        _IDENTIFY.top_k
    )
    templates: Annotated[
        TemplateMode, Flag("--templates", "Score of a person: best template, mean, robust mean.")
    ] = _IDENTIFY.mode
    min_height: Annotated[
        float, Flag("--min-height", "Faces smaller than this get no name, px.", check=height)
    ] = _IDENTIFY.min_height
    threshold: Annotated[
        str | None, Flag("--threshold", "A score or a calibration file, instead of --fpir's.")
    ] = None
    classifier: Annotated[
        bool,
        Flag(
            "--classifier",
            "Let the classifier of 'people classifier' choose the name; the threshold checks it.",
        ),
    ] = False
