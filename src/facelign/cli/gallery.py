"""``facelign gallery``: the file as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer, progress
from facelign.files.home import gallery_path, may_write
from facelign.types.wording import counted
from facelign.wire.options import GalleryFlags
from facelign.wire.records import plain, some

if TYPE_CHECKING:
    from facelign.types.templates import Checkup

app = Commands("Look a gallery through for damage, back it up, show its calibration.")


@app.add("check")
def check(where: GalleryFlags, output: JsonFlag) -> int:
    """Look a whole gallery through for damage, changing nothing; exit 6 where there is some.

    Pages, layout, rows and vectors against their checksums, what belongs to nothing, removals.
    """
    from facelign.gallery.gallery import Gallery

    path = gallery_path(where.gallery)
    done = Gallery.check_file(path)
    name = str(done.gallery or path)
    record = {"gallery": name, "sound": done.sound, "checks": plain(done.findings)}
    answer(record, *_told(name, done), json=output.json)
    return Exit.DONE if done.sound else Exit.DAMAGED


@app.add("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="FILE to write.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a gallery that is there.")
    ] = False,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Copy a gallery to a file, also while others write; the copy is checked. It is personal data.

    Who is removed from the gallery later is removed from the copy too, while it stays where it is.
    """
    from facelign.gallery.gallery import Gallery

    path = gallery_path(where.gallery)
    with Gallery.open(path, create=False, readonly=not may_write(path)) as gallery:
        file_size = 0 if gallery.store.location is None else gallery.path.stat().st_size
        with progress("MB", file_size >> 20) as advance:
            seen = 0

            def told(done: int, _all: int) -> None:
                nonlocal seen
                advance((done >> 20) - seen)
                seen = done >> 20

            done = gallery.backup(file, replace=replace, told=told)
        known = not gallery.store.readonly
    written = done.gallery or file
    record = {"file": str(written), "bytes": written.stat().st_size, "known": known}
    lines = [f"{written} is a sound copy of {path}. It is personal data: keep it safe."]
    if not known:
        lines.append("The gallery may not be written, so removals from it will not reach the copy.")
    answer({"backup": record}, *lines, json=output.json)


@app.add("calibration")
def calibration(
    forget: Annotated[
        bool, typer.Option("--forget", help="Drop them: those that ship with facelign decide.")
    ] = False,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Show the calibrations that a gallery holds, made by 'facelign calibrate --gallery'."""
    from facelign.gallery.gallery import Gallery

    with Gallery.open(gallery_path(where.gallery), create=False, readonly=not forget) as gallery:
        held = gallery.calibrations()
        for space in held if forget else ():
            gallery.forget_calibration(space)
    keys = ("id", "space", "set", "subjects", "photos", "mated", "non_mated", "date")
    records = [some(one, *keys) | {"forgotten": forget} for one in held.values()]
    lines = [
        f"{one.space}: {one.id}, {counted(one.subjects, 'person', 'people')}, "
        f"{one.non_mated:,} non-mated "
        f"comparisons, {one.date}{' (dropped)' if forget else ''}"
        for one in held.values()
    ]
    answer({"calibrations": records}, *(lines or ["The gallery holds none."]), json=output.json)


def _told(name: str, done: Checkup) -> Iterator[str]:
    """Yield what each check found, and how it is mended."""
    for one in done.findings:
        yield f"{one.check:<10} {one.state if one.state != 'damaged' else 'DAMAGED'}"
        for text in one.found:
            yield f"    {text}"
        if one.mend:
            yield f"    -> {one.mend}"
    yield f"{name} is {'sound' if done.sound else 'DAMAGED'}."
