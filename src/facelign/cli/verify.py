"""``facelign verify``: do two photos show the same person?"""

from __future__ import annotations

from typing import Annotated

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

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


def verify(
    a: A,
    b: B,
    json: options.Json = False,
    draw: options.Draw = None,
    threshold: ThresholdText = None,
    fmr: Fmr = None,
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
    from facelign.cli import building, records
    from facelign.cli.output import emit, line
    from facelign.cli.pictures import pair
    from facelign.compare import scores

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
    policy = building.policy(face, largest, "largest")
    result = recognizer.compare(photo_a, photo_b, threshold=limit, policy=policy)
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
    return f"{answer}: score {record['score']:.3f} ({record['metric']} {record['distance']:.3f})"
