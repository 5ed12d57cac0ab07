"""``facelign sort``: photos into a folder per person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facelign.cli import building
from facelign.cli.flags import Photos, command, only
from facelign.cli.output import note, progress
from facelign.cli.results import reporting
from facelign.files.home import gallery_path
from facelign.wire import records
from facelign.wire.options import ChainFlags, GalleryFlags, NamingFlags, OutputFlags

Target = Annotated[Path, typer.Argument(help="Folder that gets one folder a person.")]
Link = Annotated[
    bool, typer.Option("--link", help="Link the photos instead of copying them (symbolic links).")
]


@command
def sort(
    photos: Photos,
    target: Target,
    where: GalleryFlags,
    output: Annotated[OutputFlags, only("json", "out")],
    link: Link = False,
    *,
    naming: Annotated[NamingFlags, only("fpir", "min_height", help="As in identify.")],
    chain: ChainFlags,
) -> int:
    """Copy (or link) photos into a folder per person; unknown and no-face have folders too.

    A photo of several known people lands in the folder of each. A rerun goes on where it stopped.
    """
    from facelign.jobs.sorting import Sorter

    found = building.listing(photos)
    recognizer = building.recognizer(chain)
    path = gallery_path(where.gallery)
    options = building.naming(naming, recognizer, path)
    with (
        reporting(output) as results,
        building.opened(path, recognizer) as gallery,
        Sorter(target, link=link) as sorter,
    ):
        for record in found.missing:
            results.add(record)
        todo = [file for file in found.files if not sorter.done(file)]
        if len(todo) < len(found.files):
            note(f"{len(found.files) - len(todo)} photos were sorted before")
        with progress("sorting", len(todo)) as done:
            for answer in gallery.identify_many(todo, options, done=done):
                record = records.identify_record(answer)
                named = [face.person for face in answer.faces]
                record["folders"] = (
                    [] if answer.error else sorter.place(answer.analysis.photo, named)
                )
                results.add(record, [f"{record['image']}: {', '.join(record['folders'])}"])
    return results.code
