"""Identification: closed set (who of these?) and open set (anybody of these at all?).

Names are given by the product's own search and rule (``searching``): what is told of strangers is
told of what ``identify`` answers, its smallest face included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from facelign.compare.scores import score_matrix
from facelign.errors import BadArray, Refused
from facelign.lab.defaults import Templates
from facelign.lab.identification.classifiers import Classified, Classifier, classify
from facelign.lab.identification.searching import Searches, odd_even, search
from facelign.lab.material.named import Named
from facelign.lab.plain import PlainRecord, plain, told
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.recognition.options import IdentifyOptions
from facelign.types.arrays import Float64Array

#: groups of people that are strangers in turn
_GROUPS = 5
#: ranks that a cumulative match curve is told for
RANKS = 20

#: gives the threshold of a search among that many templates
ThresholdOf = Callable[[int], float]


def cmc(searches: Searches, ranks: int = RANKS) -> Float64Array:
    """Return (ranks,) shares of mated searches whose mate is among the first k people."""
    found = searches.ranks
    if not len(found):
        raise BadArray("CMC: there are no searches of enrolled people.")
    return np.array([(found <= k).mean() for k in range(1, ranks + 1)])


@dataclass(frozen=True, slots=True)
class OpenSet(PlainRecord):
    """What a threshold does in searches, as counts; rates have exact intervals.

    threshold: of the searches, templates: how many were searched; means where several galleries
    were pooled. strangers: searches of people who are not enrolled, strangers_named: those that
    end with a name. enrolled: searches of enrolled people, missed: those that do not return them
    first and named, misnamed: those that end with another person's name.
    """

    threshold: float
    templates: int
    strangers: int
    strangers_named: int
    enrolled: int
    enrolled_missed: int
    enrolled_misnamed: int

    @classmethod
    def pooled(cls, parts: Sequence[OpenSet]) -> OpenSet:
        """Return the searches of several galleries together."""
        thresholds, templates, *counts = zip(*map(astuple, parts), strict=True)
        searched = round(float(np.mean(templates)))
        return cls(float(np.mean(thresholds)), searched, *map(sum, counts))

    @property
    def fpir(self) -> Interval | None:
        """Share of searches of strangers that end with a name; None without strangers."""
        return exact_share(self.strangers_named, self.strangers) if self.strangers else None

    @property
    def fnir(self) -> Interval | None:
        """Share of searches of enrolled people that miss them; None without such searches."""
        return exact_share(self.enrolled_missed, self.enrolled) if self.enrolled else None

    @property
    def misnamed(self) -> Interval | None:
        """Share of searches of enrolled people with another's name; None without such."""
        return exact_share(self.enrolled_misnamed, self.enrolled) if self.enrolled else None

    @property
    def rates(self) -> dict[str, Interval | None]:
        """The three rates by their names in JSON."""
        return {"fpir": self.fpir, "fnir": self.fnir, "misnamed": self.misnamed}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**told(self, "threshold templates"), "rank": 1, **plain(self.rates)}


