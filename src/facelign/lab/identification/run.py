"""A whole identification run: every figure, by gallery size and by face height, as one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from facelign.compare import thresholds
from facelign.errors import BadArray, Refused
from facelign.lab.identification import figures as identification
from facelign.lab.identification.figures import (
    AtSize,
    Identification,
    OpenSetCurve,
    Suspect,
    Templates,
    ThresholdOf,
    by_gallery_size,
    open_set_curve,
    search,
    share,
    suspects,
)
from facelign.lab.material.named import Named
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.lab.verification.figures import HEIGHTS, Failure
from facelign.types.arrays import BoolArray, IntArray
from facelign.types.calibrations import Calibration

#: people in the galleries that are told side by side, as far as there are people (issue: 7)
SIZES = (10, 100, 300)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where thresholds come from. of: by number of templates searched. fixed: that of one
    comparison, for comparison's sake. fpir: what was asked for, or None. source: in words.
    """

    of: ThresholdOf
    fixed: float
    fpir: float | None
    source: str

    @classmethod
    def calibrated(cls, calibration: Calibration, fpir: float) -> Limits:
        """Return the rule of ``identify``: FMR times templates is the wanted FPIR."""

        def of(templates: int) -> float:
            return thresholds.search_threshold(calibration, templates, fpir).threshold.score

        fixed = thresholds.score_at_fmr(calibration, thresholds.VERIFY_FMR)
        return cls(of, fixed, fpir, f"FPIR {fpir:g} by calibration {calibration.id}")

    @classmethod
    def constant(cls, score: float, source: str) -> Limits:
        """Return one threshold for every gallery."""
        return cls(lambda _templates: score, score, None, source)


@dataclass(frozen=True, slots=True)
class HeightRates:
    """Open-set rates of probes of one band of face heights. None where there are no such probes.

    probes: a draw, on average.
    """

    band: str
    strangers: int
    enrolled: int
    fpir: Interval | None
    fnir: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "height": self.band,
            "strangers": self.strangers,
            "enrolled": self.enrolled,
            "fpir": self.fpir.to_dict() if self.fpir else None,
            "fnir": self.fnir.to_dict() if self.fnir else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """The figures of an identification run.

    sizes: with the threshold that follows the gallery's size; sizes_fixed: with that of one
    comparison. curve: FPIR and FNIR over thresholds, half of the people enrolled. curve_people:
    how many that is. suspects: enrolled photos that agree with none of their person.
    """

    name: str
    named: Named
    limits: Limits
    mode: Templates
    result: Identification
    sizes: tuple[AtSize, ...]
    sizes_fixed: tuple[AtSize, ...]
    heights: tuple[HeightRates, ...]
    curve: OpenSetCurve | None
    curve_people: int
    suspects: tuple[Suspect, ...]
    failures: tuple[Failure, ...]
    seed: int
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        record = self.result.to_dict()
        record |= {
            "set": self.name,
            "digest": self.named.digest,
            "space": self.named.space.id,
            "templates_mode": str(self.mode),
            "fpir_target": self.limits.fpir,
            "threshold_source": self.limits.source,
            "by_gallery_size": [at.to_dict() for at in self.sizes],
            "by_gallery_size_fixed_threshold": [at.to_dict() for at in self.sizes_fixed],
            "by_height": [rates.to_dict() for rates in self.heights],
            "suspects": [
                {
                    "photo": self.named.photos[s.index] if self.named.photos else str(s.index),
                    "person": s.person,
                    "best_score": s.best_score,
                }
                for s in self.suspects
            ],
            "failures": {
                "count": len(self.failures),
                "photos": [{"photo": f.photo, "reason": f.reason} for f in self.failures],
            },
            "seed": self.seed,
        }
        record["notes"] = [*record["notes"], *self.notes]
        return record


