"""People whose templates lie in other spaces than the one in use: are they who is enrolled now?

A gallery may be half of one model and half of another, and a search in one space does not see who
is enrolled in the other only. So a newcomer is looked for there too, by that space's own models.
"""

from __future__ import annotations

import numpy as np

from facelign.errors import FacelignError
from facelign.gallery.gallery import Gallery
from facelign.geometry.boxes import iou
from facelign.recognition.enrolling import Doubt, lookalike, looks_like
from facelign.recognition.presets import PRESETS
from facelign.recognition.recognizer import Photo, Recognizer
from facelign.types.analysis import Analysis
from facelign.types.embeddings import Embeddings
from facelign.types.templates import Person


class Elsewhere:
    """Looks for the face of a newcomer in the spaces that the recognizer's own does not reach.

    Such a space needs one of the presets, and its models on this machine.
    """

    def __init__(self, gallery: Gallery, recognizer: Recognizer) -> None:
        self._gallery = gallery
        self._own = recognizer
        self._others: dict[str, Recognizer | None] = {}
        self._away: tuple[Person, ...] | None = None  # looked up once, by the first newcomer

    def like(self, person: str, photo: Photo, found: Analysis, face: int) -> Doubt:
        """Return whom a face looks like who is enrolled in other spaces only.

        Where that cannot be seen, says so. person: under which name it is to be enrolled; somebody
        who is enrolled already under it is no newcomer.
        """
        if self._gallery.store.person(person) is not None:
            return Doubt()
        if self._away is None:
            self._away = self._gallery.people_without(self._own.space.id)
        unseen = 0
        for space_id in sorted({space for one in self._away for space in one.spaces}):
            other = self._recognizer(space_id)
            vector = None if other is None else _vector(other, photo, found, face)
            if other is None or vector is None:
                unseen += sum(space_id in one.spaces for one in self._away)
                continue
            candidate = lookalike(self._gallery, person, vector, other.calibration)
            if candidate is not None:
                words = looks_like(self._gallery, candidate, vector, other.calibration)
                return Doubt(words, candidate.person)
        if not unseen:
            return Doubt()
        people = "1 person has" if unseen == 1 else f"{unseen} people have"
        return Doubt(f"may be somebody who is enrolled: {people} no template of this preset")

    def _recognizer(self, space_id: str) -> Recognizer | None:
        """Return a recognizer of a space, or None where no preset at hand has it."""
        for preset in PRESETS.values():
            if space_id in self._others:
                break
            try:
                made = Recognizer(preset, store=self._own.chain.store, workers=1)
                self._others.setdefault(made.space.id, made)
            except FacelignError:  # its models are not here
                continue
        return self._others.setdefault(space_id, None)


def _vector(other: Recognizer, photo: Photo, found: Analysis, face: int) -> Embeddings | None:
    """Return another recognizer's vector of the same face, or None where it does not see it."""
    try:
        seen = other.analyze(photo)
    except FacelignError:  # such as a stream that was read
        return None
    if not len(seen.faces):
        return None
    overlaps = iou(found.faces.boxes[face : face + 1], seen.faces.boxes)[0]
    at = int(np.argmax(overlaps))
    return seen.vector_of(at) if overlaps[at] > 0 else None
