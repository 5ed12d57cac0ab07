"""``facelign identify``: names for faces, or Unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import Photos, command
from facelign.cli.output import progress
from facelign.cli.pictures import Pictures
from facelign.cli.results import reporting
from facelign.cli.totals import Totals
from facelign.files.home import gallery_path
from facelign.recognition.options import LiveOptions
from facelign.types.policies import FacePolicy
from facelign.wire import records
from facelign.wire.options import ChainFlags, FaceFlags, GalleryFlags, NamingFlags, OutputFlags

if TYPE_CHECKING:
    from facelign.recognition.results import Identification


@command
def identify(
    photos: Photos,
    where: GalleryFlags,
    output: OutputFlags,
    naming: NamingFlags,
    which: FaceFlags,
    live: LiveOptions,
    chain: ChainFlags,
) -> int:
    """Name every face of every photo, or say Unknown; exit 1 when nobody is known."""
    found = building.listing(photos, results=output.draw)
    recognizer = building.recognizer(chain)
    recognizer.prepare()  # the embedding network opens while the rest is loaded
    path = gallery_path(where.gallery)
    policy = which.policy(FacePolicy.BEST) if which != FaceFlags() else None
    options = replace(building.naming(naming, recognizer, path, policy), live=live)
    check = recognizer.live_check(live)
    by = {} if check is None else {"liveness": records.liveness_record(check)}
    pictures = Pictures(output.draw, found)
    keep = output.draw is not None
    totals = Totals(len(found.missing))
    known = False
    with (
        reporting(output, "identify") as results,
        building.opened(path, recognizer) as gallery,
        progress("identifying", len(found.files)) as done,
    ):
        for record in found.missing:
            results.add(record)
        for answer in gallery.identify_many(found.files, options, keep=keep, done=done):
            totals.take(answer)
            known |= any(face.person for face in answer.faces)
            results.add(records.identify_record(answer) | by, _lines(answer))
            pictures.add(answer.analysis, answer)
    totals.tell(json=output.json)
    building.tell_live(check, json=output.json)
    return Exit.NO if results.code is Exit.DONE and not known else results.code


def _lines(found: Identification) -> Iterator[str]:
    source = found.analysis.photo.source
    yield f"{source}:" if found.faces else f"{source}: no face"
    for face in found.faces:
        candidates = face.answer.candidates
        # a classifier may choose another one than the first
        best = next((c for c in candidates if c.person == face.person), None)
        best = best or (candidates[0] if candidates else None)
        nearest = f", nearest {best.person} {best.score:.3f}" if best else ""
        if face.person and best:
            margin = face.answer.margin
            ahead = margin is not None and best.rank == 1
            lead = f", {margin:.3f} ahead of the next" if ahead else ""
            live = (
                ""
                if face.live is None
                else f"; {building.live_told(records.live_record(face.live))}"
            )
            yield f"    {face.person} (score {best.score:.3f}{lead}{live})"
        else:
            yield f"    Unknown ({face.answer.reason}{nearest})"
