"""The report of detectors over one set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facelign.lab.detection import figures
from facelign.lab.detection.run import DetectionRun
from facelign.lab.statistics.rates import percent
from facelign.report.page import Fact, Report, Section, Table
from facelign.report.plot import Series
from facelign.report.plots import precision_recall


def report(name: str, runs: Sequence[DetectionRun], provenance: Mapping[str, str]) -> Report:
    """Return the report of detectors over one set."""
    plain = [run.to_dict() for run in runs]
    best = max(range(len(runs)), key=lambda k: plain[k]["ap"])
    run, first = runs[best], plain[best]
    verdict = (
        f"{run.detector} has the highest average precision, {first['ap']:.3f}: it finds "
        f"{100 * (first['recall'] or 0):.0f} % of {first['faces']} faces and makes up "
        f"{first['false_faces']}, in {run.ms:.0f} ms a photo."
    )
    columns = (
        *("detector", "AP", "recall", "false faces", "recall, overlapping"),
        *("false per 1,000 empty photos", "ms", "MB", "peak MB"),
    )
    rows = [run.cells() for run in runs]
    note = (
        "AP at IoU 0.5, down to each detector's own smallest score; faces marked invalid count "
        "neither way. Boxes of other shape cost a detector here: dlib's are tighter than WIDER's."
    )
    lines = []
    for r, t in zip(runs, plain, strict=True):
        precision, recall = figures.precision_recall(r.matched)
        lines.append(Series(r.detector, recall, precision, note=f"AP {t['ap']:.3f}"))
    heights = list(dict.fromkeys(h for t in plain for h in t["recall_by_height"]))
    by_height = [
        (
            height,
            str(next(t["recall_by_height"][height]["faces"] for t in plain)),
            *(percent(t["recall_by_height"][height]["recall"], 1) for t in plain),
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
                    [(score, percent(share, 1)) for score, share in r.meaning.items()],
                )
                for r in runs
            ],
        ),
    ]
    headline = [
        Fact(f"AP, {r.detector}", f"{t['ap']:.3f}") for r, t in zip(runs, plain, strict=True)
    ]
    scope = f"{name}: {first['photos']} photos, {first['faces']} faces"
    return Report("Detectors", verdict, headline, sections, dict(provenance), scope)