def measure(
    named: Named,
    limits: Limits,
    *,
    name: str,
    mode: Templates = Templates.EACH,
    failures: Sequence[Failure] = (),
    sizes: Sequence[int] = SIZES,
    heights: bool = False,
    seed: int = SEED,
) -> Searched:
    """Return every figure of identification among ``named`` people."""
    result = identification.evaluate(named, limits.of, mode=mode, seed=seed)
    people = len(set(named.people))
    # half of the people at most: the other half has to be strangers
    fitting = [size for size in sizes if size <= people // 2]
    notes = [
        f"A gallery of {size} people needs {2 * size} of them, and there are {people}."
        for size in sizes
        if size > people // 2
    ]
    curve, enrolled = _curve(named, seed)
    return Searched(
        name,
        named,
        limits,
        mode,
        result,
        by_gallery_size(named, limits.of, fitting, seed=seed) if fitting else (),
        by_gallery_size(named, lambda _n: limits.fixed, fitting, seed=seed) if fitting else (),
        by_height(named, limits.of, max(fitting, default=people // 2), seed=seed)
        if heights
        else (),
        curve,
        enrolled,
        suspects(named, limits.fixed),
        tuple(failures),
        seed,
        tuple(notes),
    )


def galleries(
    named: Named, people: int, *, draws: int = 5, seed: int = SEED
) -> Iterator[BoolArray]:
    """Yield (n,) masks of enrolled photos: one each of ``people`` people, drawn anew each time."""
    generator = np.random.default_rng(seed)
    codes = named.codes
    for _ in range(draws):
        inside = generator.permutation(int(codes.max()) + 1)[:people]
        enrolled = np.zeros(len(codes), bool)
        enrolled[[int(generator.choice(np.flatnonzero(codes == code))) for code in inside]] = True
        yield enrolled


def by_height(
    named: Named,
    threshold_of: ThresholdOf,
    people: int,
    *,
    edges: Sequence[float] = HEIGHTS,
    draws: int = 5,
    seed: int = SEED,
) -> tuple[HeightRates, ...]:
    """Return open-set rates by the height of the probe's face, galleries of ``people`` people.

    Raises Refused where heights are not known.
    """
    if named.heights is None:
        raise Refused("The heights of the faces are not known.", "Saved vectors have none.")
    counts = np.zeros((len(edges), 4), np.int64)  # strangers, named; enrolled, missed
    for enrolled in galleries(named, people, draws=draws, seed=seed):
        probes = named.where(~enrolled)
        searches = search(named.where(enrolled), probes)
        band = bands(np.asarray(probes.heights, np.float64), edges)
        threshold = threshold_of(searches.templates)
        stranger = searches.mate < 0
        top = searches.scores.max(axis=1)
        own = searches.scores[np.arange(len(band)), searches.mate]  # of strangers: not used
        hit = (searches.scores.argmax(axis=1) == searches.mate) & (own >= threshold)
        for column, mask in enumerate(
            (stranger, stranger & (top >= threshold), ~stranger, ~stranger & ~hit)
        ):
            counts[:, column] += np.bincount(band[mask], minlength=len(edges))
    return tuple(
        HeightRates(
            name,
            round(row[0] / draws),
            round(row[2] / draws),
            _mean_share(row[1], row[0], draws),
            _mean_share(row[3], row[2], draws),
        )
        for name, row in zip(band_names(edges), counts.tolist(), strict=True)
        if row[0] or row[2]
    )


def bands(heights: np.ndarray[Any, np.dtype[np.float64]], edges: Sequence[float]) -> IntArray:
    """Return (n,) the band of each height; a height below the first edge is in the first band."""
    place = np.searchsorted(edges, heights, side="right") - 1
    clipped: IntArray = np.clip(place, 0, len(edges) - 1).astype(np.int64)
    return clipped


def band_names(edges: Sequence[float]) -> list[str]:
    """Return the bands in words."""
    inner = [f"{low:g}-{high:g} px" for low, high in pairwise(edges)]
    return [*inner, f"{edges[-1]:g} px and more"]


def media_of(
    photos: Sequence[str], rows: Sequence[tuple[str, str, str]]
) -> tuple[list[str], list[str]]:
    """Return template and medium of each photo, from rows of (photo, template, medium).

    photos: paths; a row fits by path, by person/file, or by file name. Raises BadArray for photos
    that no row names.
    """
    known = {name: (template, medium) for name, template, medium in rows}
    templates, media = [], []
    for photo in photos:
        parts = photo.split("/")
        tries = (photo, "/".join(parts[-2:]), parts[-1])
        found = next((known[name] for name in tries if name in known), None)
        if found is None:
            raise BadArray(f"media: {photo} is in no row.", "Name every photo once.")
        templates.append(found[0])
        media.append(found[1])
    return templates, media


def _mean_share(hits: int, trials: int, draws: int) -> Interval | None:
    """Return the mean over draws with the exact interval of one draw's count."""
    if not trials:
        return None
    once = max(round(trials / draws), 1)
    bounds = share(min(round(hits / draws), once), once)
    value = hits / trials
    return Interval(value, min(bounds.low, value), max(bounds.high, value))


def _curve(named: Named, seed: int) -> tuple[OpenSetCurve | None, int]:
    """Return FPIR and FNIR over thresholds with one photo each of half of the people enrolled."""
    people = len(set(named.people)) // 2
    enrolled = next(galleries(named, people, draws=1, seed=seed)) if people else None
    if enrolled is None:
        return None, 0
    searches = search(named.where(enrolled), named.where(~enrolled))
    if (searches.mate < 0).all() or (searches.mate >= 0).all():
        return None, people
    return open_set_curve(searches), people
