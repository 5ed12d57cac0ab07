"""``facelign evaluate landmarks``: how far points lie from where people put them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import line, note, progress
from facelign.errors import ConfigError
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from collections.abc import Callable

    from facelign.datasets.point_table import PointTable
    from facelign.lab.landmarks.run import LandmarkRun
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.faces import Faces
    from facelign.types.image import Image

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="A table (.csv, .csv.gz), a folder of .pts, imglab .xml, keypoint .json or WFLW .txt.",
    ),
]
Images = Annotated[
    Path | None, typer.Option("--images", help="Folder of the photos (default: beside the data).")
]
SchemeName = Annotated[
    str, typer.Option("--scheme", help="Scheme of the points (default: told by count and name).")
]
Landmarkers = Annotated[
    str, typer.Option("--landmarks", help="Landmarkers, by id; none for the detector's points.")
]
Detectors = Annotated[str, typer.Option("--detectors", help="Detectors, by id.")]
NormalizerName = Annotated[
    str, typer.Option("--normalizer", help="inter-ocular, inter-pupil or box; never mixed.")
]
Points = Annotated[
    str,
    typer.Option(
        "--points", help="five, dlib-5 or ibug-68: compare all in these (default: the richest)."
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="At most this many faces; 0 for all.")]


@command
def landmarks(
    data: Data,
    images: Images = None,
    scheme: SchemeName = "",
    landmarks: Landmarkers = "dlib-68",
    detectors: Detectors = DEFAULT_DETECTOR,
    normalizer: NormalizerName = "inter-ocular",
    points: Points = "",
    limit: Limit = 0,
    *,
    pages: inputs.PageFlags,
    output: JsonFlag,
) -> int:
    """Measure points against annotated ones: NME, CED, AUC and failure rate.

    A face that the detector does not find stays a failure. Several models are told side by side.
    """
    pages.check()
    from facelign.datasets.points import read_annotated
    from facelign.lab.landmarks import run as landmark_run
    from facelign.lab.landmarks.figures import Normalizer

    try:
        divisor = Normalizer(normalizer)
    except ValueError as error:
        known = ", ".join(Normalizer)
        raise ConfigError(f"There is no normalizer '{normalizer}'.", f"Known: {known}.") from error
    truth = read_annotated(data, images, scheme).every(limit)
    runs: list[LandmarkRun] = []
    heads = [
        (model, detector)
        for detector in trials.named("--detectors", detectors)
        for model in trials.named("--landmarks", landmarks)
    ]
    for model, detector in heads:  # before the first photo, so that no run ends half-way
        landmark_run.comparable(*_given(model, detector, truth.scheme, points))
    with progress("landmarks", len(truth) * len(heads)) as done:
        for model, detector in heads:
            marks = None if model == "none" else model
            walk = building.finder(ChainFlags(detector=detector, landmarker=marks))
            run = landmark_run.run(
                truth,
                _faces_by(walk),
                model=marks or detector,
                detector=detector,
                normalizer=divisor,
                scheme=points,
                done=done,
            )
            runs.append(run)
    for run in runs:
        for photo, reason in list(run.unread.items())[:3]:
            note(f"{photo}: {reason}")
    head = {"set": truth.name, "faces": len(truth)}
    pages.finish(
        partial(_report, truth, runs),
        lambda: head | {"runs": [run.to_dict() for run in runs]},
        partial(_say, truth, runs),
        json=output.json,
    )
    return Exit.INPUT if any(run.unread for run in runs) else Exit.DONE


def _faces_by(walk: Recognizer) -> Callable[[Image], Faces]:
    return lambda image: walk.find(image).faces


def _given(model: str, detector: str, truth: str, wanted: str) -> tuple[str | None, str, str, str]:
    """Return what ``landmarks.run.comparable`` asks for."""
    from facelign import models
    from facelign.types.specs import DetectorOutput, LandmarkerOutput, Task

    known = models.default()
    output = known.spec(Task.DETECT, detector).output
    if model != "none":
        output = known.spec(Task.LANDMARK, model).output
    scheme = output.scheme if isinstance(output, DetectorOutput | LandmarkerOutput) else None
    return scheme, truth, wanted, detector if model == "none" else model


_ROW = "{:12} {:9} {:8} {:>7} {:>7} {:>9} {:>9} {:>8} {:>8} {:>7}"


def _say(truth: PointTable, runs: list[LandmarkRun]) -> None:
    from facelign.lab.statistics.rates import percent

    name = runs[0].report.normalizer
    line(f"{truth.name}: {counted(len(truth), 'face')}; errors divided by the {name} distance")
    heads = ("model", "detector", "points", "NME", "median", "AUC@0.08", "AUC@0.10")
    line(_ROW.format(*heads, "FR@0.08", "FR@0.10", "missed"))
    for run in runs:
        line(_ROW.format(*run.cells()))
    hidden = len(truth) - runs[0].report.faces
    if hidden:
        line(f"left out: {counted(hidden, 'face')} without the points that {name} needs")
    if len({run.compared for run in runs}) > 1:
        line(
            "Means over other points are other figures and do not tell which model is better: "
            "--points five (or dlib-5) compares all in the same."
        )
    for run in runs:
        if not run.report.by_yaw:
            continue
        turns = ", ".join(f"{k}: {percent(v)}" for k, v in run.report.by_yaw.items())
        line(f"{run.model} by turn of the head (nose aside, over the eyes' distance): {turns}")


def _report(truth: PointTable, runs: list[LandmarkRun]) -> Report:
    from facelign.lab.landmarks import report as page
    from facelign.types.specs import Task

    models = [(Task.DETECT, run.detector) for run in runs]
    models += [(Task.LANDMARK, run.model) for run in runs if run.model != run.detector]
    more = {"set": truth.name, "normalizer": runs[0].report.normalizer}
    return page.report(truth, runs, inputs.provenance(None, more, models))
