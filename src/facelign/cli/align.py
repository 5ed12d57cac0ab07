"""``facelign align``: a photo or a whole tree into a mirrored tree of aligned faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

Source = Annotated[str, typer.Argument(help="A photo or a folder tree.", show_default=False)]
Target = Annotated[
    Path, typer.Argument(help="A picture, or the folder that mirrors the tree.", show_default=False)
]
LayoutId = Annotated[
    str,
    typer.Option(
        "--layout", help="arcface-112, dlib-150, openface-96, eyes or crop (see the docs)."
    ),
]
Size = Annotated[int | None, typer.Option("--size", help="Side of the picture, px.")]
Margin = Annotated[
    int | None,
    typer.Option("--margin", help="For crop and eyes: px of the photo around the box, in all."),
]
RandomOrder = Annotated[
    bool,
    typer.Option("--random-order", help="Take photos in random order: several processes share."),
]


def align(
    source: Source,
    target: Target,
    layout: LayoutId = "arcface-112",
    size: Size = None,
    margin: Margin = None,
    random_order: RandomOrder = False,
    json: options.Json = False,
    face: options.FaceChoice = None,
    largest: options.Largest = False,
    preset: options.PresetName = "default",
    detector: options.Detector = None,
    landmarks: options.LandmarksModel = None,
    preprocess: options.Preprocess = "",
    downscale: options.Downscale = 1.0,
    padded: options.Padded = True,
    rotate: options.Rotate = True,
    workers: options.Workers = None,
) -> int:
    """Write one aligned face a photo (the largest, unless --face says otherwise).

    What is done already is skipped; several processes may share one job; failures come at the end.
    """
    from facelign.cli import building
    from facelign.cli.output import emit, failure, line, note, progress
    from facelign.recognition.aligning import AlignJob

    given = {"size": size, "margin": margin}
    recognizer = building.aligner(
        preset=preset,
        detector=detector,
        landmarks=landmarks,
        layout=layout,
        layout_options={k: v for k, v in given.items() if v is not None},
        preprocess=preprocess,
        downscale=downscale,
        padded=padded,
        rotate=rotate,
        workers=workers,
    )
    found = building.listing([source])
    job = AlignJob(
        recognizer,
        found.files,
        found.root,
        target,
        policy=building.policy(face, largest, "largest"),
        random_order=random_order,
    )
    failures = [(record["image"], record["error"]) for record in found.missing]
    with progress("aligning", len(job.todo)) as done:
        if job.skipped:
            note(f"{job.skipped} photos were aligned before")
        for made in job.run(done):
            if made.error:
                failures.append((made.image, made.error))
            if json:
                emit(made.record())
            elif made.box is not None:
                x1, y1, x2, y2 = made.box
                line(f"{made.image}: {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f} -> {made.target}")
    for image, reason in failures:
        failure(image, reason)
    if failures:
        note(f"{len(failures)} of {len(found.files) + len(found.missing)} photos failed")
    return Exit.INPUT if failures else Exit.DONE
