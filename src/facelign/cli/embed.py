"""``facelign embed``: the vector of every face."""

from __future__ import annotations

from collections.abc import Iterator

from facelign.cli import building
from facelign.cli.flags import Photos, QualityOf, command
from facelign.cli.output import progress
from facelign.cli.pictures import Pictures
from facelign.cli.results import reporting
from facelign.types.wording import counted
from facelign.wire import records
from facelign.wire.options import ChainFlags, OutputFlags


@command
def embed(photos: Photos, output: OutputFlags, chain: ChainFlags, quality: QualityOf = None) -> int:
    """Turn every face into a vector. Vectors are biometric data: keep them as such."""
    found = building.listing(photos, results=output.draw)
    recognizer = building.recognizer(chain)
    space = recognizer.space
    pictures = Pictures(output.draw, found)
    judge = building.judge(quality)
    keep = output.draw is not None or judge is not None
    with reporting(output, "embed") as results, progress("embedding", len(found.files)) as done:
        for record in found.missing:
            results.add(record)
        for analysis in recognizer.stream(found.files, keep=keep, done=done):
            record = records.embed_record(analysis, space.id)
            record = building.judged(record, analysis, judge)
            results.add(record, _lines(record, space.dim))
            pictures.add(analysis)
    return results.code


def _lines(record: records.Record, dim: int) -> Iterator[str]:
    with_vector = sum(face["embedding"] is not None for face in record["faces"])
    yield (
        f"{record['image']}: {with_vector} of {counted(len(record['faces']), 'face')} embedded, "
        f"{dim} numbers each in space {record['space']}"
    )
