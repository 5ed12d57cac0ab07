"""What an annotated set is like, in plain words, before it is trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facelign.train.landmarks.config import LABEL, LandmarkConfig
from facelign.train.landmarks.crops import Crops
from facelign.train.landmarks.sets import Sets, outliers
from facelign.train.task import DataFinding
from facelign.types.arrays import IntArray
from facelign.types.wording import counted, some

#: fewer faces than this teach a network little
_FEW = 500
#: so many names are told of a list
_NAMED = 5


def findings(
    sets: Sets, rows: Mapping[str, IntArray], crops: Crops, config: LandmarkConfig
) -> list[DataFinding]:
    """Return what was found. rows: of each part, without faces whose photo cannot be read."""
    told = [*_photos(sets, crops, config), *_parts(sets, rows), *_points(sets, rows, crops)]
    if config.augment.flip_vertical:
        told.append(DataFinding("Faces are shown upside down, as no detector gives them.", "note"))
    if not config.data.masked:
        told.append(DataFinding("Hidden points are learned where the set writes them, (0, 0)."))
    flipped = config.augment.flip > 0 or config.augment.flip_vertical > 0
    if flipped and not config.augment.swap:
        told.append(
            DataFinding(
                "Points of flipped faces keep their numbers, so a right eye is told to be a left "
                "one (augment.swap)."
            )
        )
    imagenet = config.model.name in ("resnet50", "inception", "inception-bottleneck")
    if imagenet and not config.model.initial:
        told.append(
            DataFinding(
                f"{config.model.name} starts from random weights, not from ImageNet's: figures "
                "are not those of the article (model.initial)."
            )
        )
    return told


def _photos(sets: Sets, crops: Crops, config: LandmarkConfig) -> list[DataFinding]:
    told = []
    if crops.reasons:
        told.append(
            DataFinding(
                f"{int(crops.absent.sum())} of {len(sets.table)} faces are left out: {crops.unread}"
            )
        )
    far = np.flatnonzero(crops.astray)
    if len(far):
        names = some([sets.table.files[row].name for row in far], _NAMED)
        told.append(
            DataFinding(
                f"{crops.outside}, so that the face is left out: {names}. Labels are wrong, or "
                "those of a photo of another size."
            )
        )
    lost = np.flatnonzero(crops.missed)
    if len(lost):
        names = ", ".join(sets.table.files[row].name for row in lost[:_NAMED])
        told.append(
            DataFinding(
                f"{config.data.detector} misses {len(lost)} of {len(sets.table)} faces, which are "
                f"cut by their labels: {names}{' ...' if len(lost) > _NAMED else ''}."
            )
        )
    if config.data.detector == LABEL:
        told.append(
            DataFinding(
                "Crops are cut by the annotated points, which nobody has in use: figures are "
                "better than those of a detector (data.detector).",
            )
        )
    return told


def _parts(sets: Sets, rows: Mapping[str, IntArray]) -> list[DataFinding]:
    told = []
    if len(rows["train"]) < _FEW:
        told.append(
            DataFinding(f"{len(rows['train'])} faces are few to train on; take {_FEW} or more.")
        )
    for kinds, groups in (
        (("photo", "photos"), sets.table.photos),
        (("person", "people"), sets.table.people),
    ):
        if not groups:
            continue
        held = {part: {groups[row] for row in found} - {""} for part, found in rows.items()}
        for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
            both = held[one] & held[other]
            if both:
                told.append(
                    DataFinding(
                        f"{counted(len(both), *kinds)} in both {one} and {other}, such as "
                        f"{min(both)}.",
                        "error" if other == "test" else "warning",
                    )
                )
    if not sets.table.people:
        told.append(
            DataFinding("The set does not tell people: one may be in train and test.", "note")
        )
    return told


def _points(sets: Sets, rows: Mapping[str, IntArray], crops: Crops) -> list[DataFinding]:
    table, told = sets.table, []
    hidden = ~table.visible
    if hidden.any():
        by_camera = ""
        if table.cameras:
            cameras = np.array(table.cameras)
            counts = {c: int(hidden[cameras == c].sum()) for c in sorted({*table.cameras})}
            by_camera = f" ({', '.join(f'camera {c}: {n}' for c, n in counts.items() if n)})"
        told.append(
            DataFinding(
                f"{counted(int(hidden.sum()), 'hidden point')}, on "
                f"{counted(int(hidden.any(axis=1).sum()), 'face')}, without a say{by_camera}.",
                "note",
            )
        )
    outside = [row for row in table.outside if not crops.gone[row]]
    if outside:
        names = ", ".join(table.files[row].name for row in outside[:_NAMED])
        told.append(
            DataFinding(
                f"{counted(len(outside), 'face')} with points outside of the photo: {names}."
            )
        )
    every = np.concatenate(list(rows.values()))
    far = outliers(table.points, table.visible, every)
    if far:
        names = ", ".join(f"{table.files[row].name} ({z:.0f})" for row, z in far[:_NAMED])
        told.append(
            DataFinding(
                f"{counted(len(far), 'face')} of a shape far from all others (look at them; usual "
                f"deviations in brackets): {names}.",
                "note",
            )
        )
    return told
