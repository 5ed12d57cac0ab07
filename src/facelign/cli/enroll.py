"""``facelign enroll``: people into the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

if TYPE_CHECKING:
    from facelign.recognition.results import Enrollment

Name = Annotated[
    str | None,
    typer.Option("--name", help="All photos show this person (else: one folder a person)."),
]
Consent = Annotated[
    str | None, typer.Option("--consent", help="A note on the person's consent, kept with it.")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Enroll a face even when it looks like another person's."),
]
MinHeight = Annotated[
    float,
    typer.Option("--min-height", help="Smallest face that is enrolled, px (small faces mislead)."),
]


def enroll(
    photos: options.Photos,
    name: Name = None,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
    out: options.Out = None,
    face: options.FaceChoice = None,
    largest: options.Largest = False,
    consent: Consent = None,
    force: Force = False,
    min_height: MinHeight = 40.0,
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
    """Enroll a folder of folders (one a person), or photos of one person with --name.

    A photo must show one face; a face under half the height of the largest does not count.
    """
    from facelign.cli import building
    from facelign.cli.output import emit, failure, line, progress
    from facelign.errors import ConfigError
    from facelign.files.home import gallery_path
    from facelign.recognition.photo_gallery import EnrollOptions, PhotoGallery
    from facelign.wire import records
    from facelign.wire.tables import Table

    jobs = building.enrollment_jobs(photos, name)
    if not jobs.photos and not jobs.failures:
        raise ConfigError(
            f"No folder of a person lies in {', '.join(photos)}.",
            "Give a folder that holds one folder a person, or say --name NAME.",
        )
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
    chosen = EnrollOptions(
        policy=building.policy(face, largest, "only"),
        min_height=building.height("--min-height", min_height),
        consent=consent,
        force=force,
    )
    counts = {"files": 0, "enrolled": 0, "skipped": 0, "failed": 0}
    people: set[str] = set()

    def tell(result: Enrollment) -> None:
        counts["files"] += 1
        counts["enrolled"] += result.enrolled
        counts["failed"] += result.failed
        counts["skipped"] += not result.enrolled and not result.failed
        if result.enrolled or result.reason == "already enrolled":
            people.add(result.person)
        record = records.enroll_record(result)
        table.add(record | {"failed": result.failed})
        if json:
            emit(record)
        elif result.enrolled:
            line(f"{result.image}: enrolled as {result.person}")
        elif result.failed:
            failure(result.image, result.reason)
        else:
            line(f"{result.image}: {result.reason}")

    with Table(out) as table, PhotoGallery(gallery_path(gallery), recognizer) as store:
        for failed in jobs.failures:
            tell(failed)
        with progress("enrolling", len(jobs.photos)) as done:
            for result in store.enroll_many(jobs.photos, chosen, done=done):
                tell(result)
    summary = {**counts, "people": len(people)}
    if json:
        emit({"summary": summary})
    else:
        line(", ".join(f"{count} {word}" for word, count in summary.items()))
    return Exit.INPUT if counts["failed"] else Exit.DONE
