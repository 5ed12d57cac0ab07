"""What may be kept: names that are known, vectors that fit, photos that are enrolled once."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facelign.errors import BadArray, DuplicateTemplate, UnknownPerson
from facelign.gallery.rejections import bars, same_face
from facelign.types.changes import PersonRef
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Embeddings, Space
from facelign.types.templates import FaceRecord, PhotoRef, Row, person_name


def known(store: TemplateStore, name: str) -> PersonRef:
    """Return the person of a name; raises UnknownPerson with the names that are near."""
    wanted = person_name(name)
    person = store.person(wanted)
    if person is not None:
        return person
    near = difflib.get_close_matches(wanted, store.names().values(), n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: facelign people list"
    raise UnknownPerson(f"Nobody named '{wanted}' is enrolled.", hint)


def check_unit(embeddings: Embeddings) -> None:
    """Refuse vectors that are not of unit length in a space that says they are."""
    if embeddings.space.unit and len(embeddings):
        lengths = np.linalg.norm(embeddings.vectors, axis=1)
        if np.abs(lengths - 1).max() > 1e-3:
            raise BadArray(
                f"vectors: space '{embeddings.space.id}' holds unit vectors, got lengths "
                f"{lengths.min():.3f} to {lengths.max():.3f}."
            )


def refuse_duplicates(
    store: TemplateStore,
    name: str,
    photo: PhotoRef,
    space_id: str,
    faces: Sequence[FaceRecord],
    force: bool,
) -> None:
    """Raise DuplicateTemplate for what ``Gallery.enroll`` does not keep."""
    if not photo.digest:
        return
    if any(was_rejected(store, name, photo.digest, face.box) for face in faces):
        raise DuplicateTemplate(
            f"{photo.reference} was rejected as {name}.",
            "If that was a mistake: facelign people undo, while it is the last change.",
        )
    for other in store.photos([photo.digest], space_id):
        if other.person == name:
            raise DuplicateTemplate(
                f"{photo.reference} is already enrolled as {name}.", "Nothing was changed."
            )
        if not force and any(_same_face(other.box, face.box) for face in faces):
            raise DuplicateTemplate(
                f"{photo.reference} is already enrolled as {other.person}.",
                f"If it shows {name}, not {other.person}: facelign people reject.",
            )


def was_rejected(store: TemplateStore, name: str, digest: str, box: Sequence[float] | None) -> bool:
    """Return whether a face of a photo was rejected as a person's, or the photo was.

    One without a digest cannot be.
    """
    return bool(digest) and any(
        bars(key, digest, box) for _, key in _rejected(store, [digest], [name])
    )


def fresh(
    store: TemplateStore,
    rows: Sequence[Row],
    space: Space,
    first: int,
    skipped: list[tuple[int, str]],
) -> list[Row]:
    """Return the rows that may be kept, their names in one spelling and their vectors checked.

    The others are added to ``skipped`` with their number, counted from ``first``, and the reason.
    """
    digests = [row.photo.digest for row in rows if row.photo.digest]
    names = [person_name(row.person) for row in rows]
    enrolled = {photo.digest for photo in store.photos(digests, space.id)}
    rejected = _rejected(store, digests, names)
    kept = []
    for number, (name, row) in enumerate(zip(names, rows, strict=True), start=first):
        digest = row.photo.digest
        if digest in enrolled:
            skipped.append((number, "already enrolled"))
        elif any(who == name and bars(key, digest, row.face.box) for who, key in rejected):
            skipped.append((number, f"was rejected as {name}"))
        else:
            kept.append(row if name == row.person else replace(row, person=name))
            if digest:
                enrolled.add(digest)
    if kept:
        norms = np.array([row.norm for row in kept], np.float32)
        check_unit(Embeddings(np.stack([row.vector for row in kept]), space, norms))
    return kept


def _rejected(
    store: TemplateStore, digests: Sequence[str], names: Sequence[str]
) -> set[tuple[str, str]]:
    """Return the (name, key) of the rejections of photos as those of people of these names."""
    barred = store.rejections(digests)
    people = [store.person(name) for name in set(names)] if barred else []
    return {
        (person.name, key)
        for person in people
        for key, ids in barred.items()
        if person is not None and person.id in ids
    }


def _same_face(box: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    """Return whether two boxes of a photo are one face; unknown boxes are taken for the same."""
    return box is None or other is None or same_face(box, other)
