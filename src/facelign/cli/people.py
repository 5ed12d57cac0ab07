"""``facelign people``: who is enrolled, and corrections that last."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import options
from facelign.cli.exits import Exit

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
def list_people(gallery: options.GalleryFile = None, json: options.Json = False) -> int:
    """List everybody who is enrolled, with the number of their templates."""
    from facelign.cli.output import emit, line

    with _open(gallery, readonly=True) as opened:
        people = opened.people()
    if json:
        for person in people:
            emit(
                {
                    "person": person.name,
                    "templates": person.templates,
                    "spaces": list(person.spaces),
                    "created": person.created,
                }
            )
        return Exit.DONE
    rows = [(p.name, str(p.templates), "\n".join(p.spaces), _day(p.created)) for p in people]
    _table(("Person", "Templates", "Space", "Since"), rows, numbers=(1,))
    if not people:
        line("Nobody is enrolled.")
    return Exit.DONE


@app.command("show")
def show(name: Name, gallery: options.GalleryFile = None, json: options.Json = False) -> int:
    """Show everything that is kept of a person, except the vectors themselves."""
    from facelign.cli.output import emit

    with _open(gallery, readonly=True) as opened:
        templates = opened.templates(name)
    if json:
        for template in templates:
            emit(_template_record(template))
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
def rename(
    old: Annotated[str, typer.Argument(help="The name now.", show_default=False)],
    new: Annotated[str, typer.Argument(help="The name from now on.", show_default=False)],
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Give a person another name."""
    with _open(gallery) as opened:
        opened.rename(old, new)
    _say({"renamed": {"from": old, "to": new}}, f"{old} is now {new}.", json)
    return Exit.DONE


