"""``facelign people``: who is enrolled, and corrections that last."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from facelign.cli import building, trials
from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag, completed, completed_option, only
from facelign.cli.hints import flagged
from facelign.cli.output import answer, emit, line, note
from facelign.errors import ConfigError, GalleryError, UnknownPerson
from facelign.files.home import gallery_path, may_write
from facelign.types.policies import ClassifierRule
from facelign.types.wording import counted
from facelign.wire.options import ChainFlags, ClassifierFlags, GalleryFlags, OutputFlags
from facelign.wire.printable import visible
from facelign.wire.records import Record, plain, some, template_record

if TYPE_CHECKING:
    from facelign.gallery.gallery import Gallery
    from facelign.recognition.enrolling import Likeness
    from facelign.types.changes import Entry
    from facelign.types.templates import Receipt, TemplateInfo

app = Commands("List, correct, remove, export and import the people of a gallery.")

Name = Annotated[str, completed("The name of a person.", "person")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken back.")]
Space = Annotated[
    str | None,
    typer.Option("--space", help="Which space, when the gallery holds several."),
]


@app.add("list")
def list_people(where: GalleryFlags, output: JsonFlag) -> None:
    """List everybody who is enrolled, with the number of their templates."""
    with _open(where, readonly=True) as gallery:
        people = gallery.people()
    records = (
        {"person": p.name, **{k: v for k, v in plain(p).items() if k not in ("id", "name")}}
        for p in people
    )
    rows = ((p.name, str(p.templates), "\n".join(p.spaces), p.created[:10]) for p in people)
    heads = ("Person", "Templates", "Space", "Since")
    _listed(output, records, heads, rows, numbers=(1,), none="Nobody is enrolled.")


@app.add("show")
def show(name: Name, where: GalleryFlags, output: JsonFlag) -> None:
    """Show everything that is kept of a person, except the vectors themselves."""
    with _open(where, readonly=True) as gallery:
        templates = gallery.templates(name)
    rows = (
        (
            str(t.id),
            t.photo.reference,
            "-" if t.face.height is None else f"{t.face.height:.0f}",
            "-" if t.face.score is None else f"{t.face.score:.2f}",
            t.space,
            t.created[:10],
            "; ".join(filter(None, ("rejected" if t.rejected else "", t.consent))),
        )
        for t in templates
    )
    heads = ("Template", "Photo", "Face px", "Score", "Space", "Since", "Note")
    _listed(output, map(template_record, templates), heads, rows, numbers=(0, 2, 3))


@app.add("rename")
def rename(
    old: Annotated[str, completed("The name now.", "person")],
    new: Annotated[str, typer.Argument(help="The name from now on.", show_default=False)],
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Give a person another name."""
    with _open(where) as gallery:
        gallery.rename(old, new)
    record = {"renamed": {"from": old, "to": new}}
    answer(record, f"{old} is now {new}.", json=output.json)


