"""Landmark and detection runs as reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from facelign.lab.detection.figures import precision_recall as points_of
from facelign.lab.detection.run import DetectionRun
from facelign.lab.landmarks import figures as landmarks
from facelign.lab.landmarks.run import Annotated, LandmarkRun
from facelign.lab.statistics.resampling import DRAWS, SEED
from facelign.report.page import Fact, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import ced, precision_recall


def ced_of(runs: Sequence[LandmarkRun]) -> Plot:
    """Return the CED of every run in one figure."""
    limits = np.linspace(0, 0.15, 301)
    lines = [
        Series(
            f"{run.model} in boxes of {run.detector}",
            limits,
            landmarks.ced(run.report.errors, limits, missed=run.report.missed),
            note=f"AUC@0.08 {run.report.to_dict()['auc_0.08']:.3f}",
        )
        for run in runs
    ]
    return ced.draw(lines, normalizer=f"{runs[0].report.normalizer} distance")


def landmark_report(
    truth: Annotated, runs: Sequence[LandmarkRun], provenance: Mapping[str, str]
) -> Report:
    """Return the report of landmark runs over one set."""
    told = [run.report.to_dict() for run in runs]
    divisor = runs[0].report.normalizer
    verdict = _best_points(truth, runs)
    columns = (
        *("model", "detector", "points", "NME", "median"),
        *("AUC@0.08", "AUC@0.10", "FR@0.08", "FR@0.10", "missed"),
    )
    rows = [
        (
            r.model,
            r.detector,
            r.compared,
            f"{t['nme']:.4f}" if "nme" in t else "-",
            f"{t['nme_median']:.4f}" if "nme" in t else "-",
            *(f"{t[k]:.3f}" for k in ("auc_0.08", "auc_0.10", "fr_0.08", "fr_0.10")),
            str(r.report.missed),
        )
        for r, t in zip(runs, told, strict=True)
    ]
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
                    [(name, f"{value:.4f}") for name, value in r.report.by_yaw.items()],
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
                    [(str(k), f"{value:.4f}") for k, value in enumerate(r.report.points)],
                )
                for r in runs
            ],
        ),
    ]
    headline = [
        Fact(
            f"NME, {r.model}",
            f"{t['nme']:.4f}" if "nme" in t else "-",
            _spread(r.report.errors),
            f"over the {divisor} distance",
        )
        for r, t in zip(runs, told, strict=True)
    ]
    scope = f"{truth.name}: {len(truth):,} annotated faces"
    return Report("Landmarks", verdict, headline, sections, dict(provenance), scope)


def _best_points(truth: Annotated, runs: Sequence[LandmarkRun]) -> str:
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
        mean, divisor = 100 * report.errors.mean(), report.normalizer
        first = f"{scheme}: {who}" if len(schemes) > 1 else who
        ahead = ", the highest of " + str(len(held)) if len(held) > 1 else ""
        told.append(
            f"{first}, AUC@0.10 {_area(best):.3f}{ahead}, mean error {mean:.2f} % of the {divisor} "
            f"distance; {report.missed} of {report.faces:,} faces were missed."
        )
    if not told:
        return f"No face of {truth.name} was found."
    more = " Means over other points do not tell which model is better." if len(told) > 1 else ""
    return " ".join(told) + more


def _area(run: LandmarkRun) -> float:
    return landmarks.auc(run.report.errors, 0.10, missed=run.report.missed)


def _spread(errors: npt.ArrayLike) -> str:
    """Return the 95 % interval of a mean error, by drawing faces. errors: (m,) >= 0."""
    told = np.asarray(errors, np.float64)
    told = told[np.isfinite(told)]
    if len(told) < 2:
        return ""
    draws = np.random.default_rng(SEED)
    means = [told[draws.integers(0, len(told), len(told))].mean() for _ in range(DRAWS)]
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{low:.4f} to {high:.4f} (95 %, over faces)"


def detection_report(
    name: str, runs: Sequence[DetectionRun], provenance: Mapping[str, str]
) -> Report:
    """Return the report of detectors over one set."""
    told = [run.to_dict() for run in runs]
    best = max(range(len(runs)), key=lambda k: told[k]["ap"])
    run, first = runs[best], told[best]
    verdict = (
        f"{run.detector} has the highest average precision, {first['ap']:.3f}: it finds "
        f"{100 * (first['recall'] or 0):.0f} % of {first['faces']} faces and makes up "
        f"{first['false_faces']}, in {run.ms:.0f} ms a photo."
    )
    columns = (
        *("detector", "AP", "recall", "false faces", "recall, overlapping"),
        *("false per 1,000 empty photos", "ms", "MB", "peak MB"),
    )
    rows = [
        (
            r.detector,
            f"{t['ap']:.3f}",
            "-" if t["recall"] is None else f"{t['recall']:.3f}",
            str(t["false_faces"]),
            f"{r.crowded[0]:.3f} of {r.crowded[1]}" if r.crowded[1] else "-",
            "-" if r.false_per_thousand is None else f"{r.false_per_thousand:.0f}",
            f"{r.ms:.0f}",
            f"{r.megabytes:.1f}",
            "-" if r.peak_mb is None else f"{r.peak_mb:.0f}",
        )
        for r, t in zip(runs, told, strict=True)
    ]
    note = (
        "AP at IoU 0.5, down to each detector's own smallest score; faces marked invalid count "
        "neither way. Boxes of other shape cost a detector here: dlib's are tighter than WIDER's."
    )
    lines = []
    for r, t in zip(runs, told, strict=True):
        precision, recall = points_of(r.report.matched)
        lines.append(Series(r.detector, recall, precision, note=f"AP {t['ap']:.3f}"))
    heights = list(dict.fromkeys(h for t in told for h in t["recall_by_height"]))
    by_height = [
        (
            height,
            str(next(t["recall_by_height"][height]["faces"] for t in told)),
            *(f"{t['recall_by_height'][height]['recall']:.3f}" for t in told),
        )
        for height in heights
    ]
    sections = [
        Section(
            "Detectors side by side",
            figures=[precision_recall.draw(lines, title=name)],
            tables=[Table("Detectors", columns, rows, note)],
        ),
        Section(
            "By height of the face",
            tables=[Table("Recall", ("height", "faces", *(r.detector for r in runs)), by_height)],
        ),
        Section(
            "What a score means",
            ("Share of true faces among detections of a score, by a monotone fit.",),
            tables=[
                Table(
                    r.detector,
                    ("score", "share of true faces"),
                    [(score, f"{share:.3f}") for score, share in r.meaning.items()],
                )
                for r in runs
            ],
        ),
    ]
    headline = [
        Fact(f"AP, {r.detector}", f"{t['ap']:.3f}") for r, t in zip(runs, told, strict=True)
    ]
    scope = f"{name}: {first['photos']} photos, {first['faces']} faces"
    return Report("Detectors", verdict, headline, sections, dict(provenance), scope)
