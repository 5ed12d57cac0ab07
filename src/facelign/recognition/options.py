"""How photos are walked, enrolled and named: the options with their defaults, each once.

Reading a default loads no array library: command lines and services show them in their help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet, factor, height, share
from facelign.types.policies import (
    SEARCH_FPIR,
    TOP_K,
    Attempts,
    FacePolicy,
    LiveMode,
    TemplateMode,
)

if TYPE_CHECKING:
    from facelign.compare.classifiers import NameClassifier
    from facelign.types.calibrations import Calibration
    from facelign.types.decisions import SearchThreshold

#: the preset that is used where none is named
DEFAULT_PRESET = "default"
#: the detector of the presets that share one
DEFAULT_DETECTOR = "yunet"
#: the liveness model that is used where none is named
DEFAULT_LIVENESS = "minifasnet"
#: why a photo is not enrolled a second time, which is no failure
ALREADY = "already enrolled"


@dataclass(frozen=True, slots=True)
class ChainOptions(OptionSet):
    """What may be changed about a preset's walk.

    layout: another layout for every model. preprocessing: such as "gamma=1.5,clahe"; part of the
    space. downscale: detect on a picture reduced by this factor (2 = half the size, 0.5 enlarges),
    boxes mapped back. attempts: tries after a look that found nothing. detector, layout_options:
    options of the detector and of the layout by name. embeds: whether chips go into the models,
    whose input then decides their size; False where only chips are wanted.
    """

    layout: Annotated[
        str | None, Option("Another layout for the chips, by id.", names="layout")
    ] = None
    preprocessing: Annotated[
        str,
        Option(
            "luma-equalize, gamma=G, clahe or contour=68|468, joined by commas; part of the space.",
            word="preprocess",
        ),
    ] = ""
    downscale: Annotated[
        float,
        Option("Detect on a picture reduced by this factor; boxes are mapped back.", check=factor),
    ] = 1.0
    attempts: Attempts = field(default_factory=Attempts)
    detector: Mapping[str, object] = field(default_factory=dict)
    layout_options: Mapping[str, object] = field(default_factory=dict)
    embeds: bool = True


@dataclass(frozen=True, slots=True)
class EnrollOptions(OptionSet):
    """How photos are enrolled.

    policy: which face of a photo. min_height: smallest face, px of the file; below it small faces
    match one another, with up to 400 times more false matches. quality: smallest quality by the
    measure ``quality_model``, or None for any. consent: a note kept with each template. force:
    enroll a face even when it looks like another person's, or unlike the person's other photos.
    """

    policy: FacePolicy = FacePolicy.ONLY
    min_height: Annotated[
        float, Option("Smallest face that is enrolled, px (small faces mislead).", check=height)
    ] = 40.0
    quality: Annotated[
        float | None,
        Option("Smallest quality of a face that is enrolled, up to 1 (default: any).", check=share),
    ] = None
    quality_model: Annotated[
        str,
        Option("The measure of that quality, by id (measured, ediffiqa-t).", names="quality"),
    ] = "measured"
    consent: Annotated[
        str | None, Option("A note on the person's consent, kept with it.", once=True)
    ] = None
    force: Annotated[
        bool,
        Option(
            "Enroll a face even when it is like another person's or unlike the others.", once=True
        ),
    ] = False


def _mode(name: str, value: str) -> None:
    """Refuse a word that is no mode: a gate that was misspelled would stand open."""
    if value not in list(LiveMode):
        raise ConfigError(f"{name} '{value}' cannot be meant.", f"Known: {', '.join(LiveMode)}.")


@dataclass(frozen=True, slots=True)
class LiveOptions(OptionSet):
    """Whether a face must be that of a living person: passive, by single photos, never the only
    gate.

    liveness: what comes of the answer. liveness_model: who answers, by id. liveness_threshold: a
    score between 0 and 1, or a file that ``facelign calibrate --liveness`` wrote; None for the
    model's own.
    """

    panel: ClassVar[str | None] = "Liveness"

    liveness: Annotated[
        LiveMode,
        Option(
            "off; observe tells beside each face whether it is a living person's; require gives no "
            "name to an attack or what could not be checked. Never the only gate.",
            check=_mode,
        ),
    ] = LiveMode.OFF
    liveness_model: Annotated[
        str, Option("The liveness model, by id (minifasnet, minifas-98).", names="liveness")
    ] = DEFAULT_LIVENESS
    liveness_threshold: Annotated[
        str | None,
        Option("A score, or a file of calibrate (default: the model's own score)."),
    ] = None


@dataclass(frozen=True, slots=True)
class IdentifyOptions(OptionSet):
    """How faces are named.

    fpir: share of strangers that may be named, whatever the gallery's size. top_k: candidates
    listed. mode: how a person's templates become one score. min_height: smaller faces get no name,
    px. threshold: used instead of the calibrated one. calibration: its threshold, for the size of
    the gallery, instead of that of the record in the gallery or of the recognizer. policy: only
    this face, or None for all. classifier: chooses the name, which then counts only if a template
    of that person reaches the threshold; it must be fitted on the gallery as it is. live: whether a
    face must be a living person's, or None for not asked.
    """

    fpir: Annotated[
        float,
        Option(
            "Share of strangers that may be given a name, whatever the gallery's size.",
            check=share,
        ),
    ] = SEARCH_FPIR
    top_k: Annotated[int, Option("How many candidates are listed.", low=1)] = TOP_K
    mode: Annotated[
        TemplateMode,
        Option("Score of a person: best template, mean, robust mean.", word="templates"),
    ] = TemplateMode.BEST
    min_height: Annotated[
        float, Option("Faces smaller than this get no name, px.", check=height)
    ] = 30.0
    threshold: SearchThreshold | None = None
    policy: FacePolicy | None = None
    calibration: Calibration | None = None
    classifier: NameClassifier | None = None
    live: LiveOptions | None = None
