"""The report of landmark runs over one set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facelign.datasets.point_table import PointTable
from facelign.lab.landmarks import figures
from facelign.lab.landmarks.run import LandmarkRun
from facelign.lab.statistics.rates import percent
from facelign.lab.statistics.resampling import DRAWS, SEED
from facelign.report.page import Fact, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import ced


def ced_of(runs: Sequence[LandmarkRun]) -> Plot:
    """Return the CED of every run in one figure."""
    limits = np.linspace(0, 0.15, 301)
    lines = [
        Series(
            f"{run.model} in boxes of {run.detector}",
            limits,
            figures.ced(run.report.errors, limits, missed=run.report.missed),
            note=f"AUC@0.08 {run.report.to_dict()['auc_0.08']:.3f}",
        )
        for run in runs
    ]
    return ced.draw(lines, normalizer=f"{runs[0].report.normalizer} distance")


def report(truth: PointTable, runs: Sequence[LandmarkRun], provenance: Mapping[str, str]) -> Report:
    """Return the report of landmark runs over one set."""
    plain = [run.report.to_dict() for run in runs]
    divisor = runs[0].report.normalizer
    verdict = _best_points(truth, runs)
    columns = (
        *("model", "detector", "points", "NME", "median"),
        *("AUC@0.08", "AUC@0.10", "FR@0.08", "FR@0.10", "missed"),
    )
    rows = [run.cells() for run in runs]
    note = (
        f"NME: mean distance of visible points over the {divisor} distance; figures of another "
        "normalizer, or over other points, are not comparable. Faces that were not found count as "
        "failures in AUC and FR."
    )
    sections = [
        Section(
            "All models", figures=[ced_of(runs)], tables=[Table("Errors", columns, rows, note)]
        ),
        Section(
            "By turn of the head",
            ("Turn: how far the nose lies beside the eyes' middle, over the eyes' distance.",),
            tables=[
                Table(
                    f"{r.model} in boxes of {r.detector}",
                    ("turn", "NME"),
                    [(name, percent(value)) for name, value in r.report.by_yaw.items()],
                )
                for r in runs
            ],
        ),
        Section(
            "By point",
            tables=[
                Table(
                    f"{r.model} in boxes of {r.detector} ({r.compared})",
                    ("point", "NME"),
                    [(str(k), percent(value)) for k, value in enumerate(r.report.points)],
                )
                for r in runs
            ],
        ),
    ]
    headline = [
        Fact(
            f"NME, {r.model}",
            percent(t.get("nme")),
            _spread(r.report.errors),
            f"over the {divisor} distance",
        )
        for r, t in zip(runs, plain, strict=True)
    ]
    scope = f"{truth.name}: {len(truth):,} annotated faces"
    return Report("Landmarks", verdict, headline, sections, dict(provenance), scope)


def _best_points(truth: PointTable, runs: Sequence[LandmarkRun]) -> str:
    """Return the best model among those that were compared in the same points.

    By AUC, in which a face that was not found is a failure: a mean over found faces would favor
    the detector that misses the hard ones.
    """
    told = []
    schemes = list(dict.fromkeys(run.compared for run in runs))
    for scheme in schemes:
        held = [run for run in runs if run.compared == scheme and len(run.report.errors)]
        if not held:
            continue
        best = max(held, key=lambda run: (_area(run), -float(run.report.errors.mean())))
        report = best.report
        who = f"{best.model} in boxes of {best.detector}"
        if best.model == best.detector:
            who = best.detector
        mean, divisor = percent(report.errors.mean()), report.normalizer
        first = f"{scheme}: {who}" if len(schemes) > 1 else who
        ahead = ", the highest of " + str(len(held)) if len(held) > 1 else ""
        told.append(
            f"{first}, AUC@0.10 {_area(best):.3f}{ahead}, mean error {mean} of the {divisor} "
            f"distance; {report.missed} of {report.faces:,} faces were missed."
        )
    if not told:
        return f"No face of {truth.name} was found."
    more = " Means over other points do not tell which model is better." if len(told) > 1 else ""
    return " ".join(told) + more


def _area(run: LandmarkRun) -> float:
    return figures.auc(run.report.errors, 0.10, missed=run.report.missed)


def _spread(errors: npt.ArrayLike) -> str:
    """Return the 95 % interval of a mean error, by drawing faces. errors: (m,) >= 0."""
    told = np.asarray(errors, np.float64)
    told = told[np.isfinite(told)]
    if len(told) < 2:
        return ""
    draws = np.random.default_rng(SEED)
    means = [told[draws.integers(0, len(told), len(told))].mean() for _ in range(DRAWS)]
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{100 * low:.2f} to {100 * high:.2f} % (95 %, over faces)"
