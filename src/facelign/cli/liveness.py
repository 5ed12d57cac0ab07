"""``facelign liveness``: is this a person before the camera, or a photo of one?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import Photos, command, completed_option, without
from facelign.cli.output import progress
from facelign.cli.pictures import Pictures
from facelign.cli.results import reporting
from facelign.recognition.options import DEFAULT_LIVENESS, LiveOptions
from facelign.types.policies import LiveMode
from facelign.wire import records
from facelign.wire.options import ChainFlags, OutputFlags

ModelId = Annotated[
    str,
    completed_option("--model", "The liveness model, by id (minifasnet, minifas-98).", "liveness"),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold", help="A score, or a file of calibrate --liveness (default: the model's own)."
    ),
]


@command
def liveness(
    photos: Photos,
    output: OutputFlags,
    model: ModelId = DEFAULT_LIVENESS,
    threshold: Threshold = None,
    *,
    chain: Annotated[ChainFlags, without("model", "layout", "flip")],
) -> int:
    """Tell living faces from photos of faces: exit 0 when all are live; never the only gate.

    A photo without a face, a face that is taken for an attack and one that could not be checked all
    end with exit 1.
    """
    from facelign.recognition.recognizer import Stage

    found = building.listing(photos, results=output.draw)
    recognizer = building.finder(chain)
    asked = LiveOptions(
        liveness=LiveMode.OBSERVE, liveness_model=model, liveness_threshold=threshold
    )
    check = recognizer.live_check(asked)
    assert check is not None  # noqa: S101 - it was asked for
    pictures = Pictures(output.draw, found)
    keep, live, by = output.draw is not None, True, records.liveness_record(check)
    with reporting(output, "liveness") as results, progress("looking", len(found.files)) as done:
        for record in found.missing:
            results.add(record)
        looked = recognizer.stream(
            found.files, until=Stage.DETECT, keep=keep, live=check, done=done
        )
        for analysis in looked:
            record = records.photo_record(analysis) | {"liveness": by}
            live &= _all_live(record)
            results.add(record, _lines(record))
            pictures.add(analysis)
    building.tell_live(check, json=output.json)
    return Exit.NO if results.code is Exit.DONE and not live else results.code


def _all_live(record: records.Record) -> bool:
    """Return whether a photo shows faces and every one is taken for live."""
    faces = record["faces"]
    return bool(faces) and all(face["live"]["decision"] == "live" for face in faces)


def _lines(record: records.Record) -> Iterator[str]:
    faces = record["faces"]
    yield f"{record['image']}:" if faces else f"{record['image']}: no face"
    for face in faces:
        x1, y1, x2, y2 = face["box"]
        where = f"{x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f}"
        yield f"    {where} {building.live_told(face['live'])}"
