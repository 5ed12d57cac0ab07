"""Groups of options, each option once: its default and its words.

A group is a frozen dataclass without a word of any command line in it, so that a service may take
the same ones. What the library has options for is told beside the library's own fields
(``recognition.options``), and a group holds those as they are: a new option is one field.
``cli.flags`` makes flags of a group. What loads arrays and networks is imported when a group is
asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from facelign.errors import ConfigError, GalleryError
from facelign.recognition.options import (
    DEFAULT_PRESET,
    ChainOptions,
    IdentifyOptions,
)
from facelign.types.options import Option, OptionSet, share
from facelign.types.policies import VERIFY_FMR, ClassifierRule, FacePolicy, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facelign.compare.classifiers import NameClassifier
    from facelign.recognition.recognizer import Recognizer


@dataclass(frozen=True, slots=True)
class ChainFlags(OptionSet):
    """From photo to vector: which models walk together, and how. The fields are Recognizer's."""

    panel: ClassVar[str | None] = "Chain"

    preset: Annotated[
        str, Option("default, fast, light, tiny, accurate, dlib or large.", names="preset")
    ] = DEFAULT_PRESET
    detector: Annotated[str | None, Option("Another detector, by id.", names="detector")] = None
    landmarker: Annotated[
        str | None,
        Option(
            "A landmarker, by id (dlib-5, mesh-468, face-api-68).",
            word="landmarks",
            names="landmarker",
        ),
    ] = None
    model: Annotated[str | None, Option("Another embedding model, by id.", names="embedder")] = None
    flip: Annotated[bool | None, Option("Average each vector with that of the mirrored face.")] = (
        None
    )
    options: ChainOptions = field(default_factory=ChainOptions)
    limits: Limits = field(default_factory=Limits)
    workers: Annotated[
        int | None, Option("Photos at a time (default: processors at hand).", low=1)
    ] = None

    def recognizer(self, *, cached: bool = False, **options: Any) -> Recognizer:
        """Return the recognizer that was chosen.

        cached: keep vectors of photos, and use those that are there. options: of ChainOptions,
        instead of the chosen ones.
        """
        from facelign.files.home import cache_path
        from facelign.gallery.cache import VectorCache
        from facelign.recognition.recognizer import Recognizer

        chosen = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        chosen["options"] = replace(self.options, **options)
        return Recognizer(**chosen, cache=VectorCache(cache_path()) if cached else None)

    def finder(self) -> Recognizer:
        """Return a recognizer that only looks for faces."""
        # no chip is cut; crop asks a detector for a box only
        return self.recognizer(layout="crop", embeds=False)

    def aligner(self, layout: str, options: Mapping[str, object]) -> Recognizer:
        """Return a recognizer that cuts chips of a layout, with the landmarker that it wants.

        options: of the layout, by name. openface-96 wants three of the 68 points, which no
        detector gives.
        """
        from facelign import models
        from facelign.models.weights.store import Store
        from facelign.recognition.finding import giver
        from facelign.recognition.presets import preset
        from facelign.types.schemes import IBUG_68

        known, chosen = models.default(), self
        needs = known.layout(layout, **options).needs
        if needs[0] == IBUG_68.id and not (self.landmarker or preset(self.preset).landmarker):
            found = giver(needs, Store.from_environment(), known)
            chosen = replace(self, landmarker=found.id) if found else self
        return chosen.recognizer(layout=layout, layout_options=options, embeds=False)


