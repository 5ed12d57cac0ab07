"""From a calibration to thresholds, and from scores to decisions."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from facelign.compare.scores import distance
from facelign.errors import BadArray, NoCalibration, Refused
from facelign.types.calibrations import Calibration
from facelign.types.decisions import Decision, SearchThreshold, Threshold
from facelign.types.embeddings import Space, same_space
from facelign.types.policies import SEARCH_FPIR, VERIFY_FMR
from facelign.types.wording import counted

#: rule of 3: no error in N independent trials leaves an upper 95 % bound of 3 / N
RULE_OF_THREE = 3.0


def evidence_ends(calibration: Calibration) -> float:
    """Return the smallest FMR that the non-mated comparisons can vouch for: 3 over their number."""
    return RULE_OF_THREE / calibration.non_mated


def score_at_fmr(calibration: Calibration, fmr: float) -> float:
    """Return the lowest stored score whose FMR is ``fmr`` or less: never looser than asked.

    Below one error it is the last one, which lies just above the largest non-mated score. Records
    keep the tail score by score, so that in it nothing is lost by not interpolating.
    """
    if not 0 < fmr <= 1:
        raise BadArray(f"FMR: wanted a share above 0 and up to 1, got {fmr}.")
    # the last one always holds the rate: its own is 0
    at = int(np.searchsorted(-calibration.fmr, -fmr * (1 + 1e-12), side="left"))
    return float(calibration.scores[at])


def interval_at(calibration: Calibration, fmr: float) -> tuple[float, float] | None:
    """Return the 95 % interval of the true FMR at the threshold for ``fmr``.

    Between two operating points both bounds are interpolated in proportion to the rate; None
    outside of them.
    """
    points = sorted(calibration.points, key=lambda p: p.fmr)
    if not points or not points[0].fmr * (1 - 1e-9) <= fmr <= points[-1].fmr * (1 + 1e-9):
        return None
    logs = np.log([p.fmr for p in points])
    low = np.interp(math.log(fmr), logs, [p.interval[0] / p.fmr for p in points])
    high = np.interp(math.log(fmr), logs, [p.interval[1] / p.fmr for p in points])
    return float(low * fmr), float(min(high * fmr, 1.0))


def threshold(calibration: Calibration, fmr: float = VERIFY_FMR) -> Threshold:
    """Return the threshold of one comparison at a false match rate, with its evidence.

    Raises Refused where three over the number of non-mated comparisons exceeds ``fmr``.
    """
    if not 0 < fmr <= 1:
        raise BadArray(f"FMR: wanted a share above 0 and up to 1, got {fmr}.")
    if fmr < evidence_ends(calibration) * (1 - 1e-9):
        needed = math.ceil(RULE_OF_THREE / fmr)
        raise Refused(
            f"Calibration '{calibration.id}' has {calibration.non_mated:,} non-mated comparisons, "
            f"and an FMR of {fmr:g} needs {needed:,}.",
            f"Ask for {evidence_ends(calibration):.2g} or more, or calibrate on more people.",
        )
    return _threshold(calibration, score_at_fmr(calibration, fmr), fmr)


def uncalibrated(score: float, source: str) -> Threshold:
    """Return a threshold without data behind it, such as a published one; ``source`` says whose."""
    if not math.isfinite(score):
        raise BadArray(f"Threshold: wanted a finite score, got {score}.")
    return Threshold(score=score, fmr=None, source=source)


@lru_cache(maxsize=64)  # asked for every photo, and the same as long as the gallery is
def search_threshold(
    calibration: Calibration,
    templates: int,
    fpir: float = SEARCH_FPIR,
    *,
    verify_fmr: float = VERIFY_FMR,
) -> SearchThreshold:
    """Return the threshold of a search among ``templates`` that keeps FPIR at the target.

    It is the score whose FMR times the number of templates is ``fpir``, and never looser than that
    of one comparison at ``verify_fmr``: that keeps FPIR at the target on people that the
    calibration never saw (docs/benchmarks.md). Where the evidence ends earlier, ``limited`` is
    true, the strictest threshold is used that the data can place, and ``note`` says how far it
    reaches.
    """
    if templates < 0 or not 0 < fpir <= 1:
        raise BadArray(
            f"search: wanted templates >= 0 and FPIR in (0, 1], got {templates}, {fpir}."
        )
    wanted = min(fpir / max(templates, 1), verify_fmr)
    end = evidence_ends(calibration)
    limited = wanted < end * (1 - 1e-9)
    shown = max(wanted, end) if limited else wanted
    found = _threshold(calibration, score_at_fmr(calibration, wanted), shown)
    reach = min(end * templates, 1.0)
    size = f"gallery of {counted(templates, 'template')}"
    rule = f"FMR {wanted:.2g} for one comparison"
    if limited:
        note = (
            f"Limited: FPIR {fpir:g} in a {size} needs {rule}, and the evidence "
            f"({calibration.non_mated:,} non-mated comparisons of {calibration.subjects:,} people) "
            f"ends at {end:.2g}. The strictest threshold that it supports is used; it vouches for "
            f"an FPIR of {reach:.2g} at this size."
        )
    else:
        largest = int(fpir / end * (1 + 1e-9))
        note = (
            f"FPIR {fpir:g} in a {size}: {rule}; the evidence ends at FMR {end:.2g}, "
            f"that is at {largest:,} templates."
        )
    return SearchThreshold(found, fpir, templates, limited, note)


def decide(
    score: float, threshold: Threshold, space: Space, calibration: Calibration | None = None
) -> Decision:
    """Return the decision on one score: a match if ``score >= threshold.score`` (AX-6).

    Raises SpaceMismatch when the calibration belongs to another space.
    """
    ratio = None
    if calibration is not None:
        same_space(space.id, calibration.space, f"calibration '{calibration.id}'")
        ratio = log_likelihood_ratio(calibration, score)
    return Decision(
        score=score,
        distance=distance(score, space.metric),
        metric=str(space.metric),
        threshold=threshold,
        is_match=bool(score >= threshold.score),
        space=space,
        log_likelihood_ratio=ratio,
    )


def log_likelihood_ratio(calibration: Calibration, score: float) -> float:
    """Return how much more likely the score is for one person than for two (natural logarithm).

    It ends at the largest ratio that the counts can support, in both directions.
    """
    if not len(calibration.llr):
        raise NoCalibration(
            f"Calibration '{calibration.id}' holds no log-likelihood ratios.",
            "Make it again with facelign calibrate.",
        )
    return float(np.interp(score, calibration.llr_scores, calibration.llr))


def _threshold(calibration: Calibration, score: float, fmr: float) -> Threshold:
    return Threshold(
        score=score,
        fmr=fmr,
        source=(
            f"FMR {fmr:.2g} on {calibration.set}: {calibration.non_mated:,} non-mated and "
            f"{calibration.mated:,} mated comparisons of {calibration.subjects:,} people"
        ),
        interval=interval_at(calibration, fmr),
        subjects=calibration.subjects,
        mated=calibration.mated,
        non_mated=calibration.non_mated,
        calibration=calibration.id,
    )
