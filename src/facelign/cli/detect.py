"""``facelign detect``: boxes and points of every face."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import Photos, command, without
from facelign.cli.output import emit, failure, line, progress
from facelign.cli.pictures import Pictures
from facelign.errors import ConfigError, InputError
from facelign.wire import records
from facelign.wire.options import ChainFlags, OutputFlags
from facelign.wire.tables import Table

if TYPE_CHECKING:
    from facelign.recognition.recognizer import Recognizer

Explain = Annotated[
    bool,
    typer.Option("--explain", help="Show what each stage of the detector kept (mtcnn)."),
]


@command
def detect(
    photos: Photos,
    output: OutputFlags,
    explain: Explain = False,
    *,
    chain: Annotated[ChainFlags, without("model", "layout", "flip")],
) -> int:
    """Find every face: box, score and points, in pixels of the upright photo."""
    found = building.listing(photos)
    # no chip is cut here; crop asks a detector for a box only
    recognizer = building.recognizer(replace(chain, layout="crop"), embeds=False)
    if explain:
        return _explain(recognizer, found, output)
    from facelign.recognition.recognizer import Stage

    pictures = Pictures(output.draw, found)
    keep = output.draw is not None
    failed = False
    with Table(output.out) as table, progress("detecting", len(found.files)) as done:
        for record in found.missing:
            failed = True
            _say(record, output)
            table.add(record)
        for result in recognizer.stream(found.files, until=Stage.DETECT, keep=keep, done=done):
            record = records.photo_record(result)
            failed |= result.error is not None
            _say(record, output)
            table.add(record)
            pictures.faces(result, [f"{face.score:.2f}" for face in result.faces])
    return Exit.INPUT if failed else Exit.DONE


def _say(record: records.Record, output: OutputFlags) -> None:
    if output.json:
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


def _explain(recognizer: Recognizer, photos: building.Photos, output: OutputFlags) -> int:
    from facelign.types.contracts import StagedDetector  # loads arrays, which --help does without

    detector = recognizer.chain.finder.detector
    if not isinstance(detector, StagedDetector):
        raise ConfigError(
            f"Detector '{recognizer.chain.preset.detector}' has no stages to explain.",
            "Use --detector mtcnn.",
        )
    failed = list(photos.missing)
    for file in photos.files:
        try:
            shown = detector.stages(recognizer.read(file))
        except InputError as error:
            failed.append(records.failure(file, error))
            continue
        if output.json:
            emit({"image": file, **shown.record()})
        else:
            line(f"{file}:")
            for text in shown.lines():
                line(f"    {text}")
    for record in failed:
        _say(record, output)
    return Exit.INPUT if failed else Exit.DONE
