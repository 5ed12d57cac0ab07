"""``facelign sort``: photos into a folder per person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.flags import Photos, command, only
from facelign.cli.output import note, progress
from facelign.cli.results import reporting
from facelign.cli.totals import Totals
from facelign.errors import ConfigError
from facelign.files.home import gallery_path
from facelign.types.wording import counted
from facelign.wire import records
from facelign.wire.options import ChainFlags, GalleryFlags, NamingFlags, OutputFlags

if TYPE_CHECKING:
    from facelign.recognition.options import IdentifyOptions
    from facelign.recognition.photo_gallery import PhotoGallery
    from facelign.recognition.recognizer import Recognizer

Target = Annotated[Path, typer.Argument(help="Folder that gets one folder a person.")]
Link = Annotated[
    bool, typer.Option("--link", help="Link the photos instead of copying them (symbolic links).")
]
Again = Annotated[
    bool, typer.Option("--again", help="Look at every photo again, also where nothing changed.")
]


@command
def sort(
    photos: Photos,
    target: Target,
    where: GalleryFlags,
    output: Annotated[OutputFlags, only("json", "out")],
    link: Link = False,
    again: Again = False,
    *,
    naming: Annotated[NamingFlags, only("fpir", "min_height", help="As in identify.")],
    chain: ChainFlags,
) -> int:
    """Copy (or link) photos into a folder per person; unknown and no-face have folders too.

    A photo of several known people lands in the folder of each. A rerun goes on where it stopped;
    where the gallery has changed since, photos are looked at again and moved.
    """
    from facelign.imaging.listing import handed_over
    from facelign.jobs.sorting import Placed, Sorter

    listed = building.listing(photos, results=target)
    if link and any(map(handed_over, listed.files)):
        raise ConfigError("Standard input cannot be linked.", "Leave --link out, or name a file.")
    recognizer = building.recognizer(chain)
    path = gallery_path(where.gallery)
    options = building.naming(naming, recognizer, path)
    with (
        building.kept(listed, target) as found,
        reporting(output, "sort") as results,
        building.opened(path, recognizer) as gallery,
        Sorter(
            target,
            link=link,
            looking=_looking(recognizer, chain),
            naming=_naming(gallery, options),
            again=again,
        ) as sorter,
    ):
        totals, unmoved = Totals(len(found.missing)), 0
        for record in found.missing:
            results.add(record)
        todo = [file for file in found.files if not sorter.done(file)]
        _tell(len(found.files) - len(todo), sum(map(sorter.known, todo)), asked=again)
        with progress("sorting", len(todo)) as done:
            for answer in gallery.identify_many(todo, options, done=done):
                totals.take(answer)
                record = found.called(records.identify_record(answer))
                placed = Placed(())
                if not answer.error:
                    named = [face.person for face in answer.faces]
                    placed = sorter.place(answer.analysis.photo, named)
                record |= {"folders": list(placed.folders), "left": list(placed.left)}
                moved = f" (no longer {', '.join(placed.left)})" if placed.left else ""
                told = f"{record['image']}: {', '.join(placed.folders)}{moved}"
                results.add(record, [told] if placed.moved else [])
                unmoved += not placed.moved and not answer.error
        if unmoved:
            stay, lie = counted(unmoved, "photo stays", "photos stay"), "it lies"
            note(f"{stay} where {lie if unmoved == 1 else 'they lie'}")
    totals.tell(json=output.json)
    return results.code


def _tell(done: int, again: int, *, asked: bool) -> None:
    """Say what an earlier run has done, and what is done once more."""
    if done:
        note(f"{counted(done, 'photo was', 'photos were')} sorted before")
    if again:
        why = "" if asked else ": the gallery or the options have changed since"
        known = counted(again, "photo that was", "photos that were")
        note(f"{known} sorted before {'is' if again == 1 else 'are'} looked at again{why}")


def _looking(recognizer: Recognizer, chain: ChainFlags) -> str:
    """Return what the faces and vectors of a photo depend on."""
    return f"{recognizer.space.id} {records.plain(replace(chain, workers=None))}"


def _naming(gallery: PhotoGallery, options: IdentifyOptions) -> str:
    """Return what the names of faces depend on besides."""
    limit = gallery.limit(options)
    score = None if limit is None else limit.threshold.score
    store = gallery.gallery.store.location
    place = gallery.gallery.name if store is None else store.resolve()
    rule = f"{options.fpir} {options.min_height} {score}"
    return f"{place} {gallery.gallery.revision} {rule}"