@dataclass(frozen=True, slots=True)
class CutFlags(OptionSet):
    """How chips are cut."""

    layout: Annotated[
        str, Option("arcface-112, dlib-150, openface-96, eyes or crop (see the docs).")
    ] = "arcface-112"
    size: Annotated[int | None, Option("Side of the picture, px.")] = None
    margin: Annotated[
        int | None,
        Option("For crop and eyes: px of the photo around the box, in all."),
    ] = None

    @property
    def options(self) -> dict[str, int]:
        """What the layout is told, as far as it was said."""
        given = {"size": self.size, "margin": self.margin}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class OutputFlags(OptionSet):
    """Where results go besides the terminal."""

    json: Annotated[bool, Option("One JSON object a line on standard output.")] = False
    draw: Annotated[
        Path | None, Option("Write the picture with boxes and names: a file, or a folder.")
    ] = None
    out: Annotated[
        Path | None,
        Option(
            "Also write a .csv or .jsonl; what failed is put beside, in NAME.failures.csv.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class FaceFlags(OptionSet):
    """Which face of a photo is meant."""

    face: Annotated[
        FacePolicy | None,
        Option(
            "Which face is meant of several: only, largest, central or best.",
            metavar="WHICH",
        ),
    ] = None
    largest: Annotated[bool, Option("Take the largest face.", once=True)] = False

    def __post_init__(self) -> None:
        if self.largest and self.face not in (None, FacePolicy.LARGEST):
            raise ConfigError(
                f"The largest face and the face '{self.face}' contradict each other.", "Use one."
            )

    def policy(self, default: FacePolicy) -> FacePolicy:
        """Return the policy that was chosen, or the default of what asks."""
        return FacePolicy.LARGEST if self.largest else self.face or default


@dataclass(frozen=True, slots=True)
class GalleryFlags(OptionSet):
    """Which gallery is meant."""

    gallery: Annotated[
        Path | None,
        Option("Gallery file (default: gallery.db in FACELIGN_HOME).", unread=True),
    ] = None


@dataclass(frozen=True, slots=True)
class NamingFlags(OptionSet):
    """How faces get their names."""

    options: IdentifyOptions = field(default_factory=IdentifyOptions)
    threshold: Annotated[
        str | None, Option("A score or a calibration file, instead of the share of strangers.")
    ] = None
    classifier: Annotated[
        bool,
        Option(
            "Let the classifier of 'people classifier' choose the name; the threshold checks it.",
            once=True,
        ),
    ] = False

    def chosen(
        self,
        recognizer: Recognizer,
        gallery: Path,
        policy: FacePolicy | None = None,
        *,
        source: str = "given by the caller",
    ) -> IdentifyOptions:
        """Return how faces are named by a gallery.

        source: who gave the threshold, where it is a score. Raises ConfigError where no classifier
        was fitted, SpaceMismatch for a calibration of another space.
        """
        from facelign.recognition.threshold_rule import rule

        found = rule(recognizer, self.threshold, source)
        return replace(
            self.options,
            threshold=found.search,
            calibration=found.record,
            policy=policy,
            classifier=_classifier(gallery) if self.classifier else None,
        )


def _classifier(gallery: Path) -> NameClassifier:
    from facelign.compare.classifiers import NameClassifier
    from facelign.gallery.removal import classifier_path

    path = classifier_path(gallery)
    if not path.is_file():
        raise GalleryError(
            f"{gallery.name} has no classifier.", "Fit one: facelign people classifier"
        )
    return NameClassifier.load(path)


@dataclass(frozen=True, slots=True)
class ClassifierFlags(OptionSet):
    """Which classifier is fitted on the templates of a gallery."""

    rule: Annotated[ClassifierRule, Option("k nearest vote, nearest mean, or linear SVM.")] = (
        ClassifierRule.KNN
    )
    k: Annotated[int, Option("Neighbors that vote, for knn.", low=1)] = 3


@dataclass(frozen=True, slots=True)
class VerifyFlags(OptionSet):
    """At which threshold two photos are of one person."""

    threshold: Annotated[
        str | None,
        Option("A score, a published threshold by name (such as dlib-0.6), or a calibration file."),
    ] = None
    fmr: Annotated[
        float | None,
        Option(
            "False match rate at which the calibration decides "
            f"(default: {VERIFY_FMR:g}, or that of the calibration file).",
            check=share,
        ),
    ] = None
    fusion: Annotated[
        Path | None,
        Option(
            "A fitted ensemble (evaluate ensemble --save); it brings models and limit.", once=True
        ),
    ] = None
