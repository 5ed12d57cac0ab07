"""``facelign align``: a photo or a whole tree into a mirrored tree of aligned faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, without
from facelign.cli.hints import spoken
from facelign.cli.output import emit, failure, line, note, progress
from facelign.types.policies import FacePolicy
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, CutFlags, FaceFlags

Source = Annotated[str, typer.Argument(help="A photo or a folder tree.", show_default=False)]
Target = Annotated[
    Path, typer.Argument(help="A picture, or the folder that mirrors the tree.", show_default=False)
]
RandomOrder = Annotated[
    bool,
    typer.Option("--random-order", help="Take photos in random order: several processes share."),
]


@command
def align(
    source: Source,
    target: Target,
    cut: CutFlags,
    random_order: RandomOrder = False,
    *,
    output: JsonFlag,
    which: FaceFlags,
    chain: Annotated[ChainFlags, without("model", "layout", "flip")],
) -> int:
    """Write one aligned face a photo (the largest, unless --face says otherwise).

    What is done already is skipped; several processes may share one job; failures come at the end.
    """
    from facelign.recognition.aligning import AlignJob

    recognizer = building.aligner(chain, cut.layout, cut.options)
    found = building.listing([source], results=target)
    policy = which.policy(FacePolicy.LARGEST)
    job = AlignJob(
        recognizer, found.files, found.root, target, policy=policy, random_order=random_order
    )
    failures = list(found.missing)
    with progress("aligning", len(job.todo)) as done:
        if job.skipped:
            note(f"{counted(job.skipped, 'photo was', 'photos were')} aligned before")
        for photo in job.run(done):
            record = spoken(photo.record())
            if record["error"]:
                failures.append(record)
            if output.json:
                emit(record)
            elif photo.box is not None:
                x1, y1, x2, y2 = photo.box
                line(f"{photo.image}: {x1:.0f},{y1:.0f} to {x2:.0f},{y2:.0f} -> {photo.target}")
    for record in failures:
        failure(record["image"], record["error"])
    if failures:
        every = counted(len(found.files) + len(found.missing), "photo")
        note(f"{len(failures)} of {every} failed")
    return Exit.INPUT if failures else Exit.DONE
