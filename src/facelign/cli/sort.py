"""``facelign sort``: photos into a folder per person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

Target = Annotated[Path, typer.Argument(help="Folder that gets one folder a person.")]
Link = Annotated[
    bool, typer.Option("--link", help="Link the photos instead of copying them (symbolic links).")
]


def sort(
    photos: options.Photos,
    target: Target,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
    out: options.Out = None,
    link: Link = False,
    fpir: Annotated[float, typer.Option("--fpir", help="As in identify.")] = 0.01,
    min_height: Annotated[float, typer.Option("--min-height", help="As in identify.")] = 30.0,
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
    workers: options.Workers = None,
) -> int:
    """Copy (or link) photos into a folder per person; unknown and no-face have folders too.

    A photo of several known people lands in the folder of each. A rerun goes on where it stopped.
    """
    from facelign.cli import building
    from facelign.cli.output import emit, failure, line, note, progress
    from facelign.files.home import gallery_path, may_write
    from facelign.jobs.sorting import Sorter
    from facelign.recognition.photo_gallery import IdentifyOptions, PhotoGallery
    from facelign.wire import records
    from facelign.wire.tables import Table

    found = building.listing(photos)
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
        workers=workers,
    )
    failed = False
    path = gallery_path(gallery)
    with (
        Table(out) as table,
        PhotoGallery(path, recognizer, create=False, readonly=not may_write(path)) as store,
        Sorter(target, link=link) as sorter,
    ):
        for record in found.missing:
            failed = True
            table.add(record)
            emit(record) if json else failure(record["image"], record["error"])
        todo = [file for file in found.files if not sorter.done(file)]
        if len(todo) < len(found.files):
            note(f"{len(found.files) - len(todo)} photos were sorted before")
        chosen = IdentifyOptions(
            fpir=building.share("--fpir", fpir),
            min_height=building.height("--min-height", min_height),
        )
        with progress("sorting", len(todo)) as done:
            for result in store.identify_many(todo, chosen, done=done):
                record = records.identify_record(result)
                failed |= result.error is not None
                record["folders"] = (
                    []
                    if result.error
                    else (
                        sorter.place(result.analysis.photo, [face.person for face in result.faces])
                    )
                )
                table.add(record)
                if json:
                    emit(record)
                elif result.error:
                    failure(record["image"], record["error"])
                else:
                    line(f"{record['image']}: {', '.join(record['folders'])}")
    return Exit.INPUT if failed else Exit.DONE
