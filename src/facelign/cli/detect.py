"""``facelign detect``: boxes and points of every face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.flags import Photos, PoseOf, QualityOf, command, without
from facelign.cli.output import emit, line, progress
from facelign.cli.pictures import Pictures
from facelign.cli.results import reporting
from facelign.errors import ConfigError, InputError
from facelign.types.wording import counted
from facelign.wire import records
from facelign.wire.options import ChainFlags, OutputFlags

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
    quality: QualityOf = None,
    pose: PoseOf = None,
    *,
    chain: Annotated[ChainFlags, without("model", "layout", "flip")],
) -> int:
    """Find every face: box, score and points, in pixels of the upright photo."""
    from facelign.recognition.recognizer import Stage

    found = building.listing(photos, results=output.draw)
    recognizer = building.finder(chain)
    if explain:
        return _explain(recognizer, found, output)
    pictures = Pictures(output.draw, found)
    judge, heads = building.judge(quality), building.heads(pose)
    keep = output.draw is not None or judge is not None or heads is not None
    with reporting(output, "detect") as results, progress("detecting", len(found.files)) as done:
        for record in found.missing:
            results.add(record)
        for analysis in recognizer.stream(found.files, until=Stage.DETECT, keep=keep, done=done):
            record = building.judged(records.photo_record(analysis), analysis, judge)
            record = building.posed(record, analysis, heads)
            results.add(record, _lines(record))
            pictures.add(analysis)
    return results.code


def _lines(record: records.Record) -> Iterator[str]:
    faces = record["faces"]
    tries = f" ({', '.join(record['attempts'])})" if record.get("attempts") else ""
    yield f"{record['image']}: {counted(len(faces), 'face')}{tries}"
    for face in faces:
        x1, y1, x2, y2 = face["box"]
        told = f" quality {face['quality']:.2f}" if "quality" in face else ""
        told += "".join(f" {name} {angle:.0f}" for name, angle in face.get("pose", {}).items())
        yield f"    {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f} score {face['score']:.2f}{told}"


def _explain(recognizer: Recognizer, photos: building.Listed, output: OutputFlags) -> int:
    from facelign.types.contracts import StagedDetector

    detector = recognizer.chain.finder.detector
    if not isinstance(detector, StagedDetector):
        raise ConfigError(
            f"Detector '{recognizer.chain.preset.detector}' has no stages to explain.",
            "Use --detector mtcnn.",
        )
    failed = list(photos.missing)
    for file in photos.files:
        try:
            explained = detector.stages(recognizer.read(file))
        except InputError as error:
            failed.append(records.failure(file, error))
            continue
        if output.json:
            emit({"image": file, **explained.record()})
        else:
            line(f"{file}:")
            for text in explained.lines():
                line(f"    {text}")
    with reporting(OutputFlags(json=output.json), "detect") as results:
        for record in failed:
            results.add(record)
    return results.code