@app.add("merge")
def merge(
    a: Annotated[str, completed("This person goes into the other.", "person")],
    b: Annotated[str, completed("This person stays.", "person")],
    yes: Yes = False,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Make two people one: B stays, and A's templates become B's.

    Two who look unlike are told; on a terminal it is asked first, unless --yes. people undo takes a
    merge back.
    """
    from facelign.recognition.enrolling import likeness

    with _open(where) as gallery:
        like = likeness(gallery, a, b)
        if like is not None and not like.alike and not yes and not _unlike(a, b, like):
            note("Nobody was merged.")
            return Exit.NO
        count = gallery.merge(a, b)
    told = {"score": None, "threshold": None, "space": None} if like is None else plain(like)
    record = {"merged": {"from": a, "into": b, "templates": count, **told}}
    answer(record, f"{a} went into {b}, with {counted(count, 'template')}.", json=output.json)
    return Exit.DONE


def _unlike(a: str, b: str, like: Likeness) -> bool:
    """Ask whether two who look unlike are one person; without a terminal, tell it and go on.

    A script cannot answer, and a merge can be undone.
    """
    score = f"best score {like.score:.3f}, and {like.threshold:.3f} is one person's"
    if not _terminal():
        note(
            f"warning: {a} and {b} look like two people ({score}); take it back with: "
            "facelign people undo"
        )
        return True
    return typer.confirm(f"{a} and {b} look like two people ({score}). Merge them?", err=True)


@app.add("split")
def split(
    name: Name,
    to: Annotated[str, typer.Option("--to", help="The name of the new person.")],
    photos: Annotated[
        list[str] | None,
        typer.Option("--photos", help="A photo whose templates go (may be repeated)."),
    ] = None,
    templates: Annotated[
        list[int] | None,
        typer.Option("--templates", help="A template that goes, by number (may be repeated)."),
    ] = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Make a new person of some templates of another one."""
    if not photos and not templates:
        raise ConfigError(
            "split needs to know which templates go.", "Say --photos PHOTO or --templates NUMBER."
        )
    with _open(where) as gallery:
        theirs = gallery.templates(name)
        going = list(templates or ())
        for photo in photos or ():
            of_photo = [t.id for t in _showing(theirs, photo, _digest(photo))]
            if not of_photo:
                raise GalleryError(
                    f"{name} has no template of {photo}.", f"See: facelign people show '{name}'"
                )
            going += of_photo
        gallery.split(name, going, to)
    count = len(set(going))
    record = {"split": {"from": name, "to": to, "templates": count}}
    answer(record, f"{counted(count, 'template')} of {name} became {to}.", json=output.json)


@app.add("reject")
def reject(
    name: Name,
    photo: Annotated[
        str,
        typer.Argument(help="A photo that does not show the person.", show_default=False),
    ],
    face: Annotated[
        int | None,
        typer.Option(
            "--face",
            min=0,
            help="Only this face of it, by its number in tables and JSON, which count from 0.",
        ),
    ] = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("preset", "detector")],
) -> None:
    """Say that a photo does not show a person: it is never proposed as them again.

    With --face only one face of the photo is meant, and the person may be one of the others.
    """
    found = None if face is None else _face(photo, face, chain)
    with _open(where) as gallery:
        theirs = gallery.templates(name)
        if found is not None:
            aside = gallery.reject(name, digest=found.digest, reference=photo, box=found.box)
            _say_rejected(name, f"Face {face} of {photo}", aside, output, photo=photo, face=face)
            return
        own = _digest(photo)
        enrolled = (t.photo for t in _showing(theirs, photo, own) if t.photo.digest)
        rejected = {own: photo} if own else {p.digest: p.reference for p in enrolled}
        if not rejected:
            raise GalleryError(
                f"{photo} is neither a file nor an enrolled photo of {name}.",
                f"See: facelign people show '{name}'",
            )
        run = uuid4().hex  # one command is one change
        aside = sum(
            gallery.reject(name, digest=d, reference=r, run=run) for d, r in rejected.items()
        )
    _say_rejected(name, photo, aside, output, photo=photo)


def _say_rejected(name: str, what: str, aside: int, output: OutputFlags, **more: object) -> None:
    text = f"{what} is not {name}" + (
        f"; {counted(aside, 'template')} set aside." if aside else "."
    )
    record = {"rejected": {"person": name, **more, "templates": aside}}
    answer(record, text, json=output.json)


@dataclass(frozen=True, slots=True)
class _Face:
    """A face of a photo. box: (x1, y1, x2, y2), px of the upright file."""

    digest: str
    box: tuple[float, ...]


def _face(photo: str, number: int, chain: ChainFlags) -> _Face:
    """Return a face of a photo by its number, as identify counts."""
    found = building.finder(chain).find(building.path_of(photo))
    if number >= len(found.faces):
        raise ConfigError(
            f"{photo} shows {counted(len(found.faces), 'face')}, and faces are counted from 0.",
            f"See: facelign detect '{photo}' --json",
        )
    return _Face(found.photo.digest, tuple(found.faces.boxes[number].tolist()))


