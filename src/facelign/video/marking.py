"""Names, boxes and blur on the frames of a film."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from facelign.imaging.draw import GRAY, Mark, color_of_name, draw_faces
from facelign.imaging.resize import resized
from facelign.types.arrays import ByteArray, FloatArray
from facelign.types.faces import Box, Faces
from facelign.video.visits import Visit

#: how many blocks are left of a blurred face's shorter side: no network gets a face back from
#: so few, as far as is known
_BLOCKS = 6
#: how much wider than its box a face is blurred: hair and ears tell too
_WIDER = 1.3


class Shown(NamedTuple):
    """A face in a frame. edges: (4,) of its box, px. person: None without a name; number: of the
    stranger or track then.
    """

    edges: FloatArray
    person: str | None
    number: int | None = None


class Paths:
    """Where each visit's face is in every frame, also in those between two that were looked at."""

    def __init__(self) -> None:
        self._of: list[tuple[Visit, list[int], FloatArray]] = []

    def add(self, visits: Iterable[Visit], paths: Mapping[int, Mapping[int, Box]]) -> None:
        """Take the visits that are settled, with the boxes in which they were found."""
        for visit in visits:
            found = sorted(paths[visit.number].items())
            numbers = [number for number, _ in found]
            self._of.append((visit, numbers, np.array([box.edges for _, box in found])))

    def at(self, number: int) -> list[Shown]:
        """Return who is in frame ``number``."""
        here = []
        for visit, numbers, boxes in self._of:
            if not numbers[0] <= number <= numbers[-1]:
                continue
            i = bisect_right(numbers, number) - 1
            j = min(i + 1, len(numbers) - 1)
            span = numbers[j] - numbers[i]
            share = (number - numbers[i]) / span if span else 0.0
            edges = (1 - share) * boxes[i] + share * boxes[j]
            here.append(Shown(edges, visit.verdict.person, visit.stranger))
        return here


def marked(pixels: ByteArray, here: Sequence[Shown], blur: str) -> ByteArray:
    """Return a frame with boxes and names; faces that must not be seen are blurred.

    pixels: (h, w, 3) uint8 RGB. blur: "" for nobody, "all", "unknown", or the name of a person.
    """
    if not here:
        return pixels
    hidden = [face.edges for face in here if _hides(blur, face.person)]
    seen = blurred(pixels, hidden) if hidden else pixels
    boxes = np.array([face.edges for face in here], np.float32)
    size = (pixels.shape[1], pixels.shape[0])
    faces = Faces(boxes, np.ones(len(boxes), np.float32), None, "film", size)
    return draw_faces(seen, faces, [_mark(face, blur) for face in here], points=False)


def blurred(pixels: ByteArray, boxes: Iterable[FloatArray]) -> ByteArray:
    """Return a copy in which every box (4,) is a few blocks of one color each, in an ellipse."""
    result = np.array(pixels)
    tall, wide = pixels.shape[:2]
    for x1, y1, x2, y2 in boxes:
        middle, half = ((x1 + x2) / 2, (y1 + y2) / 2), ((x2 - x1) / 2, (y2 - y1) / 2)
        left, top = (int(max(0, m - h * _WIDER)) for m, h in zip(middle, half, strict=True))
        right = int(min(wide, middle[0] + half[0] * _WIDER + 1))
        bottom = int(min(tall, middle[1] + half[1] * _WIDER + 1))
        if right <= left or bottom <= top:
            continue
        part = result[top:bottom, left:right]
        few = resized(part, (min(_BLOCKS, right - left), min(_BLOCKS, bottom - top)))
        rows, columns = (np.arange(part.shape[i]) * few.shape[i] // part.shape[i] for i in (0, 1))
        flat = few[rows[:, None], columns]
        mask = np.zeros(part.shape[:2], np.uint8)
        axes = (max(1, round(half[0] * _WIDER)), max(1, round(half[1] * _WIDER)))
        center = (round(middle[0]) - left, round(middle[1]) - top)
        cv2.ellipse(mask, center, axes, 0, 0, 360, 255, -1)
        part[mask > 0] = flat[mask > 0]
    return result


def _hides(blur: str, person: str | None) -> bool:
    return (
        blur == "all" or (blur == "unknown" and person is None) or (bool(blur) and blur == person)
    )


def _mark(face: Shown, blur: str) -> Mark:
    if face.person is None:
        return Mark(GRAY, "?" if face.number is None else f"? {face.number}")
    label = "" if _hides(blur, face.person) else face.person
    return Mark(color_of_name(face.person), label)
