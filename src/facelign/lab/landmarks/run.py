"""Landmarkers and detectors' points on annotated photos: from files to ``evaluate.landmarks``.

End to end: a detector finds the face, as it will in use; a face that is not found, or found
elsewhere, is missed and stays a failure in every figure. Points are compared in the richest scheme
that both sides have, or in one that is asked for: means over other points are other figures, and no
best model can be told from them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facelign.datasets.points import PointTable, read_imglab, read_points_csv, read_pts
from facelign.errors import ConfigError, DatasetMissing, FacelignError, Refused
from facelign.geometry.boxes import iou
from facelign.imaging.read import read
from facelign.lab.landmarks import figures as landmarks
from facelign.lab.landmarks.figures import IBUG_68, MUCT, Eyes, LandmarkReport, Normalizer
from facelign.types.arrays import BoolArray, Float64Array, IntArray
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE, REDUCTIONS, SCHEMES, Groups

#: a detection belongs to an annotated face from this overlap with the box around its points: that
#: box and a detector's differ by half of either, a neighbor's hardly overlaps at all
OVERLAP = 0.2
#: edges of the yaw proxy (nose beside the middle of the eyes, over their distance)
YAW_EDGES = (0.0, 0.1, 0.2, 0.35, 0.6, np.inf)
#: what annotations of a scheme are compared as: None when they stay as they are
_MADE: Mapping[tuple[str, str], Groups | None] = MappingProxyType(
    {
        ("ibug-68", "ibug-68"): None,
        **{key: groups for key, groups in REDUCTIONS.items() if key[0] in ("ibug-68", "muct")},
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Annotated faces. files: n paths (one photo may hold several faces). points: (n, k, 2) px.

    visible: (n, k) bool. scheme: "ibug-68" or "muct".
    """

    name: str
    files: tuple[Path, ...]
    points: Float64Array
    visible: BoolArray
    scheme: str

    def __len__(self) -> int:
        return len(self.files)

    @property
    def eyes(self) -> Eyes:
        """Which points are the eyes."""
        return MUCT if self.scheme == "muct" else IBUG_68

    def every(self, count: int) -> Annotated:
        """Return at most ``count`` faces, evenly spread over the set; 0 for all."""
        if not 0 < count < len(self):
            return self
        rows = np.linspace(0, len(self) - 1, count).astype(int)
        return Annotated(
            self.name,
            tuple(self.files[i] for i in rows),
            self.points[rows],
            self.visible[rows],
            self.scheme,
        )


def read_annotated(
    data: str | Path, images: str | Path | None = None, scheme: str = ""
) -> Annotated:
    """Return the faces of a table (.csv, .csv.gz), a folder of .pts files or an imglab file.

    images: folder of the photos; beside the data, or in its folder ``images`` or ``crops``, when
    left out. scheme: "ibug-68" or "muct"; told by the number of points and the name when empty.
    """
    source = Path(data)
    muct = scheme == "muct" or (not scheme and "muct" in source.name.lower())
    if source.is_dir():
        tables = sorted(source.glob("*.csv"))
        if len(tables) == 1 and not list(source.glob("*.pts")):
            return read_annotated(tables[0], images, scheme)
        return _of_pts(source, Path(images) if images else source, scheme)
    if source.suffix == ".xml":
        faces = [f for f in read_imglab(source, images) if len(f.points) and not f.ignore]
        if not faces or len({len(f.points) for f in faces}) != 1:
            raise DatasetMissing(f"{source} holds no faces with points of one kind.")
        points = np.stack([f.points for f in faces])
        files = tuple(f.path for f in faces)
        seen = np.ones(points.shape[:2], bool)
        return Annotated(source.name, files, points, seen, _scheme(points.shape[1], scheme, muct))
    table = read_points_csv(source, images or _folder(source), muct=muct)
    return Annotated(
        table.name, table.files, table.points, table.visible, _scheme(table.k, scheme, muct)
    )


def _folder(source: Path) -> Path:
    """Return where the photos of a table lie: beside it, or in a folder of the usual names."""
    table: PointTable = read_points_csv(source)
    first = table.files[0].relative_to(source.parent) if len(table) else Path()
    for name in ("", "images", "crops", "photos"):
        if (source.parent / name / first).is_file():
            return source.parent / name
    return source.parent


def _of_pts(folder: Path, images: Path, scheme: str) -> Annotated:
    files, points = [], []
    for path in sorted(folder.glob("*.pts")):
        photo = next(
            (images / f"{path.stem}{s}" for s in (".jpg", ".png", ".jpeg")
             if (images / f"{path.stem}{s}").is_file()),
            None,
        )  # fmt: skip
        if photo is not None:
            files.append(photo)
            points.append(read_pts(path, first=1))
    if not files or len({len(p) for p in points}) != 1:
        raise DatasetMissing(
            f"{folder} holds no .pts files with a photo of the same name and one kind of points.",
            "Give a .csv, a folder of .pts files or an imglab .xml.",
        )
    table = np.stack(points)
    seen = np.ones(table.shape[:2], bool)
    return Annotated(folder.name, tuple(files), table, seen, _scheme(table.shape[1], scheme, False))


