"""``facelign evaluate detection``: detectors against annotated boxes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import line, note, progress
from facelign.errors import DatasetMissing
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.wording import counted

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
    detectors: Detectors = DEFAULT_DETECTOR,
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
    pages.finish(
        partial(_report, truth.name, runs, smallest),
        lambda: {"set": truth.name, "runs": [run.to_dict() for run in runs]},
        partial(_say, truth.name, runs, smallest),
        json=output.json,
    )
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


_ROW = "{:10} {:>6} {:>7} {:>6} {:>14} {:>17} {:>6} {:>6} {:>8}"


def _say(name: str, runs: list[DetectionRun], smallest: float) -> None:
    first = runs[0].matched
    least = f", of at least {smallest:g} px" if smallest else ""
    line(f"{name}: {counted(first.photos, 'photo')}, {counted(first.faces, 'face')}{least}")
    heads = ("detector", "AP", "recall", "false", "overlapping", "false/1000 empty")
    line(_ROW.format(*heads, "ms", "MB", "peak MB"))
    for run in runs:
        line(_ROW.format(*run.cells()))
    for run in runs:
        if run.empty:
            low, high = run.empty.interval
            line(
                f"{run.detector}, false faces in {run.empty.with_faces} of "
                f"{counted(run.empty.photos, 'photo that shows', 'photos that show')} nobody "
                f"({100 * low:.1f} to {100 * high:.1f} % of such photos, 95 %)"
            )
        heights = run.matched.to_dict()["recall_by_height"]
        by_height = [f"{k}: {100 * v['recall']:.0f} % of {v['faces']}" for k, v in heights.items()]
        line(f"{run.detector}, recall by height: {', '.join(by_height)}")
        meaning = ", ".join(f"{k}: {100 * v:.0f} %" for k, v in run.meaning.items())
        line(f"{run.detector}, share of true faces by score: {meaning}")


def _report(name: str, runs: list[DetectionRun], smallest: float) -> Report:
    from facelign.lab.detection import report as page
    from facelign.types.specs import Task

    more = {"set": name, "smallest face, px": f"{smallest:g}", "IoU of a match": "0.5"}
    models = [(Task.DETECT, run.detector) for run in runs]
    return page.report(name, runs, inputs.provenance(None, more, models))
