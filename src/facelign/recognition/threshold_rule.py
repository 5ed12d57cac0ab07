"""What a person's words for a threshold mean: a score, a published name, or a calibration file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facelign.compare import calibrations, published, thresholds
from facelign.errors import ConfigError, SpaceMismatch
from facelign.imaging.listing import clean_path
from facelign.recognition.recognizer import Recognizer
from facelign.types.calibrations import Calibration
from facelign.types.decisions import SearchThreshold, Threshold
from facelign.types.embeddings import Metric
from facelign.types.policies import VERIFY_FMR


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """One score, the record of a file, or what is calibrated."""

    recognizer: Recognizer
    score: Threshold | None = None
    record: Calibration | None = None
    source: str = ""

    def threshold(self, fmr: float | None = None) -> Threshold:
        """Return the threshold of one comparison.

        fmr: at which a calibration decides (default: that of ``verify``, or what the file was made
        for).
        """
        if self.score is not None:
            return self.score
        if self.record is not None:
            return thresholds.threshold(self.record, self.record.target if fmr is None else fmr)
        return self.recognizer.threshold(VERIFY_FMR if fmr is None else fmr)

    @property
    def search(self) -> SearchThreshold | None:
        """The threshold of a search, or None where it follows the size of the gallery."""
        if self.score is None:
            return None
        return SearchThreshold(self.score, 0.0, 0, False, self.source)


def calibration_named(recognizer: Recognizer, text: str | None) -> Calibration | None:
    """Return the record whose file a text names, or None where it names something else.

    Raises SpaceMismatch for a record of another space.
    """
    if text is None or not text.endswith(".json"):
        return None
    record = calibrations.load(clean_path(text)[0])
    if record.space != recognizer.space.id:
        raise SpaceMismatch(
            f"The calibration {text} is of space '{record.space}', and the photos are looked at in "
            f"space '{recognizer.space.id}'.",
            "Choose the preset and the models that it was made with, or give another calibration.",
        )
    return record


def rule(
    recognizer: Recognizer, text: str | None, source: str = "given by the caller"
) -> ThresholdRule:
    """Return what a text says: nothing, a score, a published one's name, or a file.

    source: who gave a score. Raises SpaceMismatch for a record of another space.
    """
    record = calibration_named(recognizer, text)
    if text is None or record is not None:
        return ThresholdRule(recognizer, record=record)
    try:
        score = float(text)
    except ValueError:
        named = published.published_threshold(text, recognizer.space)
        return ThresholdRule(recognizer, named, source=source)
    if not math.isfinite(score):
        raise ConfigError(f"The threshold {text} is no score.", "Give a number.")
    metric = recognizer.space.metric
    low, high = (-1.0, 1.0) if metric is Metric.COSINE else (-math.inf, 0.0)
    if not low <= score <= high:
        reach = "from -1 to 1" if metric is Metric.COSINE else f"0 or below (minus the {metric})"
        raise ConfigError(
            f"The threshold {text} is out of reach: scores of this preset are {reach}.",
            "Give a score in that range.",
        )
    return ThresholdRule(recognizer, thresholds.uncalibrated(score, source), source=source)
