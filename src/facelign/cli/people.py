"""``facelign people``: who is enrolled, and corrections that last."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import building, trials
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command
from facelign.cli.output import answer, emit, line, note, visible
from facelign.errors import ConfigError, GalleryError
from facelign.files.home import gallery_path
from facelign.types.policies import ClassifierRule
from facelign.wire.options import GalleryFlags
from facelign.wire.records import Record, plain, template_record

if TYPE_CHECKING:
    from facelign.gallery.gallery import Gallery, Receipt, TemplateInfo

app = typer.Typer(
    help="List, correct, remove, export and import the people of a gallery.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The name of a person.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Space = Annotated[
    str | None,
    typer.Option("--space", help="Which space, when the gallery holds several."),
]


@app.command("list")
@command
def list_people(where: GalleryFlags, output: JsonFlag) -> int:
    """List everybody who is enrolled, with the number of their templates."""
    with _open(where, readonly=True) as gallery:
        people = gallery.people()
    if output.json:
        for person in people:
            record = plain(person)
            emit({"person": record.pop("name")} | {k: v for k, v in record.items() if k != "id"})
        return Exit.DONE
    rows = [(p.name, str(p.templates), "\n".join(p.spaces), _day(p.created)) for p in people]
    _table(("Person", "Templates", "Space", "Since"), rows, numbers=(1,))
    if not people:
        line("Nobody is enrolled.")
    return Exit.DONE


@app.command("show")
@command
def show(name: Name, where: GalleryFlags, output: JsonFlag) -> int:
    """Show everything that is kept of a person, except the vectors themselves."""
    with _open(where, readonly=True) as gallery:
        templates = gallery.templates(name)
    if output.json:
        for template in templates:
            emit(template_record(template))
        return Exit.DONE
    rows = [
        (
            str(t.id),
            t.photo.reference,
            "-" if t.face.height is None else f"{t.face.height:.0f}",
            "-" if t.face.score is None else f"{t.face.score:.2f}",
            t.space,
            _day(t.created),
            ("rejected; " if t.rejected else "") + (t.consent or ""),
        )
        for t in templates
    ]
    heads = ("Template", "Photo", "Face px", "Score", "Space", "Since", "Note")
    _table(heads, rows, numbers=(0, 2, 3))
    return Exit.DONE


@app.command("rename")
@command
def rename(
    old: Annotated[str, typer.Argument(help="The name now.", show_default=False)],
    new: Annotated[str, typer.Argument(help="The name from now on.", show_default=False)],
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Give a person another name."""
    with _open(where) as gallery:
        gallery.rename(old, new)
    record = {"renamed": {"from": old, "to": new}}
    answer(record, f"{old} is now {new}.", json=output.json)
    return Exit.DONE