def open_set(
    searches: Searches, threshold: float, options: IdentifyOptions | None = None
) -> OpenSet:
    """Return what the rule of ``identify`` does at a threshold.

    A mate who is not alone at the top is missed, whomever the rule then names. options: as
    ``Searches.named``.
    """
    names = searches.named(threshold, options)
    mated = searches.mate >= 0
    hit = (names == searches.mate)[mated] & (searches.ranks == 1)
    wrong = (names >= 0) & (names != searches.mate)
    return OpenSet(
        threshold,
        searches.templates,
        int((~mated).sum()),
        int(wrong[~mated].sum()),
        int(mated.sum()),
        int((~hit).sum()),
        int(wrong[mated].sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetCurve:
    """FPIR (falling) and FNIR (rising) at every threshold (k,) at which they change."""

    thresholds: Float64Array
    fpir: Float64Array
    fnir: Float64Array


def open_set_curve(searches: Searches) -> OpenSetCurve:
    """Return the DET of searches; raises BadArray without strangers or without enrolled people."""
    stranger = searches.mate < 0
    mated = searches.where(~stranger)
    if not stranger.any() or not len(mated.mate):
        raise BadArray("open set: wanted searches of strangers and of enrolled people.")
    top = np.sort(searches.scores[stranger].max(axis=1))
    own = mated.scores[np.arange(len(mated.mate)), mated.mate]
    # a mate who is not the first is missed at every threshold
    reached = np.sort(np.where(mated.ranks == 1, own, -np.inf))
    finite = reached[np.isfinite(reached)]
    values = np.union1d(top, finite)
    thresholds = np.append(values, np.nextafter(values[-1], np.inf))
    fpir = 1 - np.searchsorted(top, thresholds, side="left") / len(top)
    fnir = np.searchsorted(reached, thresholds, side="left") / len(reached)
    return OpenSetCurve(thresholds, fpir, fnir)


@dataclass(frozen=True, slots=True)
class Suspect:
    """An enrolled photo that agrees with none of the same person: a likely mislabel."""

    index: int
    person: str
    best_score: float


def suspects(named: Named, threshold: float) -> tuple[Suspect, ...]:
    """Return photos whose best score with the other photos of their person misses the threshold."""
    doubtful: list[Suspect] = []
    codes = named.codes
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        if len(rows) < 3:  # of two that disagree nobody knows which is wrong
            continue
        scores = score_matrix(named.vectors[rows], named.vectors[rows], named.space.metric)
        np.fill_diagonal(scores, -np.inf)
        best = scores.max(axis=1)
        doubtful += [
            Suspect(int(i), named.people[i], float(b))
            for i, b in zip(rows, best, strict=True)
            if b < threshold
        ]
    return tuple(doubtful)


@dataclass(frozen=True, slots=True)
class ClosedAndOpen(PlainRecord):
    """The record of an identification run; ``to_dict`` gives plain data.

    The closed set enrolls every second photo and searches the others. In the open set people are
    strangers in turn, a fifth at a time, so that every photo is once a stranger's; its galleries
    are smaller accordingly (``open.templates`` is their mean). modes: rank 1, FPIR and FNIR by what
    a person's photos become.
    """

    gallery_subjects: int
    templates: int
    probes: int
    strangers: int
    rank1: Interval
    cmc: tuple[float, ...]
    threshold: float
    open: OpenSet
    classifiers: tuple[Classified, ...]
    modes: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **told(self, "gallery_subjects templates probes strangers"),
            "rank1": self.rank1.value,
            "fpir": self.open.fpir.value if self.open.fpir else None,
            "fnir": self.open.fnir.value if self.open.fnir else None,
            "threshold": self.threshold,
            "intervals": {"rank1": plain(self.rank1)},
            **told(self, "cmc open_set=open classifiers modes notes"),
        }


def evaluate(
    named: Named,
    threshold_of: ThresholdOf,
    *,
    mode: Templates = Templates.EACH,
    classifiers: Sequence[Classifier] = tuple(Classifier),
    seed: int = SEED,
) -> ClosedAndOpen:
    """Return every figure of identification among ``named`` people.

    threshold_of: the threshold of a search among that many templates (that of the product, from a
    calibration on other people). Raises Refused with fewer than two people who have two photos.
    """
    enrolled, probing = odd_even(named)
    gallery, probes = named.where(enrolled), named.where(probing)
    people = sorted(set(gallery.people))
    if len(people) < 2:
        raise Refused(
            f"{len(people)} people have two photos or more, and two are needed.", "Add photos."
        )
    parts = _open_parts(named, gallery, probes, people)
    closed = {each: search(gallery, probes, each) for each in Templates}
    opened = {each: _opened(parts, each, threshold_of) for each in Templates}
    modes = {
        str(each): {"rank1": float((closed[each].ranks == 1).mean())}
        | {
            name: rate.value
            for name, rate in opened[each].rates.items()
            if rate is not None and name != "misnamed"
        }
        for each in Templates
    }
    ranks = closed[mode].ranks
    single = len(set(named.people)) - len(people)
    notes = ["Classifiers: right names over the closed set; strangers are the first group."]
    if single:
        who = f"{single} people with one photo are strangers"
        notes.append(
            "1 person with one photo is a stranger only." if single == 1 else f"{who} only."
        )
    return ClosedAndOpen(
        gallery_subjects=len(people),
        templates=closed[mode].templates,
        probes=len(ranks),
        strangers=len(named.people),
        rank1=exact_share(int((ranks == 1).sum()), len(ranks)),
        cmc=tuple(cmc(closed[mode], min(RANKS, len(people))).tolist()),
        threshold=threshold_of(closed[mode].templates),
        open=opened[mode],
        classifiers=tuple(
            _classified((gallery, probes), parts[0], threshold_of, each, seed)
            for each in classifiers
        ),
        modes=modes,
        notes=tuple(notes),
    )


def _classified(
    closed: tuple[Named, Named],
    opened: tuple[Named, Named],
    threshold_of: ThresholdOf,
    classifier: Classifier,
    seed: int,
) -> Classified:
    """Return right names over the whole closed set (A3-14), strangers from the open one.

    A name is checked against every enrolled photo of that person, whatever templates are searched
    elsewhere, so the threshold is that of as many photos.
    """
    known, strange = (
        classify(gallery, probes, threshold_of(len(gallery.people)), classifier, seed=seed)
        for gallery, probes in (closed, opened)
    )
    return replace(known, named_strangers_checked=strange.named_strangers_checked)


def _open_parts(
    named: Named, gallery: Named, probes: Named, people: Sequence[str]
) -> list[tuple[Named, Named]]:
    """Return (gallery, probes) with each group of people as strangers in turn."""
    shuffled = np.random.default_rng(SEED).permutation(np.array(people, dtype=str))
    single = set(named.people) - set(people)
    parts = []
    # of two or three people some must stay enrolled
    groups = min(_GROUPS, max(len(people) // 2, 2))
    for number, group in enumerate(np.array_split(shuffled, groups)):
        out = set(group.tolist())
        if number == 0:  # people with one photo can only be strangers, and once is enough
            out |= single
        known = probes.without(list(out))
        away = named.where(np.array([person in out for person in named.people]))
        heights = None
        if known.heights is not None and away.heights is not None:
            heights = np.concatenate([known.heights, away.heights])
        vectors = np.concatenate([known.vectors, away.vectors])
        both = Named(named.space, vectors, known.people + away.people, heights)
        parts.append((gallery.without(list(out)), both))
    return parts


def _opened(
    parts: Sequence[tuple[Named, Named]], templates: Templates, threshold_of: ThresholdOf
) -> OpenSet:
    """Return all groups together, each searched with the threshold of its gallery's size."""
    results = []
    for gallery, probes in parts:
        searches = search(gallery, probes, templates)
        results.append(open_set(searches, threshold_of(searches.templates)))
    return OpenSet.pooled(results)