def _scheme(k: int, scheme: str, muct: bool) -> str:
    if scheme not in ("", "ibug-68", "muct"):
        raise ConfigError(f"There is no scheme '{scheme}' of annotation.", "ibug-68 or muct.")
    if muct and k in (68, 76):
        return "muct"
    if k == 68:
        return "ibug-68"
    raise ConfigError(
        f"Annotations of {k} points are not known.", "Known: ibug-68 (68) and muct (76, or its 68)."
    )


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkRun:
    """A landmarker on a set. compared: the scheme in which points were compared. rows: (m,) the
    annotated faces that were found; ``report.errors`` belong to them. unread: photos that could
    not be read, with the reason; their faces are missed.
    """

    model: str
    detector: str
    compared: str
    report: LandmarkReport
    rows: IntArray
    unread: Mapping[str, str]


def run(
    truth: Annotated,
    locate: Callable[[Image], Faces],
    *,
    model: str,
    detector: str,
    normalizer: Normalizer = Normalizer.INTER_OCULAR,
    scheme: str = "",
    done: Callable[[int], None] | None = None,
) -> LandmarkRun:
    """Return the errors of the points that ``locate`` gives for every face of a photo.

    The normalizer is taken from all annotated points, whatever scheme is compared. Faces whose
    normalizer is hidden are left out, and said so by ``report.faces``. scheme: in which points are
    compared; the richest that both sides have when empty. Raises ConfigError for points that
    cannot be compared, Refused when no photo can be read or every normalizer is hidden.
    """
    by_file: dict[Path, list[int]] = {}
    for row, path in enumerate(truth.files):
        by_file.setdefault(path, []).append(row)
    usable = _normalizable(truth, normalizer)
    if not usable.any():
        raise Refused(
            f"No face of {truth.name} shows the points that {normalizer} needs.",
            "Take --normalizer box, which needs no eyes.",
        )
    found: dict[int, Float64Array] = {}
    compared = ""
    unread: dict[str, str] = {}
    for path, rows in by_file.items():
        try:
            faces = locate(read(path))
        except FacelignError as error:
            unread[str(path)] = error.message
            faces = None
        if faces is not None and len(faces) and faces.landmarks is not None:
            compared, points = _comparable(faces, truth.scheme, scheme)
            for row, index in _matches(truth, rows, faces).items():
                found[row] = points[index]
        if done:
            done(len(rows))
    if len(unread) == len(by_file):
        first = next(iter(unread.values()), "there are none")
        raise Refused(f"None of {len(by_file)} photos could be read: {first}", "Check --images.")
    rows_found = np.array([r for r in sorted(found) if usable[r]], np.int64)
    report = _report(truth, rows_found, found, compared, usable, normalizer)
    return LandmarkRun(model, detector, compared or scheme or "none", report, rows_found, unread)


def comparable(given: str | None, truth: str, wanted: str = "", who: str = "The model") -> str:
    """Return the scheme in which points of scheme ``given`` are compared with annotations.

    given: id of a scheme, or None for a detector without points. truth: scheme of the annotations.
    wanted: a scheme that is asked for; the richest that both have when empty. Raises ConfigError.

    >>> comparable("ibug-68", "ibug-68"), comparable("ibug-68", "ibug-68", "five")
    ('ibug-68', 'five')
    """
    if given is None:
        raise ConfigError(
            f"{who} gives boxes and no points, so there is nothing to compare.",
            "Name a landmarker for its boxes: --landmarks dlib-68",
        )
    if wanted and wanted not in SCHEMES:
        raise ConfigError(f"There are no points '{wanted}'.", f"There are: {', '.join(SCHEMES)}.")
    for scheme in (wanted,) if wanted else (given, FIVE.id):
        if scheme in (given, *_reached(given)) and (truth, scheme) in _MADE:
            return scheme
    reason = f"{who} gives points '{given}', which cannot be compared with annotations of '{truth}'"
    raise ConfigError(
        f"{reason} as '{wanted}'." if wanted else f"{reason}.",
        "MUCT's points compare with five points only: a detector's, or dlib-68 reduced.",
    )


def _reached(given: str) -> list[str]:
    """Return the poorer schemes that points of scheme ``given`` can become."""
    made = [scheme for source, scheme in _MADE if source == given]
    return [*made, FIVE.id] if given in SCHEMES and SCHEMES[given].to_five else made