@app.command("merge")
@command
def merge(
    a: Annotated[str, typer.Argument(help="This person goes into the other.", show_default=False)],
    b: Annotated[str, typer.Argument(help="This person stays.", show_default=False)],
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Make two people one: B stays, and A's templates become B's."""
    with _open(where) as gallery:
        count = gallery.merge(a, b)
    record = {"merged": {"from": a, "into": b, "templates": count}}
    answer(record, f"{a} went into {b}, with {_count(count)}.", json=output.json)
    return Exit.DONE


@app.command("split")
@command
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
) -> int:
    """Make a new person of some templates of another one."""
    if not photos and not templates:
        raise ConfigError(
            "split needs to know which templates go.", "Say --photos PHOTO or --templates NUMBER."
        )
    with _open(where) as gallery:
        theirs = gallery.templates(name)
        going = list(templates or ())
        for photo in photos or ():
            of_photo = [t.id for t in theirs if _is_photo(t, photo)]
            if not of_photo:
                raise GalleryError(
                    f"{name} has no template of {photo}.", f"See: facelign people show '{name}'"
                )
            going += of_photo
        gallery.split(name, going, to)
    count = len(set(going))
    record = {"split": {"from": name, "to": to, "templates": count}}
    answer(record, f"{_count(count)} of {name} became {to}.", json=output.json)
    return Exit.DONE


@app.command("reject")
@command
def reject(
    name: Name,
    photo: Annotated[
        str,
        typer.Argument(help="A photo that does not show the person.", show_default=False),
    ],
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Say that a photo does not show a person: it is never proposed as them again."""
    with _open(where) as gallery:
        rejected = {
            t.photo.digest: t.photo.reference
            for t in gallery.templates(name)
            if _is_photo(t, photo) and t.photo.digest
        }
        own = _digest(photo)
        if own is not None:
            rejected = {own: photo}
        if not rejected:
            raise GalleryError(
                f"{photo} is neither a file nor an enrolled photo of {name}.",
                f"See: facelign people show '{name}'",
            )
        aside = sum(gallery.reject(name, digest=d, reference=r) for d, r in rejected.items())
    text = f"{photo} is not {name}" + (f"; {_count(aside)} set aside." if aside else ".")
    record = {"rejected": {"person": name, "photo": photo, "templates": aside}}
    answer(record, text, json=output.json)
    return Exit.DONE


@app.command("classifier")
@command
def fit_classifier(
    rule: Annotated[
        ClassifierRule,
        typer.Option("--rule", help="k nearest vote, nearest mean, or linear SVM."),
    ] = ClassifierRule.KNN,
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbors that vote, for knn.")] = 3,
    space: Space = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Fit a classifier on the templates, for 'identify --classifier'; it lies beside the gallery.

    Fit it again when the gallery changes. Removing a person deletes it: it holds their vectors.
    """
    from facelign.gallery.removal import classifier_path
    from facelign.lab.identification import classifiers
    from facelign.lab.material import sources

    if rule is ClassifierRule.SVM:
        trials.needs("evaluate", "sklearn")
    with _open(where, readonly=True) as gallery:
        path = classifier_path(gallery.path)
        revision = gallery.revision
        named = sources.of_gallery(gallery, space)
        fitted = classifiers.fit(named, rule, k=k, revision=revision)
        fitted.save(path)
    record = {
        "file": str(path),
        "rule": rule.value,
        "people": len(fitted.people),
        "templates": len(named.people),
        "space": fitted.space,
    }
    answer(
        {"classifier": record},
        f"{path}: {rule.value} of {len(fitted.people)} people, {_count(len(named.people))}.",
        "Use it: facelign identify PHOTO --classifier. It holds personal data.",
        json=output.json,
    )
    return Exit.DONE


@app.command("remove")
@command
def remove(name: Name, yes: Yes = False, *, where: GalleryFlags, output: JsonFlag) -> int:
    """Remove a person from every byte of gallery and cache; print the proof. No undo."""
    with _open(where) as gallery:
        count = len(gallery.templates(name))
        if not yes and not _confirmed(name, count):
            note("Nothing was removed.")
            return Exit.NO
        with building.cache() as cache:
            receipt = gallery.remove(name, cache=cache)
    answer({"receipt": plain(receipt)}, *_proof(receipt), json=output.json)
    return Exit.DONE if receipt.verified else Exit.GALLERY


@app.command("history")
@command
def history(where: GalleryFlags, output: JsonFlag) -> int:
    """Show every change, oldest first. Vectors and removed people are not in it."""
    with _open(where, readonly=True) as gallery:
        changes = gallery.history()
    if output.json:
        for change in changes:
            keys = ("number", "time", "action", "text", "templates", "undone")
            emit({key: getattr(change, key) for key in keys})
        return Exit.DONE
    rows = [
        (
            str(c.number),
            c.time[:19].replace("T", " "),
            c.action,
            c.text + (" (undone)" if c.undone else ""),
        )
        for c in changes
    ]
    _table(("No.", "Time (UTC)", "Change", "What"), rows, numbers=(0,))
    if not changes:
        line("Nothing has happened yet.")
    return Exit.DONE


@app.command("undo")
@command
def undo(where: GalleryFlags, output: JsonFlag) -> int:
    """Take the last change back; a removal cannot be."""
    with _open(where) as gallery:
        undone = gallery.undo()
    record = [{"number": c.number, "action": c.action, "text": c.text} for c in undone]
    lines = (f"Undone: {change.action}, {change.text}" for change in undone)
    answer({"undone": record}, *lines, json=output.json)
    return Exit.DONE


@app.command("export")
@command
def export(
    file: Annotated[Path, typer.Argument(help="FILE.npz to write.", show_default=False)],
    space: Space = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Write the templates of a space to an .npz of plain arrays. It holds personal data."""
    with _open(where, readonly=True) as gallery:
        count = gallery.export(file, space)
    text = f"{_count(count)} written to {file}. They are personal data: keep the file safe."
    answer({"exported": {"file": str(file), "templates": count}}, text, json=output.json)
    return Exit.DONE


@app.command("import")
@command
def import_people(
    file: Annotated[Path, typer.Argument(help=".npz, .npy, .pickle or .json.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Names for an .npy: .pickle, .json or .txt."),
    ] = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
) -> int:
    """Enroll templates of an export, of face_recognition, or of an .npy with labels.

    Nothing in the file is executed; pickles are read as plain data only.
    """
    from facelign.gallery import transfer

    batch = transfer.read(file, labels)
    with _open(where, create=True) as gallery:
        done = gallery.import_batch(batch)
    record: Record = {
        "file": str(file),
        "enrolled": done.enrolled,
        "skipped": len(done.skipped),
        "space": batch.space.id,
    }
    text = f"{_count(done.enrolled)} enrolled in space {batch.space.id}"
    if done.skipped:
        text += f"; {len(done.skipped)} skipped ({done.skipped[0][1]}, ...)"
    answer({"imported": record}, text + ".", json=output.json)
    return Exit.DONE


# -- what the commands share ---------------------------------------------------------------------


def _open(where: GalleryFlags, *, create: bool = False, readonly: bool = False) -> Gallery:
    return building.templates(gallery_path(where.gallery), create=create, readonly=readonly)


def _confirmed(name: str, templates: int) -> bool:
    """Ask on the terminal; without one, refuse: nobody is there to answer."""
    if not _terminal():
        raise ConfigError(
            f"Removing {name} cannot be undone, and there is no terminal to ask on.",
            "Add --yes to remove without a question.",
        )
    question = f"Remove {name} with {_count(templates)}? This cannot be undone."
    return typer.confirm(question, err=True)


def _terminal() -> bool:
    return sys.stdin.isatty()


def _is_photo(template: TemplateInfo, photo: str) -> bool:
    """Return whether a word means the photo of a template: reference, file name, or its bytes."""
    reference = template.photo.reference
    if photo in (reference, Path(reference).name):
        return True
    own = _digest(photo)
    return own is not None and own == template.photo.digest


def _digest(photo: str) -> str | None:
    from facelign.files.disk import digest

    try:
        return digest(Path(photo))
    except OSError:
        return None


def _proof(receipt: Receipt) -> Iterator[str]:
    """Yield what became of a person's vectors."""
    cached = f", {receipt.cached} cached" if receipt.cached else ""
    yield f"Removed {receipt.person}: {_count(receipt.templates)}{cached}."
    if receipt.verified:
        yield "No 32 bytes of a removed vector are left in the files that were searched:"
    else:
        yield "NOT VERIFIED. Pieces of removed vectors are still in these files:"
    for file in receipt.files if receipt.verified else receipt.found:
        yield f"  {file}"
    yield receipt.note


def _count(templates: int) -> str:
    return f"{templates} template{'' if templates == 1 else 's'}"


def _day(time: str) -> str:
    return time[:10]


def _table(
    heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: tuple[int, ...] = ()
) -> None:
    """Print a table on a terminal, and lines with tabs into a pipe."""
    if not rows:
        return
    if not sys.stdout.isatty():
        for row in rows:
            line("\t".join(cell.replace("\n", ",") for cell in row))
        return
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
