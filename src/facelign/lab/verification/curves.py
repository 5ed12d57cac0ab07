"""Figures of one run from the scores of its pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from facelign.compare import curves
from facelign.compare.pairs import Failures, PairScores
from facelign.report.plot import Plot, Series
from facelign.report.plots import det, f1_accuracy, histograms, rates, roc


def _histograms(pairs: PairScores, name: str) -> Plot:
    held = pairs.counted(Failures.LEFT_OUT)
    best = curves.best_by_f1(held.set).threshold
    title = f"Scores of pairs of {name}; threshold of the best F1"
    same = held.same
    return histograms.draw(held.scores[same], held.scores[~same], threshold=best, title=title)


def _roc(pairs: PairScores, name: str) -> Plot:
    scores = pairs.counted(Failures.DIFFERENT).set
    fmr, tar = curves.roc(scores)
    line = Series(name, fmr, tar, note=f"AUC {curves.auc(scores):.4f}")
    return roc.draw([line], lowest=1 / max(len(scores.non_mated), 10), title="ROC")


def _det(pairs: PairScores, name: str) -> Plot:
    scores = pairs.counted(Failures.DIFFERENT).set
    fmr, fnmr = curves.det(scores)
    return det.draw([Series(name, fmr, fnmr, note=f"EER {curves.eer(scores):.4f}")])


def _f1(pairs: PairScores, _name: str) -> Plot:
    scores = pairs.counted(Failures.DIFFERENT).set
    steps = curves.curve(scores).thinned(400).thresholds
    low = float(min(scores.mated[0], np.median(scores.non_mated)))
    at = steps[steps >= low]
    told = curves.tally(scores, at)
    return f1_accuracy.draw(at, told.f1, told.accuracy, baseline=curves.always_different(scores))


def _rates(pairs: PairScores, _name: str) -> Plot:
    steps = curves.curve(pairs.counted(Failures.DIFFERENT).set).thinned(600)
    return rates.draw(steps.thresholds, steps.fmr, steps.fnmr)


#: figure -> how it is drawn from pairs and the name of their set
KINDS: Mapping[str, Callable[[PairScores, str], Plot]] = MappingProxyType(
    {
        "histograms": _histograms,
        "roc": _roc,
        "det": _det,
        "f1_accuracy": _f1,
        "rates": _rates,
    }
)
