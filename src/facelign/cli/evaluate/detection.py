"""``facelign evaluate detection``: detectors against annotated boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import emit, line, note, progress
from facelign.errors import DatasetMissing

if TYPE_CHECKING:
    from facelign.lab.detection.run import DetectionRun
    from facelign.report.page import Report

TruthFile = Annotated[
    Path, typer.Option("--truth", help="Boxes in WIDER FACE's text form (*_bbx_gt.txt).")
]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder that the paths of the file start at.")
]
Empty = Annotated[Path | None, typer.Option("--without", help="Folder of photos that show nobody.")]
Detectors = Annotated[str, typer.Option("--detectors", help="Detectors, by id.")]
Smallest = Annotated[
    float, typer.Option("--smallest", min=0, help="Faces under this height, px, do not count.")
]
Threshold = Annotated[
    float | None,
    typer.Option("--score-threshold", help="Another smallest score, for a longer curve."),
]


@command
def detection(
    truth: TruthFile,
    images: Images = None,
    without: Empty = None,
    detectors: Detectors = "yunet",
    smallest: Smallest = 0.0,
    score_threshold: Threshold = None,
    *,
    pages: inputs.PageFlags,
    output: JsonFlag,
) -> int:
    """Measure detectors: AP, recall by face height, false faces, meaning of scores, ms and MB."""
    pages.check()
    from facelign import models
    from facelign.datasets.widerface import read_boxes
    from facelign.lab.detection import run as detection_run

    photos = read_boxes(truth, images)
    empty = _empty(without)
    store = models.Store.from_environment()
    names = trials.named("--detectors", detectors)
    settings: dict[str, Any] = (
        {} if score_threshold is None else {"score_threshold": score_threshold}
    )
    runs: list[DetectionRun] = []
    with progress("detecting", (len(photos) + len(empty)) * len(names)) as done:
        for name in names:
            detector = models.detector(name, **settings)
            size = sum(path.stat().st_size for path in store.ready(detector.spec).values()) / 1e6
            run = detection_run.run(
                name,
                detector,
                photos,
                empty=empty,
                smallest=smallest,
                megabytes=size,
                done=done,
            )
            runs.append(run)
    for photo, reason in runs[0].unread.items():
        note(f"{photo}: {reason}")
    if pages.wanted:
        pages.write(_report(truth.name, runs, smallest))
    if output.json:
        emit({"set": truth.name, "runs": [run.to_dict() for run in runs]})
    else:
        _say(truth.name, runs, smallest)
    return Exit.INPUT if runs[0].unread else Exit.DONE


def _empty(folder: Path | None) -> list[Path]:
    """Return the photos that show nobody; raises DatasetMissing for a folder without any."""
    if folder is None:
        return []
    listed = building.listing([str(folder)])
    if listed.missing or not listed.files:
        why = listed.missing[0]["error"] if listed.missing else f"{folder} holds no photo."
        raise DatasetMissing(f"--without: {why}", "Give a folder of photos that show nobody.")
    return [Path(file) for file in listed.files]


def _say(name: str, runs: list[DetectionRun], smallest: float) -> None:
    first = runs[0].report.matched
    counted = f", of at least {smallest:g} px" if smallest else ""
    line(f"{name}: {first.photos} photos, {first.faces} faces{counted}")
    line(
        f"{'detector':10} {'AP':>6} {'recall':>7} {'false':>6} {'overlapping':>12} "
        f"{'false/1000 empty':>17} {'ms':>6} {'MB':>6} {'peak MB':>8}"
    )
    for run in runs:
        plain = run.report.to_dict()
        recall = "-" if plain["recall"] is None else f"{plain['recall']:.3f}"
        crowded = f"{run.crowded[0]:.3f} of {run.crowded[1]}" if run.crowded[1] else "-"
        empty = "-" if run.false_per_thousand is None else f"{run.false_per_thousand:.0f}"
        peak = "-" if run.peak_mb is None else f"{run.peak_mb:.0f}"
        line(
            f"{run.detector:10} {plain['ap']:6.3f} {recall:>7} {plain['false_faces']:>6} "
            f"{crowded:>12} {empty:>17} {run.ms:6.0f} {run.megabytes:6.1f} {peak:>8}"
        )
    for run in runs:
        if run.empty:
            low, high = run.empty.interval
            line(
                f"{run.detector}, false faces in {run.empty.with_faces} of "
                f"{run.empty.photos} photos that show nobody "
                f"({100 * low:.1f} to {100 * high:.1f} % of such photos, 95 %)"
            )
        heights = run.report.to_dict()["recall_by_height"]
        by_height = [f"{k}: {v['recall']:.2f} of {v['faces']}" for k, v in heights.items()]
        line(f"{run.detector}, recall by height: {', '.join(by_height)}")
        meaning = ", ".join(f"{k}: {v:.2f}" for k, v in run.meaning.items())
        line(f"{run.detector}, share of true faces by score: {meaning}")


def _report(name: str, runs: list[DetectionRun], smallest: float) -> Report:
    from facelign.lab.detection import report as page
    from facelign.types.specs import Task

    more = {"set": name, "smallest face, px": f"{smallest:g}", "IoU of a match": "0.5"}
    models = [(Task.DETECT, run.detector) for run in runs]
    return page.report(name, runs, inputs.provenance(None, more, models))
