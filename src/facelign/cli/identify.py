"""``facelign identify``: names for faces, or Unknown."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.recognition.results import Identification


class Mode(StrEnum):
    """How the templates of a person become one score."""

    BEST = "best"
    MEAN = "mean"
    ROBUST = "robust"


Fpir = Annotated[
    float,
    typer.Option(
        "--fpir", help="Share of strangers that may be given a name, whatever the gallery's size."
    ),
]
TopK = Annotated[int, typer.Option("--top-k", min=1, help="How many candidates are listed.")]
Templates = Annotated[
    Mode, typer.Option("--templates", help="Score of a person: best template, mean, robust mean.")
]
MinHeight = Annotated[
    float, typer.Option("--min-height", help="Faces smaller than this get no name, px.")
]
ThresholdText = Annotated[
    str | None,
    typer.Option("--threshold", help="A score or a calibration file, instead of --fpir's."),
]
UseClassifier = Annotated[
    bool,
    typer.Option(
        "--classifier",
        help="Let the classifier of 'people classifier' choose the name; the threshold checks it.",
    ),
]


def identify(
    photos: options.Photos,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
    draw: options.Draw = None,
    out: options.Out = None,
    fpir: Fpir = 0.01,
    top_k: TopK = 5,
    templates: Templates = Mode.BEST,
    min_height: MinHeight = 30.0,
    threshold: ThresholdText = None,
    classifier: UseClassifier = False,
    face: options.FaceChoice = None,
    largest: options.Largest = False,
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
    """Name every face of every photo, or say Unknown; exit 1 when nobody is known."""
    from facelign.cli import building

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
    recognizer.prepare()  # the embedding network opens while the rest is loaded

    from facelign.cli.output import progress
    from facelign.cli.pictures import Pictures, names
    from facelign.files.home import gallery_path, may_write
    from facelign.gallery.records import TemplateMode
    from facelign.recognition.photo_gallery import IdentifyOptions, PhotoGallery
    from facelign.wire import records
    from facelign.wire.tables import Table

    path = gallery_path(gallery)
    chosen = IdentifyOptions(
        fpir=building.share("--fpir", fpir),
        top_k=top_k,
        mode=TemplateMode(templates.value),
        min_height=building.height("--min-height", min_height),
        threshold=building.search_threshold(recognizer, threshold),
        calibration=building.calibration(recognizer, threshold),
        policy=building.policy(face, largest, "best") if face or largest else None,
        classifier=building.classifier(path) if classifier else None,
    )
    pictures = Pictures(draw, found)
    failed = known = False
    with (
        Table(out) as table,
        PhotoGallery(path, recognizer, create=False, readonly=not may_write(path)) as store,
        progress("identifying", len(found.files)) as done,
    ):
        for record in found.missing:
            failed = True
            _say(record, None, json)
            table.add(record)
        for result in store.identify_many(found.files, chosen, keep=draw is not None, done=done):
            record = records.identify_record(result)
            failed |= result.error is not None
            known |= any(f.person for f in result.faces)
            _say(record, result, json)
            table.add(record)
            pictures.faces(result.analysis, names(result))
    if failed:
        return Exit.INPUT
    return Exit.DONE if known else Exit.NO


def _say(record: dict[str, Any], result: Identification | None, json: bool) -> None:
    from facelign.cli.output import emit, failure, line

    if json:
        emit(record)
    elif record["error"] or result is None:
        failure(record["image"], record["error"])
    elif not result.faces:
        line(f"{record['image']}: no face")
    else:
        line(f"{record['image']}:")
        for found in result.faces:
            candidates = found.answer.candidates
            # a classifier may choose another one than the first
            best = next((c for c in candidates if c.person == found.person), None)
            best = best or (candidates[0] if candidates else None)
            nearest = f", nearest {best.person} {best.score:.3f}" if best else ""
            if found.person and best:
                margin = found.answer.margin
                ahead = margin is not None and best.rank == 1
                lead = f", {margin:.3f} ahead of the next" if ahead else ""
                line(f"    {found.person} (score {best.score:.3f}{lead})")
            else:
                line(f"    Unknown ({found.answer.reason}{nearest})")
