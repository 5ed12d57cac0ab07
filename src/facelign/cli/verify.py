"""``facelign verify``: do two photos show the same person?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.recognition.selection import FacePolicy

A = Annotated[str, typer.Argument(help="A photo.", show_default=False)]
B = Annotated[str, typer.Argument(help="Another photo.", show_default=False)]
ThresholdText = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        help="A score, a published threshold by name (such as dlib-0.6), or a calibration file.",
    ),
]
Fmr = Annotated[
    float | None,
    typer.Option(
        "--fmr",
        help="False match rate at which the calibration decides (default: 0.001, or that of the "
        "calibration file).",
    ),
]
Fusion = Annotated[
    Path | None,
    typer.Option(
        "--fusion", help="A fitted ensemble (evaluate ensemble --save); it brings models and limit."
    ),
]


def verify(
    a: A,
    b: B,
    json: options.Json = False,
    draw: options.Draw = None,
    threshold: ThresholdText = None,
    fmr: Fmr = None,
    fusion: Fusion = None,
    face: options.FaceChoice = None,
    largest: options.Largest = False,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    model: options.Model = None,
    layout: options.LayoutName = None,
    flip: options.Flip = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
) -> int:
    """Compare two photos: exit 0 for the same person, 1 for different people."""
    from facelign.cli import building
    from facelign.cli.output import emit, line
    from facelign.cli.pictures import pair, spare
    from facelign.compare import scores
    from facelign.wire import records

    if fusion is not None:
        return _fused(fusion, a, b, building.policy(face, largest, "largest"), json)
    recognizer = building.recognizer(
        preset=preset,
        detector=detector,
        landmarks=landmarks,
        model=model,
        layout=layout,
        flip=flip,
        preprocess=preprocess,
        downscale=downscale,
        padded=padded,
        rotate=rotate,
    )
    limit = building.threshold(recognizer, threshold, fmr)
    photo_a, photo_b = (building.one(text) for text in (a, b))
    if draw is not None:
        spare([draw], (photo_a, photo_b))
    policy = building.policy(face, largest, "largest")
    result = recognizer.compare(
        photo_a,
        photo_b,
        threshold=limit,
        policy=policy,
        calibration=building.calibration(recognizer, threshold),
    )
    distance = scores.distance(limit.score, recognizer.space.metric)
    record = records.verify_record(result, distance)
    if draw is not None:
        pair(draw, result)
    if json:
        emit(record)
    else:
        line(_sentence(record))
        line(f"    threshold {record['threshold']['score']:.3f}: {limit.source}")
        for name in ("a", "b"):
            chosen = record[f"face_{name}"]
            if chosen["faces"] > 1:
                line(
                    f"    {record[name]}: face {chosen['face'] + 1} of {chosen['faces']} "
                    f"was compared ({policy})"
                )
    return Exit.DONE if result.decision.is_match else Exit.NO


def _sentence(record: dict[str, object]) -> str:
    answer = "same person" if record["same"] else "different people"
    distance = f"{record['metric']} distance {record['distance']:.3f}"
    return f"{answer}: score {record['score']:.3f} ({distance})"


def _fused(file: Path, a: str, b: str, policy: FacePolicy, json: bool) -> int:
    """Compare two photos by a fitted ensemble, which brings its models and its threshold."""
    from facelign.cli import building
    from facelign.cli.output import emit, line
    from facelign.recognition.fused import Ensemble

    photo_a, photo_b = (building.one(text) for text in (a, b))
    found = Ensemble.load(file).verify(photo_a, photo_b, policy=policy)
    limit = found.threshold
    if json:
        record = {
            "a": photo_a,
            "b": photo_b,
            "same": found.is_match,
            "score": found.score,
            "rule": found.rule,
            "scores": dict(found.scores),
            "threshold": {"score": limit.score, "fmr": limit.fmr, "source": limit.source},
        }
        emit(record)
    else:
        answer = "same person" if found.is_match else "different people"
        parts = ", ".join(f"{name} {value:.3f}" for name, value in found.scores.items())
        line(f"{answer}: {found.rule} {found.score:.3f} ({parts})")
        line(f"    threshold {limit.score:.3f}: {limit.source}")
    return Exit.DONE if found.is_match else Exit.NO
