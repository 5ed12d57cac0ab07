"""``facelign identify``: names for faces, or Unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import Photos, command
from facelign.cli.output import emit, failure, line, progress
from facelign.cli.pictures import Pictures, names
from facelign.files.home import gallery_path
from facelign.types.policies import FacePolicy
from facelign.wire import records
from facelign.wire.options import ChainFlags, FaceFlags, GalleryFlags, NamingFlags, OutputFlags
from facelign.wire.tables import Table

if TYPE_CHECKING:
    from facelign.recognition.results import Identification


@command
def identify(
    photos: Photos,
    where: GalleryFlags,
    output: OutputFlags,
    naming: NamingFlags,
    which: FaceFlags,
    chain: ChainFlags,
) -> int:
    """Name every face of every photo, or say Unknown; exit 1 when nobody is known."""
    found = building.listing(photos)
    recognizer = building.recognizer(chain)
    recognizer.prepare()  # the embedding network opens while the rest is loaded
    path = gallery_path(where.gallery)
    policy = which.policy(FacePolicy.BEST) if which != FaceFlags() else None
    options = building.naming(naming, recognizer, path, policy)
    pictures = Pictures(output.draw, found)
    keep = output.draw is not None
    failed = known = False
    with (
        Table(output.out) as table,
        building.opened(path, recognizer) as gallery,
        progress("identifying", len(found.files)) as done,
    ):
        for record in found.missing:
            failed = True
            _say(record, None, output)
            table.add(record)
        for result in gallery.identify_many(found.files, options, keep=keep, done=done):
            record = records.identify_record(result)
            failed |= result.error is not None
            known |= any(face.person for face in result.faces)
            _say(record, result, output)
            table.add(record)
            pictures.faces(result.analysis, names(result))
    if failed:
        return Exit.INPUT
    return Exit.DONE if known else Exit.NO


def _say(record: records.Record, result: Identification | None, output: OutputFlags) -> None:
    if output.json:
        emit(record)
    elif record["error"] or result is None:
        failure(record["image"], record["error"])
    elif not result.faces:
        line(f"{record['image']}: no face")
    else:
        line(f"{record['image']}:")
        for face in result.faces:
            candidates = face.answer.candidates
            # a classifier may choose another one than the first
            best = next((c for c in candidates if c.person == face.person), None)
            best = best or (candidates[0] if candidates else None)
            nearest = f", nearest {best.person} {best.score:.3f}" if best else ""
            if face.person and best:
                margin = face.answer.margin
                ahead = margin is not None and best.rank == 1
                lead = f", {margin:.3f} ahead of the next" if ahead else ""
                line(f"    {face.person} (score {best.score:.3f}{lead})")
            else:
                line(f"    Unknown ({face.answer.reason}{nearest})")