@app.command("merge")
def merge(
    a: Annotated[str, typer.Argument(help="This person goes into the other.", show_default=False)],
    b: Annotated[str, typer.Argument(help="This person stays.", show_default=False)],
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Make two people one: B stays, and A's templates become B's."""
    with _open(gallery) as opened:
        count = opened.merge(a, b)
    record = {"merged": {"from": a, "into": b, "templates": count}}
    _say(record, f"{a} went into {b}, with {_count(count)}.", json)
    return Exit.DONE


@app.command("split")
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
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Make a new person of some templates of another one."""
    from facelign.errors import ConfigError, GalleryError

    if not photos and not templates:
        raise ConfigError(
            "split needs to know which templates go.", "Say --photos PHOTO or --templates NUMBER."
        )
    with _open(gallery) as opened:
        held = opened.templates(name)
        chosen = list(templates or ())
        for photo in photos or ():
            found = [t.id for t in held if _is_photo(t, photo)]
            if not found:
                raise GalleryError(
                    f"{name} has no template of {photo}.", f"See: facelign people show '{name}'"
                )
            chosen += found
        opened.split(name, chosen, to)
    count = len(set(chosen))
    record = {"split": {"from": name, "to": to, "templates": count}}
    _say(record, f"{_count(count)} of {name} became {to}.", json)
    return Exit.DONE


@app.command("reject")
def reject(
    name: Name,
    photo: Annotated[
        str,
        typer.Argument(help="A photo that does not show the person.", show_default=False),
    ],
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Say that a photo does not show a person: it is never proposed as them again."""
    from facelign.errors import GalleryError

    with _open(gallery) as opened:
        found = {
            t.photo.digest: t.photo.reference
            for t in opened.templates(name)
            if _is_photo(t, photo) and t.photo.digest
        }
        digest = _digest(photo)
        if digest is not None:
            found = {digest: photo}
        if not found:
            raise GalleryError(
                f"{photo} is neither a file nor an enrolled photo of {name}.",
                f"See: facelign people show '{name}'",
            )
        aside = sum(opened.reject(name, digest=d, reference=r) for d, r in found.items())
    text = f"{photo} is not {name}" + (f"; {_count(aside)} set aside." if aside else ".")
    _say({"rejected": {"person": name, "photo": photo, "templates": aside}}, text, json)
    return Exit.DONE


class RuleName(StrEnum):
    """Rules of a classifier."""

    KNN = "knn"
    MEAN = "mean"
    SVM = "svm"


@app.command("classifier")
def fit_classifier(
    rule: Annotated[
        RuleName,
        typer.Option("--rule", help="k nearest vote, nearest mean, or linear SVM."),
    ] = RuleName.KNN,
    k: Annotated[int, typer.Option("--k", min=1, help="Neighbors that vote, for knn.")] = 3,
    space: Space = None,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Fit a classifier on the templates, for 'identify --classifier'; it lies beside the gallery.

    Fit it again when the gallery changes. Removing a person deletes it: it holds their vectors.
    """
    from facelign.cli.output import emit, line
    from facelign.compare.classifiers import Rule
    from facelign.gallery.removal import classifier_path
    from facelign.lab.identification import classifiers
    from facelign.lab.material import sources

    with _open(gallery, readonly=True) as opened:
        path = classifier_path(opened.path)
        revision = opened.revision
        named = sources.of_gallery(opened, space)
        fitted = classifiers.fit(named, Rule(rule.value), k=k, revision=revision)
        fitted.save(path)
    record = {
        "file": str(path),
        "rule": rule.value,
        "people": len(fitted.people),
        "templates": len(named.people),
        "space": fitted.space,
    }
    if json:
        emit({"classifier": record})
    else:
        line(f"{path}: {rule.value} of {len(fitted.people)} people, {_count(len(named.people))}.")
        line("Use it: facelign identify PHOTO --classifier. It holds personal data.")
    return Exit.DONE


@app.command("remove")
def remove(
    name: Name,
    yes: Yes = False,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Remove a person from every byte of gallery and cache; print the proof. No undo."""
    from facelign.cli.output import note
    from facelign.files.home import cache_path
    from facelign.gallery.cache import VectorCache

    with _open(gallery) as opened:
        count = len(opened.templates(name))
        if not yes and not _confirmed(name, count):
            note("Nothing was removed.")
            return Exit.NO
        with VectorCache(cache_path()) as cache:
            receipt = opened.remove(name, cache=cache)
    _say({"receipt": _receipt_record(receipt)}, _receipt_text(receipt), json)
    return Exit.DONE if receipt.verified else Exit.GALLERY


@app.command("history")
def history(gallery: options.GalleryFile = None, json: options.Json = False) -> int:
    """Show every change, oldest first. Vectors and removed people are not in it."""
    from dataclasses import asdict

    from facelign.cli.output import emit, line

    with _open(gallery, readonly=True) as opened:
        changes = opened.history()
    if json:
        for change in changes:
            emit(asdict(change))
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
def undo(gallery: options.GalleryFile = None, json: options.Json = False) -> int:
    """Take the last change back; a removal cannot be."""
    from facelign.cli.output import emit, line

    with _open(gallery) as opened:
        undone = opened.undo()
    if json:
        emit({"undone": [{"number": c.number, "action": c.action, "text": c.text} for c in undone]})
    else:
        for change in undone:
            line(f"Undone: {change.action}, {change.text}")
    return Exit.DONE


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="FILE.npz to write.", show_default=False)],
    space: Space = None,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Write the templates of a space to an .npz of plain arrays. It holds personal data."""
    with _open(gallery, readonly=True) as opened:
        count = opened.export(file, space)
    text = f"{_count(count)} written to {file}. They are personal data: keep the file safe."
    _say({"exported": {"file": str(file), "templates": count}}, text, json)
    return Exit.DONE


@app.command("import")
def import_people(
    file: Annotated[Path, typer.Argument(help=".npz, .npy, .pickle or .json.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Names for an .npy: .pickle, .json or .txt."),
    ] = None,
    gallery: options.GalleryFile = None,
    json: options.Json = False,
) -> int:
    """Enroll templates of an export, of face_recognition, or of an .npy with labels.

    Nothing in the file is executed; pickles are read as plain data only.
    """
    from facelign.gallery import transfer

    batch = transfer.read(file, labels)
    with _open(gallery, create=True) as opened:
        done = opened.import_batch(batch)
    record: dict[str, Any] = {
        "file": str(file),
        "enrolled": done.enrolled,
        "skipped": len(done.skipped),
        "space": batch.space.id,
    }
    text = f"{_count(done.enrolled)} enrolled in space {batch.space.id}"
    if done.skipped:
        text += f"; {len(done.skipped)} skipped ({done.skipped[0][1]}, ...)"
    _say({"imported": record}, text + ".", json)
    return Exit.DONE


# -- words and records ---------------------------------------------------------------------------


def _open(path: Path | None, *, create: bool = False, readonly: bool = False) -> Gallery:
    from facelign.files.home import gallery_path
    from facelign.gallery.gallery import Gallery

    return Gallery.open(gallery_path(path), create=create, readonly=readonly)


def _say(record: dict[str, Any], text: str | Sequence[str], json: bool) -> None:
    from facelign.cli.output import emit, line

    if json:
        emit(record)
    else:
        for one in (text,) if isinstance(text, str) else text:
            line(one)


def _confirmed(name: str, templates: int) -> bool:
    """Ask on the terminal; without one, refuse: nobody is there to answer."""
    from facelign.errors import ConfigError

    if not _terminal():
        raise ConfigError(
            f"Removing {name} cannot be undone, and there is no terminal to ask on.",
            "Add --yes to remove without a question.",
        )
    question = f"Remove {name} with {_count(templates)}? This cannot be undone."
    return typer.confirm(question, err=True)


def _terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def _is_photo(template: TemplateInfo, photo: str) -> bool:
    """Return whether a word means the photo of a template: reference, file name, or its bytes."""
    reference = template.photo.reference
    if photo in (reference, Path(reference).name):
        return True
    digest = _digest(photo)
    return digest is not None and digest == template.photo.digest


def _digest(photo: str) -> str | None:
    from facelign.gallery.gallery import digest_of

    try:
        return digest_of(photo)
    except OSError:
        return None


def _receipt_record(receipt: Receipt) -> dict[str, Any]:
    return {
        "person": receipt.person,
        "templates": receipt.templates,
        "photos": receipt.photos,
        "cached": receipt.cached,
        "verified": receipt.verified,
        "files": [str(file) for file in receipt.files],
        "found": [str(file) for file in receipt.found],
        "time": receipt.time,
        "note": receipt.note,
    }


def _receipt_text(receipt: Receipt) -> list[str]:
    cached = f", {receipt.cached} cached" if receipt.cached else ""
    lines = [f"Removed {receipt.person}: {_count(receipt.templates)}{cached}."]
    if receipt.verified:
        lines.append("No 32 bytes of a removed vector are left in the files that were searched:")
    else:
        lines.append("NOT VERIFIED. Pieces of removed vectors are still in these files:")
    lines += [f"  {file}" for file in (receipt.files if receipt.verified else receipt.found)]
    return [*lines, receipt.note]


def _template_record(template: TemplateInfo) -> dict[str, Any]:
    face = template.face
    return {
        "template": template.id,
        "person": template.person,
        "photo": template.photo.reference,
        "digest": template.photo.digest,
        "space": template.space,
        "box": None if face.box is None else [round(v, 2) for v in face.box],
        "score": face.score,
        "height": face.height,
        "created": template.created,
        "consent": template.consent,
        "rejected": template.rejected,
    }


def _count(templates: int) -> str:
    return f"{templates} template{'' if templates == 1 else 's'}"


def _day(time: str) -> str:
    return time[:10]


def _table(
    heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: tuple[int, ...] = ()
) -> None:
    """Print a table on a terminal, and lines with tabs into a pipe."""
    import sys

    from facelign.cli.output import line, visible

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
        shown = ("\n".join(map(visible, cell.split("\n"))) for cell in row)
        table.add_row(*(cell.replace("[", r"\[") for cell in shown))
    Console().print(table)
