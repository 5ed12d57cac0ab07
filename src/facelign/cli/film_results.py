"""What ``facelign video`` writes of a film besides its lines: subtitles, the film drawn, faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli.pictures import spare
from facelign.errors import ConfigError
from facelign.files import disk, ledger
from facelign.video.options import FILM_FORMATS

if TYPE_CHECKING:
    from facelign.types.contracts import FrameSource
    from facelign.video.film_index import Settled
    from facelign.video.visits import Visit


Blur = Annotated[
    str, typer.Option("--blur", help="In --draw, blur the faces of all, unknown, or NAME.")
]


def needs_a_drawing(blur: str, draw: Path | None) -> None:
    """Refuse faces that are to be hidden where nothing is drawn."""
    if blur and draw is None:
        raise ConfigError("--blur says what --draw draws.", "Give --draw OUT.mp4 too.")


@dataclass(frozen=True, slots=True)
class FilmTargets:
    """Where the results of films go: a file for one film, else a folder. blur: whose faces."""

    films: Sequence[str]
    out: Path | None = None
    srt: Path | None = None
    draw: Path | None = None
    faces: Path | None = None
    blur: str = ""

    def check(self) -> None:
        """Raise ConfigError for what cannot be written, before any film is looked at."""
        from facelign.wire.tables import FORMATS

        if self.out is not None and self.out.suffix not in FORMATS:
            kinds = " or ".join(FORMATS)
            raise ConfigError(f"{self.out.name}: the name of a table must end in {kinds}.")
        if self.faces is not None and self.faces.exists() and not self.faces.is_dir():
            raise ConfigError(f"--faces {self.faces} is no folder.")
        for flag, target, suffixes in (
            ("--srt", self.srt, (".srt",)),
            ("--draw", self.draw, tuple(FILM_FORMATS)),
        ):
            if target is None:
                continue
            if target.suffix in suffixes and len(self.films) > 1:
                raise ConfigError(
                    f"{flag} {target} is one file, and {len(self.films)} films were given.",
                    "Name a folder.",
                )
            if target.suffix and target.suffix not in suffixes and not target.is_dir():
                raise ConfigError(f"{flag} {target} ends in none of {', '.join(suffixes)}.")
        made = [self.place(film, self.draw, ".mp4") for film in self.films if self.draw]
        made += [self.place(film, self.srt, ".srt") for film in self.films if self.srt]
        spare(made + ([self.out] if self.out else []), self.films)

    @property
    def whole(self) -> bool:
        """Whether something is made of a whole film, which cannot go on from its middle."""
        return self.srt is not None or self.draw is not None

    def place(self, film: str, target: Path | None, suffix: str) -> Path:
        """Return the file of a film's result; films of one name get numbers."""
        target = target or Path()
        if target.suffix in (*FILM_FORMATS, ".srt") and not target.is_dir():
            return target
        stems = [Path(one).stem for one in self.films]
        at = list(self.films).index(film)
        again = stems[:at].count(stems[at])
        return target / f"{stems[at]}{f'-{again + 1}' if again else ''}{suffix}"


class FilmResults:
    """Takes what is settled of one film; ``finish`` writes what is made of all of it."""

    def __init__(self, targets: FilmTargets, film: str) -> None:
        from facelign.video.marking import Paths

        self._targets, self._film = targets, film
        self._visits: list[Visit] = []
        self._paths = Paths()

    def add(self, settled: Settled) -> None:
        """Take the visits that are settled; the best view of each is written at once."""
        if self._targets.whole:
            self._visits += settled.visits
            self._paths.add(settled.visits, settled.paths)
        folder = self._targets.faces
        if folder is None:
            return
        from facelign.imaging.write import write

        ledger.results_folder(folder)
        for visit in settled.visits:
            crop = settled.crops.get(visit.number)
            if crop is not None:
                stem = self._targets.place(self._film, folder, "").name
                write(folder / f"{stem}-{visit.number:04d}.jpg", crop)

    def finish(self, frames: FrameSource) -> None:
        """Write the subtitles, and the film once more with what is known now."""
        targets = self._targets
        if targets.srt is not None:
            from facelign.video.subtitles import srt

            place = targets.place(self._film, targets.srt, ".srt")
            disk.write(place, srt(self._visits).encode())
        if targets.draw is not None:
            from facelign.video.marking import marked
            from facelign.video.sources.written import FilmWriter

            if not targets.draw.suffix:
                ledger.results_folder(targets.draw)
            place = targets.place(self._film, targets.draw, ".mp4")
            with disk.replacing(place, sync=False) as scratch, FilmWriter(scratch, place) as film:
                for frame in frames:
                    here = self._paths.at(frame.number)
                    film.add(marked(frame.image.pixels, here, targets.blur), frame.time_s)
