"""Galleries of several sizes, and probes of several heights: where a search begins to err."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facelign.errors import Refused
from facelign.lab.defaults import GALLERIES
from facelign.lab.identification.figures import ThresholdOf, open_set
from facelign.lab.identification.searching import galleries, search
from facelign.lab.material.named import Named
from facelign.lab.statistics.bands import HEIGHTS, band_names, bands
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.resampling import SEED, Interval


@dataclass(frozen=True, slots=True)
class AtSize:
    """Open-set rates for galleries of one size: means over draws, with the spread of draws.

    people: enrolled, one photo each. fpir, fnir, misnamed: mean, smallest and largest over draws.
    """

    people: int
    threshold: float
    fpir: Interval
    fnir: Interval
    misnamed: Interval
    strangers: int
    draws: int


def by_gallery_size(
    named: Named,
    threshold_of: ThresholdOf,
    sizes: Sequence[int],
    *,
    draws: int = GALLERIES,
    seed: int = SEED,
) -> tuple[AtSize, ...]:
    """Return open-set rates for galleries of several sizes.

    Each draw enrolls one photo of each of ``size`` people; their other photos are searched, and
    all photos of everybody else are strangers'. Raises Refused where a size leaves no strangers or
    nobody enrolled has a second photo.
    """
    generator = np.random.default_rng(seed)
    people = len(set(named.people))
    rows: list[AtSize] = []
    for size in sizes:
        if not 0 < size < people:
            raise Refused(
                f"A gallery of {size} people leaves no strangers among {people}.",
                "Ask for smaller galleries, or give more people.",
            )
        results = []
        for enrolled in galleries(named, size, draws=draws, generator=generator):
            searches = search(named.where(enrolled), named.where(~enrolled))
            results.append(open_set(searches, threshold_of(size)))
        if not any(result.enrolled for result in results):
            raise Refused("No enrolled person has a second photo.", "Add photos.")
        fpir, fnir, misnamed = (
            _over_draws([result.rates[name] for result in results]) for name in results[0].rates
        )
        strangers = results[-1].strangers
        rows.append(AtSize(size, threshold_of(size), fpir, fnir, misnamed, strangers, draws))
    return tuple(rows)


def _over_draws(rates: Sequence[Interval | None]) -> Interval:
    """Return the mean of a rate with its smallest and largest value.

    Where it is 0 or 1 in every gallery, that says nothing of others: one gallery's exact interval.
    """
    seen = [rate for rate in rates if rate is not None]
    values = [rate.value for rate in seen]
    if len(set(values)) == 1 and values[0] in (0.0, 1.0):
        return seen[0]
    return Interval(float(np.mean(values)), min(values), max(values))


@dataclass(frozen=True, slots=True)
class HeightRates:
    """Open-set rates of probes of one band of face heights. None where there are no such probes.

    probes: a draw, on average.
    """

    height: str
    strangers: int
    enrolled: int
    fpir: Interval | None
    fnir: Interval | None


def by_height(
    named: Named,
    threshold_of: ThresholdOf,
    people: int,
    *,
    draws: int = GALLERIES,
    seed: int = SEED,
) -> tuple[HeightRates, ...]:
    """Return open-set rates by the height of the probe's face, galleries of ``people`` people.

    Raises Refused where heights are not known.
    """
    if named.heights is None:
        raise Refused("The heights of the faces are not known.", "Saved vectors have none.")
    counts = np.zeros((len(HEIGHTS), 4), np.int64)  # strangers, named; enrolled, missed
    generator = np.random.default_rng(seed)
    for enrolled in galleries(named, people, draws=draws, generator=generator):
        probes = named.where(~enrolled)
        searches = search(named.where(enrolled), probes)
        band = bands(np.asarray(probes.heights, np.float64))
        names = searches.named(threshold_of(searches.templates))
        stranger, right = searches.mate < 0, names == searches.mate
        for column, mask in enumerate(
            (stranger, stranger & (names >= 0), ~stranger, ~stranger & ~right)
        ):
            counts[:, column] += np.bincount(band[mask], minlength=len(HEIGHTS))
    return tuple(
        HeightRates(
            name,
            round(row[0] / draws),
            round(row[2] / draws),
            _mean_share(row[1], row[0], draws),
            _mean_share(row[3], row[2], draws),
        )
        for name, row in zip(band_names(), counts.tolist(), strict=True)
        if row[0] or row[2]
    )


def _mean_share(hits: int, trials: int, draws: int) -> Interval | None:
    """Return the mean over draws with the exact interval of one draw's count."""
    if not trials:
        return None
    once = max(round(trials / draws), 1)
    bounds = exact_share(min(round(hits / draws), once), once)
    value = hits / trials
    return Interval(value, min(bounds.low, value), max(bounds.high, value))
