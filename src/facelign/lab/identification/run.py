"""A whole identification run: every figure, by gallery size and by face height, as one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelign.compare import thresholds
from facelign.errors import BadArray
from facelign.lab.defaults import SIZES, Templates
from facelign.lab.identification import figures
from facelign.lab.identification.figures import (
    ClosedAndOpen,
    OpenSetCurve,
    Suspect,
    ThresholdOf,
    open_set_curve,
    suspects,
)
from facelign.lab.identification.galleries import AtSize, HeightRates, by_gallery_size, by_height
from facelign.lab.identification.searching import galleries, search
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Failure
from facelign.lab.plain import plain, told
from facelign.lab.statistics.resampling import SEED
from facelign.recognition.options import IdentifyOptions
from facelign.types.calibrations import Calibration
from facelign.types.policies import VERIFY_FMR


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Where thresholds come from. of: by number of templates searched. fixed: that of one
    comparison, for comparison's sake. fpir: what was asked for, or None. source: in words.
    """

    of: ThresholdOf
    fixed: float
    fpir: float | None
    source: str

    @classmethod
    def calibrated(cls, calibration: Calibration, fpir: float) -> SearchLimits:
        """Return the rule of ``identify``: FMR times templates is the wanted FPIR."""

        def of(templates: int) -> float:
            return thresholds.search_threshold(calibration, templates, fpir).threshold.score

        fixed = thresholds.score_at_fmr(calibration, VERIFY_FMR)
        return cls(of, fixed, fpir, f"FPIR {fpir:g} by calibration {calibration.id}")

    @classmethod
    def constant(cls, score: float, source: str) -> SearchLimits:
        """Return one threshold for every gallery."""
        return cls(lambda _templates: score, score, None, source)


@dataclass(frozen=True, slots=True, eq=False)
class IdentificationRun:
    """The figures of an identification run.

    sizes: with the threshold that follows the gallery's size; sizes_fixed: with that of one
    comparison. curve: FPIR and FNIR over thresholds, half of the people enrolled. curve_people:
    how many that is. suspects: enrolled photos that agree with none of their person.
    """

    name: str
    named: Named
    limits: SearchLimits
    mode: Templates
    result: ClosedAndOpen
    sizes: tuple[AtSize, ...]
    sizes_fixed: tuple[AtSize, ...]
    heights: tuple[HeightRates, ...]
    curve: OpenSetCurve | None
    curve_people: int
    suspects: tuple[Suspect, ...]
    failures: tuple[Failure, ...]
    seed: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return self.result.to_dict() | {
            "set": self.name,
            "digest": self.named.digest,
            "space": self.named.space.id,
            "templates_mode": str(self.mode),
            "fpir_target": self.limits.fpir,
            "threshold_source": self.limits.source,
            **told(self, "by_gallery_size=sizes by_gallery_size_fixed_threshold=sizes_fixed"),
            "by_height": plain(self.heights),
            "suspects": [
                {
                    "photo": self.named.photos[s.index] if self.named.photos else str(s.index),
                    "person": s.person,
                    "best_score": s.best_score,
                }
                for s in self.suspects
            ],
            "failures": {"count": len(self.failures), "photos": plain(self.failures)},
            "seed": self.seed,
            "notes": [*self.result.notes, *self.notes],
        }


def run(
    named: Named,
    limits: SearchLimits,
    *,
    name: str,
    mode: Templates = Templates.EACH,
    failures: Sequence[Failure] = (),
    sizes: Sequence[int] = SIZES,
    heights: bool = False,
    seed: int = SEED,
) -> IdentificationRun:
    """Return every figure of identification among ``named`` people."""
    result = figures.evaluate(named, limits.of, mode=mode, seed=seed)
    people = len(set(named.people))
    # half of the people at most: the other half has to be strangers
    fitting = [size for size in sizes if size <= people // 2]
    notes = [
        f"A gallery of {size} people needs {2 * size} of them, and there are {people}."
        for size in sizes
        if size > people // 2
    ]
    small = _under(named, IdentifyOptions().min_height)
    largest = max(fitting, default=people // 2)
    curve, enrolled = _curve(named, seed)
    return IdentificationRun(
        name,
        named,
        limits,
        mode,
        result,
        by_gallery_size(named, limits.of, fitting, seed=seed),
        by_gallery_size(named, lambda _n: limits.fixed, fitting, seed=seed),
        by_height(named, limits.of, largest, seed=seed) if heights else (),
        curve,
        enrolled,
        suspects(named, limits.fixed),
        tuple(failures),
        seed,
        (*notes, *small),
    )


def _under(named: Named, smallest: float) -> tuple[str, ...]:
    """Return what is to be said of faces that are too small to be named."""
    count = 0 if named.heights is None else int((np.asarray(named.heights) < smallest).sum())
    if not count:
        return ()
    faces = "1 face is" if count == 1 else f"{count} faces are"
    return (f"{faces} under {smallest:g} px: identify gives them no name, and so it counts here.",)


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


def _curve(named: Named, seed: int) -> tuple[OpenSetCurve | None, int]:
    """Return FPIR and FNIR over thresholds with one photo each of half of the people enrolled."""
    people = len(set(named.people)) // 2
    if not people:
        return None, 0
    generator = np.random.default_rng(seed)
    enrolled = next(galleries(named, people, draws=1, generator=generator))
    searches = search(named.where(enrolled), named.where(~enrolled))
    if (searches.mate < 0).all() or (searches.mate >= 0).all():
        return None, people
    return open_set_curve(searches), people
