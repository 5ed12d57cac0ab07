"""``facelign video``: who is in a film, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building
from facelign.cli.exits import Exit
from facelign.cli.film_results import Blur, FilmResults, FilmTargets, needs_a_drawing
from facelign.cli.flags import JsonFlag, command, without
from facelign.cli.output import emit, failure, line, note, progress
from facelign.errors import ConfigError, FacelignError
from facelign.files.home import gallery_path
from facelign.types.wording import counted
from facelign.video.options import FilmOptions, FollowOptions, LookOptions, VoteOptions
from facelign.wire.options import ChainFlags, GalleryFlags, NamingFlags

if TYPE_CHECKING:
    from facelign.types.contracts import FrameSource
    from facelign.video.film_index import FilmIndex
    from facelign.video.unfinished import FilmState, Unfinished
    from facelign.video.visits import Visit
    from facelign.wire.records import Record

Films = Annotated[list[str], typer.Argument(help="Films.", show_default=False, metavar="FILM...")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Also write a table of visits: .csv or .jsonl; a rerun goes on."),
]
Srt = Annotated[
    Path | None, typer.Option("--srt", help="Write the names as subtitles: FILE.srt, or a folder.")
]
Draw = Annotated[
    Path | None,
    typer.Option("--draw", help="Write the film with boxes and names: FILE.mp4, or a folder."),
]
Views = Annotated[
    Path | None, typer.Option("--faces", help="Write the best view of each visit into this folder.")
]


@command
def video(
    films: Films,
    where: GalleryFlags,
    output: JsonFlag,
    out: Out = None,
    srt: Srt = None,
    draw: Draw = None,
    faces: Views = None,
    blur: Blur = "",
    *,
    film: FilmOptions,
    looks: LookOptions,
    votes: VoteOptions,
    naming: NamingFlags,
    chain: Annotated[ChainFlags, without(padded=False, turned=False)],
) -> int:
    """Tell who is in a film and when: a line a visit, names by a vote over many looks."""
    from facelign.video.film_index import FilmIndex
    from facelign.video.sources.pictures import needs
    from facelign.video.tracker import ByteTracker
    from facelign.video.unfinished import Unfinished

    needs_a_drawing(blur, draw)
    needs()
    if "-" in films:
        raise ConfigError(
            "Standard input cannot be looked through as a film.",
            "Save it into a file, or let 'facelign watch -' play it.",
        )
    films = list(dict.fromkeys(building.path_of(word) for word in films))
    targets = FilmTargets(films, out, srt, draw, faces, blur)
    targets.check()
    recognizer = building.recognizer(chain)
    recognizer.prepare()
    path = gallery_path(where.gallery)
    follow = FollowOptions(building.naming(naming, recognizer, path), looks, votes)
    with building.opened(path, recognizer) as gallery:
        index = FilmIndex(gallery, ByteTracker, film, follow, crops=faces is not None)
        state = f"{recognizer.space.id} {gallery.gallery.revision} {film} {follow} {targets.whole}"
        kept = None if out is None else Unfinished(out, state, recognizer.space)
        run = _Run(index, targets, kept, json=output.json)
        try:
            for word in films:
                run.film(word)
        except KeyboardInterrupt:
            if kept is not None:
                note("What is settled is kept: the same words go on from there.")
            raise
        run.finish()
    return Exit.INPUT if run.failed else Exit.DONE


class _Run:
    """A run over films. kept: what an earlier run left, where there is a table to go on with."""

    def __init__(
        self, index: FilmIndex, targets: FilmTargets, kept: Unfinished | None, *, json: bool
    ) -> None:
        self.failed = False
        self._index, self._targets, self._kept, self._json = index, targets, kept, json
        self._records: list[Record] = []
        if kept is not None:
            kept.read()
            kept.restore(index.strangers)
            if kept.other:
                note(
                    "note: an earlier run into this table had other options or another gallery, "
                    "and is not gone on with"
                )

    def film(self, word: str) -> None:
        """Look through one film; one that was looked through before is told to be."""
        from facelign.video.sources import opened

        try:
            with closing(opened(word)) as frames:
                self._look_through(word, frames)
        except FacelignError as error:
            self.failed = True
            failure(word, str(error))

    def finish(self) -> None:
        """Write the table; what was kept for a rerun is not needed any more."""
        if self._targets.out is not None:
            from facelign.video.visits import write_table

            write_table(self._targets.out, self._records)
        if self._kept is not None and not self.failed:
            self._kept.done()

    def _look_through(self, word: str, frames: FrameSource) -> None:
        state = self._state(word)
        if state is not None and state.over:
            note(f"{word}: looked through before, {counted(len(state.visits), 'visit')}")
            self._records += state.visits
            self._broke(word, state.remark)
            return
        if state is not None and state.frame >= 0:
            note(f"{word}: goes on after frame {state.frame}")
            self._records += state.visits
        results = FilmResults(self._targets, word)
        before, found = (-1, 0) if state is None else (state.frame, len(state.visits))
        passed = 0 if state is None else state.passed
        with progress(Path(word).name, _length(frames)) as done:
            for settled in self._index.watch(word, frames, done, after=before, visits=found):
                records = list(self._told(settled.visits))
                results.add(settled)
                passed += settled.passed
                if state is not None and self._kept is not None:
                    state.visits += records
                    state.frame, state.passed = settled.frame, passed
                    self._kept.write(self._index.strangers)
        results.finish(frames)
        if passed:
            note(f"{word}: {counted(passed, 'sighting')} too short for a visit (--least)")
        remark = frames.broke or ""
        if state is not None and self._kept is not None:
            state.over, state.remark = True, remark
            self._kept.write(self._index.strangers)
        self._broke(word, remark)

    def _state(self, word: str) -> FilmState | None:
        if self._kept is None:
            return None
        state = self._kept.film(Path(word))
        if self._targets.whole and not state.over:
            state.frame, state.visits, state.passed = -1, [], 0  # it is made of the whole film
        return state

    def _told(self, visits: Iterable[Visit]) -> Iterator[Record]:
        from facelign.video.visits import visit_record

        for visit in visits:
            record = visit_record(visit)
            self._records.append(record)
            if self._json:
                emit(record)
            else:
                line(_line(record))
            yield record

    def _broke(self, word: str, remark: str) -> None:
        if remark:
            self.failed = True
            failure(word, remark)


def _line(record: Record) -> str:
    best, reason = record["best"], record["reason"]
    score = best and best["score"]
    told = "" if score is None else f"  score {score:.3f}"
    return (
        f"{_clock(record['start'])} to {_clock(record['end'])}  {record['person']}{told}"
        f"{f' ({reason})' if reason else ''}"
    )


def _clock(time_s: float) -> str:
    minutes, seconds = divmod(time_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:05.2f}"


def _length(frames: FrameSource) -> int | None:
    if frames.fps is None or frames.duration_s is None:
        return None
    return max(1, round(frames.fps * frames.duration_s))
