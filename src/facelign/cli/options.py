"""Options that several commands share, each typed once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facelign.types.policies import FacePolicy

Face = FacePolicy

PHOTOS_HELP = "Photos, folders or globs."

Photos = Annotated[list[str], typer.Argument(help=PHOTOS_HELP, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Draw = Annotated[
    Path | None,
    typer.Option("--draw", help="Write the picture with boxes and names: a file, or a folder."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Also write a .csv or .jsonl; failures.csv is put beside it."),
]
PresetName = Annotated[
    str, typer.Option("--preset", help="default, fast, accurate or dlib.", rich_help_panel="Chain")
]
Detector = Annotated[
    str | None,
    typer.Option("--detector", help="Another detector, by id.", rich_help_panel="Chain"),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Another embedding model, by id.", rich_help_panel="Chain"),
]
LandmarksModel = Annotated[
    str | None,
    typer.Option(
        "--landmarks", help="A landmarker, by id (dlib-5, dlib-68).", rich_help_panel="Chain"
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option("--layout", help="Another layout for the chips, by id.", rich_help_panel="Chain"),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Average each vector with that of the mirrored face.",
        rich_help_panel="Chain",
    ),
]
Preprocess = Annotated[
    str,
    typer.Option(
        "--preprocess",
        help="luma-equalize, gamma=G or clahe, joined by commas; part of the space.",
        rich_help_panel="Chain",
    ),
]
Downscale = Annotated[
    float,
    typer.Option(
        "--downscale",
        help="Detect on a picture reduced by this factor; boxes are mapped back.",
        rich_help_panel="Chain",
    ),
]
Padded = Annotated[
    bool,
    typer.Option(
        "--padded/--no-padded",
        help="When no face is found, look again with a border around the photo.",
        rich_help_panel="Chain",
    ),
]
Rotate = Annotated[
    bool,
    typer.Option(
        "--rotate/--no-rotate",
        help="When no face is found, look again turned by 90, 180 and 270 degrees.",
        rich_help_panel="Chain",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Photos at a time (default: processors at hand)."),
]
GalleryFile = Annotated[
    Path | None,
    typer.Option(
        "--gallery",
        readable=False,  # a gallery without rights is refused by the gallery, with its status
        help="Gallery file (default: gallery.db in FACELIGN_HOME).",
    ),
]


FaceChoice = Annotated[
    FacePolicy | None,
    typer.Option(
        "--face",
        metavar="WHICH",
        help="Which face is meant of several: only, largest, central or best.",
    ),
]
Largest = Annotated[bool, typer.Option("--largest", help="Short for --face largest.")]
