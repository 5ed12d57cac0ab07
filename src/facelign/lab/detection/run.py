"""Detectors on annotated photos: from files to figures, with time and memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.datasets.widerface import BoxedPhoto
from facelign.errors import FacelignError, Refused
from facelign.geometry.boxes import iou
from facelign.imaging.read import read
from facelign.lab.detection import figures
from facelign.lab.detection.figures import Detections, Matched, Truth
from facelign.lab.plain import PlainRecord, told
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.rates import percent
from facelign.types.contracts import Detector

#: faces that overlap another by this much are counted apart (A4-20)
CROWDED = 0.1


@dataclass(frozen=True, slots=True)
class Empty(PlainRecord):
    """What a detector finds in photos that show nobody.

    photos: how many were looked at. faces: detections in all of them. with_faces: photos in which
    it finds any. interval: 95 % interval of the share of such photos (Clopper and Pearson), [0, 1].
    """

    TOLD = "photos false_faces=faces photos_with_false_faces=with_faces share_of_photos_95=interval"

    photos: int
    faces: int
    with_faces: int

    @property
    def per_thousand(self) -> float:
        """False faces per 1,000 photos."""
        return 1000 * self.faces / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """The share of photos with a false face that these photos leave possible."""
        share = exact_share(self.with_faces, self.photos)
        return share.low, share.high


@dataclass(frozen=True, slots=True, eq=False)
class DetectionRun:
    """A detector on a set. meaning: score -> share of true faces among detections of that score.

    crowded: (recall, faces) of annotated faces that overlap another. empty: what was found in
    photos that show nobody, None where there were none. ms: median of a photo, one
    thread, file not counted. megabytes: weights; peak_mb: growth of this process's peak memory
    while it ran, or None where the system does not tell.
    """

    detector: str
    matched: Matched
    meaning: Mapping[str, float]
    crowded: tuple[float, int]
    empty: Empty | None
    ms: float
    megabytes: float
    peak_mb: float | None
    unread: Mapping[str, str]

    @property
    def false_per_thousand(self) -> float | None:
        """False faces per 1,000 photos that show nobody."""
        return self.empty.per_thousand if self.empty else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "detector": self.detector,
            **self.matched.to_dict(),
            "recall_overlapping": self.crowded[0] if self.crowded[1] else None,
            "faces_overlapping": self.crowded[1],
            "false_per_1000_empty_photos": self.false_per_thousand,
            **told(
                self, "empty share_true_by_score=meaning ms_per_photo=ms megabytes peak_mb unread"
            ),
        }

    def cells(self) -> tuple[str, ...]:
        """Return a row of a table of detectors.

        Name, AP, recall, false faces, recall of overlapping faces, false faces per 1,000 photos
        that show nobody, ms, MB, peak MB.
        """
        plain, empty = self.matched.to_dict(), self.false_per_thousand
        return (
            self.detector,
            f"{plain['ap']:.3f}",
            percent(plain["recall"], 1),
            str(plain["false_faces"]),
            f"{percent(self.crowded[0], 1)} of {self.crowded[1]}" if self.crowded[1] else "-",
            "-" if empty is None else f"{empty:.0f}",
            f"{self.ms:.0f}",
            f"{self.megabytes:.1f}",
            "-" if self.peak_mb is None else f"{self.peak_mb:.0f}",
        )


def run(
    name: str,
    detector: Detector,
    photos: Sequence[BoxedPhoto],
    *,
    empty: Sequence[Path] = (),
    smallest: float = 0.0,
    megabytes: float = 0.0,
    done: Callable[[int], None] | None = None,
) -> DetectionRun:
    """Return every figure of a detector on annotated photos.

    empty: photos that show nobody. smallest: faces under this height, px, are ignored, not missed.
    Raises Refused when no photo can be read, or none that can marks a face that counts.
    """
    found: list[Detections] = []
    truth: list[Truth] = []
    times: list[float] = []
    unread: dict[str, str] = {}
    before = _peak_mb(reset=True)
    for photo in photos:
        try:
            said, took = _look(detector, photo.path)
        except FacelignError as error:
            unread[str(photo.path)] = error.message
            continue
        finally:
            if done:
                done(1)
        found.append(said)
        truth.append(Truth(photo.boxes, photo.ignore))
        times.append(took)
    if not found:
        first = next(iter(unread.values()), "there are none")
        raise Refused(
            f"None of {len(photos)} photos could be read: {first}",
            "Check the folder of the photos.",
        )
    after = _peak_mb()
    matched = figures.evaluate(found, truth, smallest=smallest)
    if not matched.faces:
        counted = f" of at least {smallest:g} px" if smallest else ""
        raise Refused(
            f"The {len(found)} photos that could be read have no marked face{counted}, "
            "so there is nothing to find.",
            "Give a list with faces; photos that show nobody are told apart, as a folder.",
        )
    return DetectionRun(
        name,
        matched,
        _meaning(matched),
        _crowded(found, truth, smallest),
        _empty(detector, empty, unread, done),
        1000 * float(np.median(times)),
        megabytes,
        None if before is None or after is None else max(after - before, 0.0),
        unread,
    )


def _look(detector: Detector, path: Path) -> tuple[Detections, float]:
    image = read(path, at_least=detector.wants_px)
    start = time.perf_counter()
    faces = detector.detect(image)
    return Detections(faces.boxes, faces.scores), time.perf_counter() - start


def _empty(
    detector: Detector,
    empty: Sequence[Path],
    unread: dict[str, str],
    done: Callable[[int], None] | None,
) -> Empty | None:
    counts = []
    for path in empty:
        try:
            counts.append(len(_look(detector, path)[0].scores))
        except FacelignError as error:
            unread[str(path)] = error.message
        if done:
            done(1)
    return Empty(len(counts), sum(counts), sum(c > 0 for c in counts)) if counts else None


def _meaning(matched: Matched) -> dict[str, float]:
    """Return the share of true faces at some scores between the lowest and the highest."""
    scores = matched.scores
    if not len(scores):
        return {}
    known, share = figures.score_meaning(matched)
    at = np.unique(np.round(np.quantile(scores, [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), 3))
    return {f"{s:g}": round(float(np.interp(s, known, share)), 4) for s in at}


def _crowded(
    found: Sequence[Detections], truth: Sequence[Truth], smallest: float
) -> tuple[float, int]:
    """Return recall and number of the faces that overlap another annotated face."""
    hits = faces = 0
    for said, real in zip(found, truth, strict=True):
        boxes = np.asarray(real.boxes, np.float64).reshape(-1, 4)
        if len(boxes) < 2:
            continue
        among = iou(boxes, boxes)
        np.fill_diagonal(among, 0)
        tall = boxes[:, 3] - boxes[:, 1] >= smallest
        close = (among.max(axis=1) >= CROWDED) & ~np.asarray(real.ignore, bool) & tall
        matched = figures.match([said], [Truth(boxes, ~close)])
        faces += int(close.sum())
        hits += int(np.isfinite(matched.found).sum())
    return (hits / faces if faces else 0.0), faces


def _peak_mb(*, reset: bool = False) -> float | None:
    """Return the peak resident memory of this process, MB; None where the system hides it."""
    if sys.platform != "linux":
        return None
    try:
        if reset:  # 5 sets the peak back to what is used now (proc(5), clear_refs)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next((row for row in status.splitlines() if row.startswith("VmHWM:")), "")
    words = line.split()
    return int(words[1]) / 1024 if len(words) > 1 else None
