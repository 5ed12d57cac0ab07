"""What helps, in the words of the command line: the one place that names flags in a hint.

The library says what would help (``errors.Remedy``); which flag does that, only this table knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facelign.errors import Remedy
from facelign.wire.records import Record

#: remedy -> the sentence that a user of the command line reads
HINTS: Mapping[Remedy, str] = MappingProxyType(
    {
        Remedy.LARGEST_FACE: (
            "Use --largest (or --face largest) to take the largest, or crop the photo."
        ),
        Remedy.OTHER_POINTS: (
            "Choose a detector with five points (yunet, mtcnn), add a landmarker "
            "(--landmarks dlib-68), or use --layout crop."
        ),
        Remedy.THRESHOLD: "Give one with --threshold, or make one with 'facelign calibrate'.",
        Remedy.OTHER_GALLERY: ("Name another file with --gallery, or put a back-up in its place."),
        Remedy.REPLACE_FILE: "Name another file, or replace it with --replace.",
        Remedy.SPACE: "Name one of them with --space.",
        Remedy.WHOSE: (
            "Name the model whose vectors they are with --space, if facelign has it (facelign "
            "models list); else enroll the photos again."
        ),
        Remedy.REPLACE: "Replace it with --replace, or give this one another id.",
        Remedy.LABELS: "Name the file of the labels with --labels.",
        Remedy.PIXELS: "Make it smaller, or allow it with --max-pixels.",
        Remedy.RUN: "Save one with: facelign evaluate verification --json > run.json",
        Remedy.PAIR_SCORES: "Save both with: facelign evaluate verification --json --pair-scores",
        Remedy.TWO_MODELS: "--models sface,dlib-resnet",
    }
)


def flagged(text: str) -> str:
    """Return a sentence of the library with flags where it says what would help."""
    for remedy, hint in HINTS.items():
        text = text.replace(remedy, hint)
    return text


def spoken(record: Record) -> Record:
    """Return a record whose error or reason names flags."""
    words = {key: flagged(record[key]) for key in ("error", "reason") if record.get(key)}
    return {**record, **words}
