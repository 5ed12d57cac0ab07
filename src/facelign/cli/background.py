"""``facelign background``: people of a photo or film before another background."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import answer, note, progress
from facelign.cli.pictures import spare
from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet
from facelign.types.wording import counted
from facelign.video.options import FILM_FORMATS

if TYPE_CHECKING:
    from facelign.video.backdrop import Change

MODEL = "selfie"
#: px of the blur where nothing else is asked for
_BLUR_PX = 12.0


def _color(name: str, value: str) -> None:
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", value):
        raise ConfigError(f"{name} {value!r} is no color.", "Give six hex digits, such as 0078d7.")


def _radius(name: str, value: float) -> None:
    if not 0 < value <= 1000:
        raise ConfigError(f"{name} {value:g} is outside 0 to 1000 px.")


@dataclass(frozen=True, slots=True)
class BackgroundFlags(OptionSet):
    """What is shown behind people: one of the three."""

    blur: Annotated[
        float | None,
        Option(f"Blur what is behind by so many px (default: {_BLUR_PX:g}).", check=_radius),
    ] = None
    picture: Annotated[Path | None, Option("Show this picture behind, cut to fit.", once=True)] = (
        None
    )
    color: Annotated[
        str | None, Option("Show this color behind, as 0078d7.", check=_color, metavar="RRGGBB")
    ] = None

    def __post_init__(self) -> None:
        super(BackgroundFlags, self).__post_init__()
        if sum(value is not None for value in (self.blur, self.picture, self.color)) > 1:
            raise ConfigError("Several backgrounds are asked for.", "Say one of them.")


Source = Annotated[str, typer.Argument(help="A photo or a film.", show_default=False)]
Out = Annotated[
    Path,
    typer.Option(
        "--out", help="Where it goes: .png, .jpg or .webp, or .mp4 for a film.", show_default=False
    ),
]


@command
def background(source: Source, out: Out, behind: BackgroundFlags, *, output: JsonFlag) -> None:
    """Blur or replace what is behind the people of a photo or film; edges stay soft."""
    from facelign import models
    from facelign.imaging import write
    from facelign.imaging.read import read_image

    path = building.path_of(source)
    spare([out], [path], option="--out")
    change = _change(behind)
    frames = 1
    if out.suffix.lower() in FILM_FORMATS:
        frames = _film(path, out, change)
    else:
        image = read_image(path)
        mask = models.segmenter(MODEL).segment(image)
        write.write(out, change(image.pixels, mask))
    record = {"source": path, "out": str(out), "frames": frames, "model": MODEL}
    answer(record, f"{path} -> {out}, {counted(frames, 'picture')}", json=output.json)


def _change(behind: BackgroundFlags) -> Change:
    from facelign.imaging import background as made
    from facelign.imaging.read import read_image

    if behind.picture is not None:
        picture = read_image(behind.picture).pixels
        return lambda pixels, mask: made.replaced(pixels, mask, picture)
    if behind.color is not None:
        red, green, blue = bytes.fromhex(behind.color.removeprefix("#"))
        return lambda pixels, mask: made.colored(pixels, mask, (red, green, blue))
    radius = behind.blur or _BLUR_PX
    return lambda pixels, mask: made.blurred(pixels, mask, radius)


def _film(path: str, out: Path, change: Change) -> int:
    """Write a film and return how many frames it has."""
    from facelign import models
    from facelign.files import disk
    from facelign.video.backdrop import Backdrop
    from facelign.video.sources import opened
    from facelign.video.sources.written import FilmWriter

    count = 0
    with opened(path) as frames:
        backdrop = Backdrop(models.segmenter(MODEL), change)
        with (
            disk.replacing(out) as target,
            FilmWriter(target, out) as film,
            progress(Path(path).name, None) as done,
        ):
            for frame in frames:
                film.add(backdrop.shown(frame), frame.time_s)
                count += 1
                done(1)
        broke = frames.broke
    if broke:
        note(broke)
    return count
