"""``facelign detect``: boxes and points of every face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.cli.building import Photos as Listed
    from facelign.recognition.recognizer import Recognizer

Explain = Annotated[
    bool,
    typer.Option("--explain", help="Show what each stage of the detector kept (mtcnn)."),
]


def detect(
    photos: options.Photos,
    json: options.Json = False,
    draw: options.Draw = None,
    out: options.Out = None,
    explain: Explain = False,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
    workers: options.Workers = None,
) -> int:
    """Find every face: box, score and points, in pixels of the upright photo."""
    from facelign.cli import building
    from facelign.cli.output import progress
    from facelign.cli.pictures import Pictures
    from facelign.recognition.recognizer import Stage
    from facelign.wire import records
    from facelign.wire.tables import Table

    found = building.listing(photos)
    recognizer = building.recognizer(
        layout="crop",  # no chip is cut here; crop asks a detector for a box only
        embeds=False,
        preset=preset,
        detector=detector,
        landmarks=landmarks,
        preprocess=preprocess,
        downscale=downscale,
        padded=padded,
        rotate=rotate,
        workers=workers,
    )
    if explain:
        return _explain(recognizer, found, json)
    pictures = Pictures(draw, found)
    failed = False
    with Table(out) as table, progress("detecting", len(found.files)) as done:
        for record in found.missing:
            failed = True
            _say(record, json)
            table.add(record)
        for result in recognizer.stream(
            found.files, until=Stage.DETECT, keep=draw is not None, done=done
        ):
            record = records.photo_record(result)
            failed |= result.error is not None
            _say(record, json)
            table.add(record)
            pictures.faces(result, [f"{face.score:.2f}" for face in result.faces])
    return Exit.INPUT if failed else Exit.DONE


def _say(record: dict[str, Any], json: bool) -> None:
    from facelign.cli.output import emit, failure, line

    if json:
        emit(record)
    elif record["error"]:
        failure(record["image"], record["error"])
    else:
        faces = record["faces"]
        tries = f" ({', '.join(record['attempts'])})" if record.get("attempts") else ""
        line(f"{record['image']}: {len(faces)} face{'s' * (len(faces) != 1)}{tries}")
        for face in faces:
            x1, y1, x2, y2 = face["box"]
            line(f"    {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f} score {face['score']:.2f}")


def _explain(recognizer: Recognizer, photos: Listed, json: bool) -> int:
    from facelign.cli.output import emit, line
    from facelign.errors import ConfigError, InputError
    from facelign.wire import records

    stages = getattr(recognizer.chain.detector, "stages", None)
    if stages is None:
        raise ConfigError(
            f"Detector '{recognizer.chain.preset.detector}' has no stages to explain.",
            "Use --detector mtcnn.",
        )
    failed = list(photos.missing)
    for file in photos.files:
        try:
            shown = stages(recognizer.read(file))
        except InputError as error:
            failed.append(records.failure(file, error))
            continue
        if json:
            emit({"image": file, **shown.record()})
        else:
            line(f"{file}:")
            for text in shown.lines():
                line(f"    {text}")
    for record in failed:
        _say(record, json)
    return Exit.INPUT if failed else Exit.DONE
