"""Records to and from the rows of a gallery file. Older programs wrote the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from facelign.errors import GalleryCorrupt
from facelign.gallery.stores.checksums import of_vector
from facelign.types import changes as c
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef, Row, TemplateInfo, TemplateVectors

_spelled = json.JSONEncoder(separators=(",", ":")).encode
P = ParamSpec("P")
T = TypeVar("T")
Box = tuple[float, float, float, float]

#: columns of a row of templates
TEMPLATE = (
    "id, person, space, reference, digest, x1, y1, x2, y2, points, scheme, score, height, norm,"
    " created, consent, vector_checksum"
)
#: columns that ``info`` reads, of templates t, people p and spaces s
INFO = (
    "t.id, p.name, t.reference, t.digest, s.id, t.x1, t.y1, t.x2, t.y2, t.points, t.scheme,"
    " t.score, t.height, t.norm, t.created, t.consent"
)
#: columns of a history row after its number
HISTORY = "time, action, person, name, other, other_name, templates, detail, run, undone"


def template(
    number: int, person: int, space: int, row: Row, time: str, vector: bytes
) -> tuple[object, ...]:
    """Return the row of a template."""
    face, photo = row.face, row.photo
    points = None if face.points is None else np.ascontiguousarray(face.points, "<f4").tobytes()
    place = (*(face.box or (None,) * 4), points, face.scheme, face.score, face.height)
    rest = (float(row.norm), time, row.consent, of_vector(number, person, vector))
    return (number, person, space, photo.reference, photo.digest, *place, *rest)


def _decoder(decode: Callable[P, T]) -> Callable[P, T]:
    """Return a decoder that says of a row it makes nothing of that the file is damaged."""

    @wraps(decode)
    def told(*row: P.args, **more: P.kwargs) -> T:
        try:
            return decode(*row, **more)
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise GalleryCorrupt(
                f"The gallery is damaged: a row is no {decode.__name__.rstrip('s')}.",
                "Put a back-up in its place; nothing was changed.",
            ) from error

    return told


@_decoder
def space(name: str, dim: int, metric: str, unit: int) -> Space:
    """Return the space of a row."""
    if not 0 < dim <= 1 << 20:
        raise ValueError(dim)
    return Space(name, dim, Metric(metric), bool(unit))


@_decoder
def box(x1: float | None, y1: float, x2: float, y2: float) -> Box | None:
    """Return a box, or None for one that is not known."""
    return None if x1 is None else (float(x1), float(y1), float(x2), float(y2))


@_decoder
def info(row: Sequence[Any]) -> TemplateInfo:
    """Return what is kept with a template, from INFO and whether it is set aside."""
    (number, person, reference, digest, space, *sides, points, scheme) = row[:11]
    (score, height, norm, created, consent, rejected) = row[11:]
    array = None if points is None else np.frombuffer(points, "<f4").reshape(-1, 2)
    face = FaceRecord(box(*sides), array, scheme, score, height)
    photo = PhotoRef(reference, digest)
    return TemplateInfo(number, person, photo, space, face, norm, created, consent, bool(rejected))


@_decoder
def vectors(rows: Sequence[tuple[int, int, bytes, int]]) -> TemplateVectors:
    """Return templates from rows of (id, person, vector, checksum)."""
    numbers = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    flat = np.frombuffer(b"".join(row[2] for row in rows), "<f4")
    return TemplateVectors(numbers[:, 0], numbers[:, 1], flat.reshape(len(rows), -1))


# -- history: ids, counts and digests as JSON ----------------------------------------------------


def history(entry: c.Entry) -> tuple[object, ...]:
    """Return the row of an entry."""
    detail: dict[str, Any] = {}
    match entry.change, entry.inverse:
        case c.Enroll(_, templates, people), _:
            detail = {"templates": templates, "people": people}
        case c.Merge(), c.Split() as parted:
            detail = {
                "moved": ranges(parted.templates),
                "created": parted.created,
                "rejected": parted.rejected,
                "both": parted.both,
            }
        case c.Split(_, templates), _:
            detail = {"moved": ranges(templates)}
        case c.Reject(_, digest), _:
            detail = {"digest": digest}
    refs: list[object] = [value for ref in entry.people for value in (ref.id, ref.name)]
    refs += [None] * (4 - len(refs))
    text = _spelled(detail)
    return (entry.time, entry.action, *refs, entry.templates, text, entry.run, entry.undone)


@_decoder
def entry(row: Sequence[Any]) -> c.Entry:
    """Return the entry of a row: its number, then the columns of HISTORY."""
    number, time, action, *refs, templates, text, run, undone = row
    person, other = c.PersonRef(*refs[:2]), c.PersonRef(*refs[2:])
    detail = json.loads(text)
    change: c.Change = c.Remove()
    inverse: c.Change | None = None
    match action:
        case "enroll" | "import":
            kind = c.Import if action == "import" else c.Enroll
            first, people = tuple(detail["templates"]), tuple(detail["people"])
            change = kind(None if person.id is None else person, first, people)
            inverse = c.Withdraw(first, people)
        case "rename":
            change, inverse = c.Rename(person, other.name), c.Rename(other, person.name)
        case "merge":
            moved, kept = _listed(detail["moved"]), (detail["rejected"], detail["both"])
            change = c.Merge(person, other)
            inverse = c.Split(other, moved, person, detail["created"], *map(tuple, kept))
        case "split":
            change = c.Split(person, _listed(detail["moved"]), other)
            inverse = c.Merge(other, person)
        case "reject":
            change, inverse = c.Reject(person, detail["digest"]), c.Accept(person, detail["digest"])
    return c.Entry(time, change, templates, inverse, run, undone, number)


def ranges(ids: Iterable[int]) -> list[list[int]]:
    """Return rising ids as [first, after the last] pairs."""
    ranges: list[list[int]] = []
    for number in sorted(ids):
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] += 1
        else:
            ranges.append([number, number + 1])
    return ranges


def _listed(ranges: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(number for first, end in ranges for number in range(first, end))
