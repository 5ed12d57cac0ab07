"""Figures of one run from the scores of its pairs."""

from __future__ import annotations

import numpy as np

from facelign.compare import curves
from facelign.compare.pairs import Failures, PairScores
from facelign.lab.statistics.rates import percent
from facelign.report.plot import Plot, Series
from facelign.report.plots import det, f1_accuracy, histograms, rates, roc

KINDS = ("histograms", "roc", "det", "f1_accuracy", "rates")


def draw(kind: str, pairs: PairScores, name: str, counting: Failures = Failures.DIFFERENT) -> Plot:
    """Return the figure of that kind (of ``KINDS``) from pairs and the name of their set.

    counting: how pairs without a score count, as in the run: then its best F1 is told the same.
    """
    scores = pairs.counted(counting).set
    if kind == "histograms":
        held = pairs.counted(Failures.LEFT_OUT)
        best = curves.best_by_f1(scores).threshold
        title = f"Scores of pairs of {name}; threshold of the best F1"
        same = held.same
        return histograms.draw(held.scores[same], held.scores[~same], threshold=best, title=title)
    if kind == "roc":
        line = Series(name, *curves.roc(scores), note=f"AUC {curves.auc(scores):.4f}")
        return roc.draw([line], lowest=1 / max(len(scores.non_mated), 10), title="ROC")
    if kind == "det":
        line = Series(name, *curves.det(scores), note=f"EER {percent(curves.eer(scores))}")
        return det.draw([line])
    if kind == "f1_accuracy":
        best = curves.best_by_f1(scores).threshold
        steps = np.union1d(curves.curve(scores).thinned(400).thresholds, best)
        at = steps[steps >= float(min(scores.mated[0], np.median(scores.non_mated)))]
        found = curves.tally(scores, at)
        baseline = curves.always_different(scores)
        return f1_accuracy.draw(at, found.f1, found.accuracy, baseline=baseline, best=best)
    line_of = curves.curve(scores).thinned(600)
    return rates.draw(line_of.thresholds, line_of.fmr, line_of.fnmr)