@app.add("classifier")
def fit_classifier(
    how: ClassifierFlags,
    space: Space = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Fit a classifier on the templates, for 'identify --classifier'; it lies beside the gallery.

    Fit it again when the gallery changes. Removing a person deletes it: it holds their vectors.
    """
    from facelign.gallery.removal import classifier_path
    from facelign.lab.identification import classifiers
    from facelign.lab.material import sources

    if how.rule is ClassifierRule.SVM:
        trials.needs("evaluate", "sklearn")
    path = classifier_path(gallery_path(where.gallery))
    with _open(where, readonly=_fixed(where)) as gallery:
        revision = gallery.revision
        named = sources.of_gallery(gallery, space)
        fitted = classifiers.fit(named, how.rule, k=how.k, revision=revision)
    fitted.save(path)
    people, space, templates = len(fitted.people), fitted.space, len(named.people)
    record = {"file": str(path), "rule": how.rule.value, "people": people}
    answer(
        {"classifier": record | {"templates": templates, "space": space}},
        f"{path}: {how.rule.value} of {counted(people, 'person', 'people')}, "
        f"{counted(templates, 'template')}.",
        flagged("Use it: facelign identify PHOTO --classifier. It holds personal data."),
        json=output.json,
    )


@app.add("remove")
def remove(name: Name, yes: Yes = False, *, where: GalleryFlags, output: JsonFlag) -> int:
    """Remove a person from every byte of gallery and cache; print the proof. No undo."""
    with _open(where, damaged=True) as gallery, building.cache() as cache:
        count = _templates(gallery, name)
        if count is not None and not yes and not _confirmed(name, count):
            note("Nothing was removed.")
            return Exit.NO
        receipt = gallery.remove(name, cache=cache)
    answer({"receipt": plain(receipt)}, *_proof(receipt), json=output.json)
    return Exit.DONE if receipt.verified else Exit.GALLERY


@app.add("proof")
def proof(
    which: Annotated[
        str,
        typer.Argument(help="The name that was removed, or a receipt's id.", show_default=False),
    ],
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Look again for what a removal took away, and print the receipt as of now."""
    with _open(where) as gallery, building.cache() as cache:
        receipt = gallery.proof(which, cache=cache)
    answer({"receipt": plain(receipt)}, *_proof(receipt), json=output.json)
    return Exit.DONE if receipt.verified else Exit.GALLERY


@app.add("history")
def history(where: GalleryFlags, output: JsonFlag) -> None:
    """Show every change, oldest first. Vectors and removed people are not in it.

    A terminal shows one line a command, which 'people undo' takes back as a whole.
    """
    with _open(where, readonly=True) as gallery:
        changes = gallery.history()
        photos = gallery.photos_of(changes)
    keys = ("number", "time", "action", "text", "templates", "undone", "run")
    records = (some(change, *keys) | {"photo": photos.get(change.number)} for change in changes)
    runs = _runs(changes) if sys.stdout.isatty() else [[change] for change in changes]
    rows = (_told(run, photos) for run in runs)
    heads = ("No.", "Time (UTC)", "Change", "What", "Photo")
    _listed(output, records, heads, rows, numbers=(0,), none="Nothing has happened yet.")


def _runs(changes: Sequence[Entry]) -> list[list[Entry]]:
    """Return the changes of each command, in order."""
    runs: dict[str, list[Entry]] = {}
    for change in changes:
        runs.setdefault(f"run {change.run}" if change.run else f"{change.number}", []).append(
            change
        )
    return list(runs.values())


def _told(run: Sequence[Entry], photos: Mapping[int, str]) -> tuple[str, ...]:
    """Return the row of one command."""
    from facelign.gallery.history import told

    first, last = run[0], run[-1]
    what = first.text if len(run) == 1 else told(run).removeprefix(f"{first.action}, ")
    known = [photos[change.number] for change in run if change.number in photos]
    more = f" and {len(known) - 1} more" if len(known) > 1 else ""
    return (
        str(first.number) if first is last else f"{first.number}-{last.number}",
        first.time[:19].replace("T", " "),
        first.action,
        what + (" (undone)" if first.undone else ""),
        known[0] + more if known else "",
    )


@app.add("undo")
def undo(dry_run: DryRun = False, *, where: GalleryFlags, output: JsonFlag) -> None:
    """Take the last command's changes back, as one; a removal cannot be."""
    with _open(where, readonly=dry_run) as gallery, building.cache() as cache:
        undone = gallery.last() if dry_run else gallery.undo(cache=cache)
    _changed("would_undo" if dry_run else "undone", undone, output)


@app.add("redo")
def redo(where: GalleryFlags, output: JsonFlag) -> None:
    """Do again what the last undo took back, while nothing was changed since.

    Enrollments are enrolled again instead: the vectors of undone ones are erased.
    """
    with _open(where) as gallery:
        done = gallery.redo()
    _changed("redone", done, output)


def _changed(word: str, changes: Sequence[Entry], output: OutputFlags) -> None:
    from facelign.gallery.history import told

    record = [some(change, "number", "action", "text") for change in changes]
    text = f"{word.replace('_', ' ').capitalize()}: {told(changes)}"
    answer({word: record}, text, json=output.json)


@app.add("export")
def export(
    file: Annotated[Path, typer.Argument(help="FILE.npz to write.", show_default=False)],
    space: Space = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Write the templates of a space to an .npz of plain arrays. It holds personal data."""
    with _open(where, readonly=_fixed(where)) as gallery:
        count = gallery.export(file, space)
    written = counted(count, "template")
    text = f"{written} written to {file}. They are personal data: keep the file safe."
    answer({"exported": {"file": str(file), "templates": count}}, text, json=output.json)


@app.add("import")
def import_people(
    file: Annotated[Path, typer.Argument(help=".npz, .npy, .pickle or .json.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Names for an .npy: .pickle, .json or .txt."),
    ] = None,
    space: Annotated[
        str | None,
        completed_option(
            "--space",
            "Model or space of the vectors, where the file does not say it (default: dlib's).",
            "embedder",
        ),
    ] = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> None:
    """Enroll templates of an export, of face_recognition, or of an .npy with labels.

    Nothing in the file is executed; pickles are read as plain data only. Vectors of another model
    than dlib's are taken only when it is named.
    """
    from facelign import models
    from facelign.gallery import transfer

    batch = transfer.read(file, labels, None if space is None else models.space(space))
    with _open(where, create=True) as gallery:
        done = gallery.import_batch(batch)
    skipped, space = done.skipped, batch.space.id
    record = {"file": str(file), "enrolled": done.enrolled, "skipped": len(skipped), "space": space}
    text = f"{counted(done.enrolled, 'template')} enrolled in space {space}"
    if skipped:
        text += f"; {len(skipped)} skipped ({skipped[0][1]}, ...)"
    answer({"imported": record}, text + ".", json=output.json)


# -- what the commands share ---------------------------------------------------------------------


def _open(
    where: GalleryFlags, *, create: bool = False, readonly: bool = False, damaged: bool = False
) -> Gallery:
    from facelign.gallery.gallery import Gallery

    path = gallery_path(where.gallery)
    return Gallery.open(path, create=create, readonly=readonly, damaged=damaged)


def _fixed(where: GalleryFlags) -> bool:
    """Say whether the gallery may not be written, which then knows nothing of a file made of it."""
    return not may_write(gallery_path(where.gallery))


def _templates(gallery: Gallery, name: str) -> int | None:
    """Return how many templates a person has, or None for somebody who was removed before."""
    try:
        return len(gallery.templates(name))
    except UnknownPerson:
        if not gallery.was_removed(name):
            raise
        return None


def _confirmed(name: str, templates: int) -> bool:
    """Ask on the terminal; without one, refuse: nobody is there to answer."""
    if not _terminal():
        raise ConfigError(
            f"Removing {name} cannot be undone, and there is no terminal to ask on.",
            "Add --yes to remove without a question.",
        )
    question = f"Remove {name} with {counted(templates, 'template')}? This cannot be undone."
    return typer.confirm(question, err=True)


def _terminal() -> bool:
    return sys.stdin.isatty()


def _showing(
    templates: Sequence[TemplateInfo], photo: str, digest: str | None
) -> list[TemplateInfo]:
    """Return the templates of the one photo that a word means.

    A file is known by its bytes; a word that is no such file, by the place that 'people show'
    tells. Other photos of the same file name are not meant.
    """
    from facelign.types.templates import spelled

    same = [t for t in templates if digest is not None and digest == t.photo.digest]
    place = os.path.normpath(spelled(photo))
    return same or [t for t in templates if os.path.normpath(t.photo.reference) == place]


def _digest(photo: str) -> str | None:
    """Return the digest of a file, or None where the word names none; raises InputError for a file
    that is no photo's, such as a pipe or one that is too large.
    """
    from facelign.imaging.listing import STDIN, clean_path, named
    from facelign.imaging.read import encoded

    if photo == STDIN:
        return encoded(photo).digest
    path = clean_path(photo)[0]
    return encoded(path).digest if named(path) else None


#: what a removal does to a file that held vectors, for people
_STATES = {
    "erased": "Erased there",
    "gone": "No longer there",
    "changed": "Another file by now, searched",
    "busy": "COULD NOT BE ERASED",
}


def _proof(receipt: Receipt) -> Iterator[str]:
    """Yield what became of a person's vectors."""
    cached = f", {receipt.cached} cached" if receipt.cached else ""
    who = receipt.person or "what was undone"
    yield f"Removed {who}: {counted(receipt.templates, 'template')}{cached} (receipt {receipt.id})."
    if receipt.verified:
        yield "No 32 bytes of a removed vector are left in the files that were searched:"
    else:
        yield "NOT VERIFIED. Pieces of removed vectors are still in these files:"
    for file in receipt.files if receipt.verified else receipt.found:
        yield f"  {file}"
    for holder in receipt.holders:
        yield f"{_STATES[holder.state]}: {holder.kind} {holder.path}"
    yield receipt.note


def _listed(
    output: OutputFlags,
    records: Iterable[Record],
    heads: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    *,
    numbers: tuple[int, ...],
    none: str = "",
) -> None:
    """Write the records as JSON, or the rows: a table on a terminal, with tabs into a pipe."""
    rows = list(rows)
    if output.json:
        for record in records:
            emit(record)
    elif not rows and none:
        line(none)
    elif not sys.stdout.isatty():
        for row in rows:
            line("\t".join(cell.replace("\n", ",") for cell in row))
    elif rows:
        _table(heads, rows, numbers)


def _table(
    heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: tuple[int, ...]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in numbers else "left", overflow="fold")
    for row in rows:
        cells = ("\n".join(map(visible, cell.split("\n"))) for cell in row)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    Console().print(table)
