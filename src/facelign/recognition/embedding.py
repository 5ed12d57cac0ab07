"""From faces to vectors: chips are cut, and several photos go through the embedder as one batch.

Who has chips already gives them to the embedder itself: ``Chips(pixels, layout)`` without a map is
a set that came as chips, and ``embedder.embed`` refuses those of a layout that it was not made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facelign.align.chips import chips
from facelign.align.contour import blanked
from facelign.errors import InputError
from facelign.imaging.resize import resized
from facelign.types.analysis import Analysis
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder, Layout
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.image import Image

#: what faces are "found" by in a photo that is taken whole
WHOLE = "raw photo"


def cut(found: Analysis, layouts: Sequence[Layout], *, contour: int = 0) -> Analysis:
    """Return the photo with its chips, once a layout; a face that one does not fit is dropped.

    contour: with 68 or 468, what lies outside of that many points of a face is black.
    Raises InputError when the pixels were not kept, ModelMismatch for points that no face has.
    """
    if found.prepared is None:
        raise InputError(
            f"The pixels of {found.photo.source} were not kept.", "Find its faces again."
        )
    dropped: dict[int, str] = {}
    pieces = []
    for layout in {layout.id: layout for layout in layouts}.values():
        pieces.append(chips(found.prepared, found.faces, layout))
        dropped.update(pieces[-1][2])
    kept = np.array([i for i in range(len(found.faces)) if i not in dropped], np.int64)
    sets = tuple(
        part[np.isin(indices, kept)] if len(indices) != len(kept) else part
        for part, indices, _ in pieces
    )
    if contour and len(kept):
        sets = tuple(blanked(part, found.faces[kept], contour) for part in sets)
    return replace(found, embedded=kept, dropped=tuple(sorted(dropped.items())), chips=sets)


def embed(embedder: Embedder, photos: Sequence[Analysis]) -> list[Analysis]:
    """Return photos that have chips with their vectors, computed as one batch."""
    counts = [len(photo.embedded) for photo in photos]
    filled = [photo.chips for photo in photos if len(photo.embedded)]
    if filled:
        vectors = embedder.embed(*map(Chips.joined, zip(*filled, strict=True)))
    else:
        vectors = Embeddings.none(embedder.space)
    if len(photos) == 1:
        return [replace(photos[0], embeddings=vectors)]
    ends = np.cumsum(counts)
    return [
        replace(photo, embeddings=vectors[end - n : end])
        for photo, end, n in zip(photos, ends, counts, strict=True)
    ]


def whole(prepared: Image, layouts: Sequence[Layout], points: Sequence[str]) -> Analysis:
    """Return a photo whose whole area is taken for one face and stretched to a chip a layout.

    points: the kind of points that the chips of each layout are taken to be placed by.
    """
    width, height = prepared.size
    box = np.array([[-0.5, -0.5, width - 0.5, height - 0.5]], np.float32)
    faces = Faces(box, np.zeros(1, np.float32), None, WHOLE, prepared.size)
    kinds = {layout.id: (layout, scheme) for layout, scheme in zip(layouts, points, strict=True)}
    sets = tuple(_stretched(prepared, layout, scheme) for layout, scheme in kinds.values())
    return replace(Analysis.of(prepared, faces), embedded=np.zeros(1, np.int64), chips=sets)


def _stretched(image: Image, layout: Layout, scheme: str) -> Chips:
    """Return the whole picture as a chip; one that has the size already is not touched."""
    pixels = resized(image.pixels, layout.size)
    x, y = layout.size[0] / image.size[0], layout.size[1] / image.size[1]
    to_chip = np.array([[[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]]], np.float64)
    return Chips(pixels[None], layout.id, to_chip, scheme)