def _report(
    truth: Annotated,
    rows: IntArray,
    found: Mapping[int, Float64Array],
    scheme: str,
    usable: BoolArray,
    normalizer: Normalizer,
) -> LandmarkReport:
    faces = int(usable.sum())
    missed = faces - len(rows)
    if not len(rows):
        return LandmarkReport(normalizer, faces, missed, np.zeros(0), np.zeros(0), {})
    full, seen = truth.points[rows], truth.visible[rows]
    scale = landmarks.scales(full, normalizer, truth.eyes, seen)
    real, visible = reduced(full, seen, truth.scheme, scheme)
    said = np.stack([found[int(row)] for row in rows])
    shown = visible.any(axis=1)
    errors = landmarks.nme(said[shown], real[shown], scale[shown], visible[shown])
    turns = yaw_proxy(full, truth.scheme)[shown]
    return LandmarkReport(
        normalizer,
        faces,
        missed,
        errors,
        landmarks.per_point(said[shown], real[shown], scale[shown], visible[shown]),
        _by_yaw(errors, turns),
    )


def reduced(
    points: Float64Array, visible: BoolArray, scheme: str, wanted: str
) -> tuple[Float64Array, BoolArray]:
    """Return annotations in a poorer scheme, and which of its points can be seen.

    A point that is a mean is visible when all its parts are. wanted: a scheme that ``comparable``
    allows for annotations of ``scheme``.
    """
    groups = _MADE[scheme, wanted]
    if groups is None:
        return points, visible
    made = np.stack([points[:, list(g)].mean(axis=1) for g in groups], axis=1)
    seen = np.stack([visible[:, list(g)].all(axis=1) for g in groups], axis=1)
    return made, seen


def yaw_proxy(points: Float64Array, scheme: str) -> Float64Array:
    """Return (n,) how far the nose tip lies beside the middle of the eyes, over their distance.

    0 when frontal, larger the more a head is turned (either way): an order of poses, no angle.
    """
    groups = _MADE[scheme, "five"]
    five = points if groups is None else np.stack(
        [points[:, list(g)].mean(axis=1) for g in groups], axis=1
    )  # fmt: skip
    across = five[:, 1] - five[:, 0]
    length = np.maximum((across**2).sum(axis=1), 1e-9)
    aside = ((five[:, 2] - five[:, :2].mean(axis=1)) * across).sum(axis=1) / length
    offset: Float64Array = np.abs(aside)
    return offset


def _by_yaw(errors: Float64Array, turns: Float64Array) -> dict[str, float]:
    told: dict[str, float] = {}
    for low, high in itertools.pairwise(YAW_EDGES):
        held = (turns >= low) & (turns < high)
        if held.any():
            name = f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g} and more"
            told[f"{name} ({int(held.sum())} faces)"] = float(errors[held].mean())
    return told


def _comparable(faces: Faces, truth: str, wanted: str) -> tuple[str, Float64Array]:
    """Return the scheme of the comparison, and the found points in it (m, k, 2)."""
    marks = faces.landmarks
    scheme = comparable(marks.scheme.id if marks else None, truth, wanted, faces.detector)
    if marks is None:
        raise ConfigError("The faces have no points.")
    points = marks.points.astype(np.float64)
    groups = _MADE.get((marks.scheme.id, scheme))
    if groups is not None:
        points = np.stack([points[:, list(g)].mean(axis=1) for g in groups], axis=1)
    elif marks.scheme.id != scheme:
        points = marks.as_scheme(scheme).points.astype(np.float64)
    return scheme, points


def _matches(truth: Annotated, rows: Sequence[int], faces: Faces) -> dict[int, int]:
    """Return annotated face -> detection: best overlaps first, each detection once."""
    boxes = np.array([_around(truth.points[r], truth.visible[r]) for r in rows])
    table = iou(boxes, faces.boxes.astype(np.float64))
    taken: dict[int, int] = {}
    used: set[int] = set()
    for flat in np.argsort(-table, axis=None, kind="stable"):
        i, j = divmod(int(flat), table.shape[1])
        if table[i, j] < OVERLAP:
            break
        if rows[i] not in taken and j not in used:
            taken[rows[i]] = j
            used.add(j)
    return taken


def _around(points: Float64Array, visible: BoolArray) -> Float64Array:
    seen = points[visible] if visible.any() else points
    return np.concatenate([seen.min(axis=0), seen.max(axis=0)])


def _normalizable(truth: Annotated, normalizer: Normalizer) -> BoolArray:
    if normalizer is Normalizer.BOX:
        return np.asarray(truth.visible.any(axis=1), bool)
    eyes = truth.eyes
    wanted = (
        list(eyes.outer) if normalizer is Normalizer.INTER_OCULAR else [*eyes.right, *eyes.left]
    )
    return np.asarray(truth.visible[:, wanted].all(axis=1), bool)
