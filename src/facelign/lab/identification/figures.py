"""Identification: closed set (who of these?) and open set (anybody of these at all?)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats

from facelign.compare.classifiers import Rule
from facelign.compare.scores import measure, score_matrix
from facelign.errors import BadArray, Refused
from facelign.lab.identification import classifiers
from facelign.lab.material.named import Named
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.types.arrays import BoolArray, Float64Array, FloatArray, IntArray

#: groups of people that are strangers in turn
_GROUPS = 5
#: ranks that a cumulative match curve is told for
RANKS = 20


class Templates(StrEnum):
    """What a person's photos become in a gallery."""

    EACH = "each"
    MEAN = "mean"
    ROBUST = "robust"


#: gives the threshold of a search among that many templates
ThresholdOf = Callable[[int], float]


def share(hits: int, trials: int) -> Interval:
    """Return a share with its exact 95 % interval (Clopper-Pearson); raises BadArray for none."""
    if trials < 1:
        raise BadArray("share: wanted at least one trial.")
    bounds = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    return Interval(hits / trials, float(bounds.low), float(bounds.high))


def odd_even(named: Named) -> tuple[BoolArray, BoolArray]:
    """Return (enrolled, probes) masks (n,): every second photo of a person (SEEDS A3-14).

    The second, fourth and so on are enrolled, the others are probes; people with a single photo
    are in neither.
    """
    place = np.zeros(len(named.people), np.int64)
    seen: dict[str, int] = {}
    for i, person in enumerate(named.people):
        place[i] = seen.get(person, 0)
        seen[person] = place[i] + 1
    several = np.array([seen[person] > 1 for person in named.people], bool)
    return several & (place % 2 == 1), several & (place % 2 == 0)


def as_templates(named: Named, mode: Templates) -> Named:
    """Return the gallery that ``mode`` makes of enrolled photos.

    MEAN: one vector a person, the mean of the directions (of the vectors as they are, for a
    distance of raw vectors). ROBUST: their geometric median instead, which a minority of wrong
    photos hardly moves.
    """
    if mode is Templates.EACH:
        return named
    rows = np.asarray(named.vectors, np.float64)
    if measure(named.space.metric).by_direction or named.space.unit:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    codes = named.codes
    center = _median if mode is Templates.ROBUST else _mean
    vectors = np.stack([center(rows[codes == code]) for code in range(int(codes.max()) + 1)])
    if named.space.unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = tuple(np.unique(np.array(named.people, dtype=str)).tolist())
    return Named(named.space, vectors, people)


def _mean(rows: FloatArray) -> FloatArray:
    center: FloatArray = rows.mean(axis=0)
    return center


def _median(rows: FloatArray) -> FloatArray:
    """Return the geometric median by Weiszfeld's iteration."""
    center = _mean(rows)
    for _ in range(50):
        gaps = np.maximum(np.linalg.norm(rows - center, axis=1), 1e-9)
        moved = (rows / gaps[:, None]).sum(axis=0) / (1 / gaps).sum()
        done = np.linalg.norm(moved - center) < 1e-9
        center = moved
        if done:
            break
    return center


def media_averaged(named: Named, templates: Sequence[str], media: Sequence[str]) -> Named:
    """Return one vector a template, as IJB asks: photos of one medium first, then media.

    templates, media: n labels each. People of a template must agree; names of the result are those
    of its people, photos are the templates.
    """
    if len(templates) != len(named.people) or len(media) != len(named.people):
        raise BadArray("templates: wanted a template and a medium for each vector.")
    rows = np.asarray(named.vectors, np.float64)
    if measure(named.space.metric).by_direction or named.space.unit:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    order: dict[str, dict[str, list[int]]] = {}
    for i, (template, medium) in enumerate(zip(templates, media, strict=True)):
        order.setdefault(template, {}).setdefault(medium, []).append(i)
    vectors, people = [], []
    for template, by_medium in order.items():
        names = {named.people[i] for group in by_medium.values() for i in group}
        if len(names) != 1:
            raise BadArray(f"template {template}: holds photos of {len(names)} people.")
        vectors.append(_mean(np.stack([_mean(rows[group]) for group in by_medium.values()])))
        people.append(names.pop())
    table = np.stack(vectors)
    if named.space.unit:
        table /= np.linalg.norm(table, axis=1, keepdims=True)
    return Named(named.space, table, tuple(people), photos=tuple(order))


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Scores of searches by person.

    scores: (n, p) float64, each probe against the best template of each person. mate: (n,) int64
    column of the probe's own person, or -1 for strangers. people: p names. templates: how many
    were searched.
    """

    scores: Float64Array
    mate: IntArray
    people: tuple[str, ...]
    templates: int

    def where(self, mask: BoolArray) -> Searches:
        """Return the searches of ``mask`` (n,) bool."""
        return replace(self, scores=self.scores[mask], mate=self.mate[mask])

    @property
    def ranks(self) -> IntArray:
        """(m,) rank of the mate, from 1, of the mated searches; ties count against it."""
        mated = self.mate >= 0
        scores, mate = self.scores[mated], self.mate[mated]
        own = scores[np.arange(len(mate)), mate]
        ranks: IntArray = (scores >= own[:, None]).sum(axis=1).astype(np.int64)
        return ranks


def search(gallery: Named, probes: Named) -> Searches:
    """Return the searches of every probe; probes whose person is not enrolled are strangers."""
    people = tuple(np.unique(np.array(gallery.people, dtype=str)).tolist())
    columns = {person: i for i, person in enumerate(people)}
    order = np.argsort(gallery.codes, kind="stable")
    starts = np.flatnonzero(np.diff(gallery.codes[order], prepend=-1))
    best = np.empty((len(probes.people), len(people)))
    for start in range(0, len(best), 512):
        rows = slice(start, start + 512)
        scores = score_matrix(probes.vectors[rows], gallery.vectors[order], gallery.space.metric)
        best[rows] = np.maximum.reduceat(scores, starts, axis=1)
    mate = np.array([columns.get(person, -1) for person in probes.people], np.int64)
    return Searches(best, mate, people, len(gallery.people))


def cmc(searches: Searches, ranks: int = RANKS) -> Float64Array:
    """Return (ranks,) shares of mated searches whose mate is among the first k people."""
    found = searches.ranks
    if not len(found):
        raise BadArray("CMC: there are no searches of enrolled people.")
    return np.array([(found <= k).mean() for k in range(1, ranks + 1)])


@dataclass(frozen=True, slots=True)
class OpenSet:
    """What a threshold does in searches.

    fpir: share of searches of strangers that end with a name. fnir: share of searches of enrolled
    people that do not return them at or above the threshold within ``rank``. misnamed: share of
    those that end with another person's name. None where there are no such searches.
    """

    threshold: float
    templates: int
    rank: int
    fpir: Interval | None
    fnir: Interval | None
    misnamed: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "threshold": self.threshold,
            "templates": self.templates,
            "rank": self.rank,
            **{
                name: found.to_dict() if found else None
                for name, found in (
                    ("fpir", self.fpir),
                    ("fnir", self.fnir),
                    ("misnamed", self.misnamed),
                )
            },
        }


def open_set(searches: Searches, threshold: float, *, rank: int = 1) -> OpenSet:
    """Return FPIR, FNIR and wrong names at a threshold (match if ``score >= threshold``)."""
    stranger = searches.mate < 0
    top = searches.scores.max(axis=1)
    mated = searches.where(~stranger)
    own = mated.scores[np.arange(len(mated.mate)), mated.mate]
    hit = (mated.ranks <= rank) & (own >= threshold)
    best = mated.scores.argmax(axis=1)
    wrong = (mated.scores.max(axis=1, initial=-np.inf) >= threshold) & (best != mated.mate)
    strangers, enrolled = int(stranger.sum()), len(mated.mate)
    return OpenSet(
        threshold,
        searches.templates,
        rank,
        share(int((top[stranger] >= threshold).sum()), strangers) if strangers else None,
        share(int((~hit).sum()), enrolled) if enrolled else None,
        share(int(wrong.sum()), enrolled) if enrolled else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class OpenSetCurve:
    """FPIR (falling) and FNIR (rising) at every threshold (k,) at which they change."""

    thresholds: Float64Array
    fpir: Float64Array
    fnir: Float64Array


def open_set_curve(searches: Searches, *, rank: int = 1) -> OpenSetCurve:
    """Return the DET of searches; raises BadArray without strangers or without enrolled people."""
    stranger = searches.mate < 0
    mated = searches.where(~stranger)
    if not stranger.any() or not len(mated.mate):
        raise BadArray("open set: wanted searches of strangers and of enrolled people.")
    top = np.sort(searches.scores[stranger].max(axis=1))
    own = mated.scores[np.arange(len(mated.mate)), mated.mate]
    # a mate beyond the rank is missed at every threshold
    reached = np.sort(np.where(mated.ranks <= rank, own, -np.inf))
    finite = reached[np.isfinite(reached)]
    values = np.union1d(top, finite)
    thresholds = np.append(values, np.nextafter(values[-1], np.inf))
    fpir = 1 - np.searchsorted(top, thresholds, side="left") / len(top)
    fnir = np.searchsorted(reached, thresholds, side="left") / len(reached)
    return OpenSetCurve(thresholds, fpir, fnir)


class Classifier(StrEnum):
    """How a name is chosen from enrolled photos."""

    NEAREST = "nearest"
    KNN_3 = "3 nearest"
    KNN_5 = "5 nearest"
    MEAN = "nearest mean"
    SVM = "linear SVM"


@dataclass(frozen=True, slots=True)
class Classified:
    """A classifier's answers, plain and checked against the threshold (SEEDS A3-15).

    right: share of searches of enrolled people with the right name. checked: the same when a name
    counts only if some photo of that person reaches the threshold. named_strangers and
    named_strangers_checked: share of strangers who get a name; None without strangers.
    """

    classifier: Classifier
    right: Interval
    checked: Interval
    named_strangers: Interval | None
    named_strangers_checked: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        strangers = (self.named_strangers, self.named_strangers_checked)
        return {
            "classifier": str(self.classifier),
            "right": self.right.to_dict(),
            "checked": self.checked.to_dict(),
            "lost_by_check": self.right.value - self.checked.value,
            "named_strangers": strangers[0].to_dict() if strangers[0] else None,
            "named_strangers_checked": strangers[1].to_dict() if strangers[1] else None,
        }


def classify(
    gallery: Named, probes: Named, threshold: float, classifier: Classifier, *, seed: int = SEED
) -> Classified:
    """Return how often a classifier names probes rightly, without and with the threshold."""
    searches = search(gallery, probes)
    said = _answers(gallery, probes, classifier, seed)
    known = searches.mate >= 0
    if not known.any():
        raise BadArray("classify: no probe shows an enrolled person.")
    backed = searches.scores[np.arange(len(said)), said] >= threshold
    right = said == searches.mate
    strangers = int((~known).sum())
    enrolled = int(known.sum())
    return Classified(
        classifier,
        share(int(right[known].sum()), enrolled),
        share(int((right & backed)[known].sum()), enrolled),
        share(strangers, strangers) if strangers else None,
        share(int(backed[~known].sum()), strangers) if strangers else None,
    )


#: rule and neighbors of each classifier
_RULES = {
    Classifier.NEAREST: (Rule.KNN, 1),
    Classifier.KNN_3: (Rule.KNN, 3),
    Classifier.KNN_5: (Rule.KNN, 5),
    Classifier.MEAN: (Rule.MEAN, 1),
    Classifier.SVM: (Rule.SVM, 1),
}


def _answers(gallery: Named, probes: Named, classifier: Classifier, seed: int) -> IntArray:
    """Return (n,) columns of the people that the classifier names."""
    rule, k = _RULES[classifier]
    if rule is Rule.SVM and len(set(gallery.people)) < 2:
        rule = Rule.KNN  # of one person every rule has the same answer
    return classifiers.fit(gallery, rule, k=k, seed=seed).answers(probes.vectors)


@dataclass(frozen=True, slots=True)
class Suspect:
    """An enrolled photo that agrees with none of the same person: a likely mislabel."""

    index: int
    person: str
    best_score: float


def suspects(named: Named, threshold: float) -> tuple[Suspect, ...]:
    """Return photos whose best score with the other photos of their person misses the threshold."""
    found = []
    codes = named.codes
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        if len(rows) < 3:  # of two that disagree nobody knows which is wrong
            continue
        scores = score_matrix(named.vectors[rows], named.vectors[rows], named.space.metric)
        np.fill_diagonal(scores, -np.inf)
        best = scores.max(axis=1)
        found += [
            Suspect(int(i), named.people[i], float(b))
            for i, b in zip(rows, best, strict=True)
            if b < threshold
        ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Identification:
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
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "gallery_subjects": self.gallery_subjects,
            "templates": self.templates,
            "probes": self.probes,
            "strangers": self.strangers,
            "rank1": self.rank1.value,
            "fpir": self.open.fpir.value if self.open.fpir else None,
            "fnir": self.open.fnir.value if self.open.fnir else None,
            "threshold": self.threshold,
            "intervals": {"rank1": self.rank1.to_dict()},
            "cmc": list(self.cmc),
            "open_set": self.open.to_dict(),
            "classifiers": [found.to_dict() for found in self.classifiers],
            "modes": {name: dict(found) for name, found in self.modes.items()},
            "notes": list(self.notes),
        }


def evaluate(
    named: Named,
    threshold_of: ThresholdOf,
    *,
    mode: Templates = Templates.EACH,
    classifiers: Sequence[Classifier] = tuple(Classifier),
    seed: int = SEED,
) -> Identification:
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
    closed = search(as_templates(gallery, mode), probes)
    parts = _open_parts(named, gallery, probes, people)
    modes: dict[str, dict[str, float]] = {}
    for each in Templates:
        one = search(as_templates(gallery, each), probes)
        found = _pooled(parts, each, threshold_of)
        rates = {"fpir": found.fpir, "fnir": found.fnir}
        modes[str(each)] = {"rank1": float((one.ranks == 1).mean())} | {
            name: rate.value for name, rate in rates.items() if rate is not None
        }
    ranks = closed.ranks
    single = len(set(named.people)) - len(people)
    notes = ["Classifiers: right names over the closed set; strangers are the first group."]
    if single:
        said = "1 person with one photo is a stranger" if single == 1 else (
            f"{single} people with one photo are strangers"
        )  # fmt: skip
        notes.append(f"{said} only.")
    return Identification(
        gallery_subjects=len(people),
        templates=closed.templates,
        probes=len(ranks),
        strangers=len(named.people),
        rank1=share(int((ranks == 1).sum()), len(ranks)),
        cmc=tuple(cmc(closed, min(RANKS, len(people))).tolist()),
        threshold=threshold_of(closed.templates),
        open=_pooled(parts, mode, threshold_of),
        classifiers=tuple(
            _classified((gallery, probes), parts[0], threshold_of, one, seed) for one in classifiers
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
    """Return right names over the whole closed set (SEEDS A3-14), strangers from the open one.

    A name is checked against every enrolled photo of that person, whatever templates are searched
    elsewhere, so the threshold is that of as many photos.
    """
    known, strange = (
        classify(gallery, probes, threshold_of(len(gallery.people)), classifier, seed=seed)
        for gallery, probes in (closed, opened)
    )
    return replace(
        known,
        named_strangers=strange.named_strangers,
        named_strangers_checked=strange.named_strangers_checked,
    )


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
        vectors = np.concatenate([known.vectors, away.vectors])
        both = Named(named.space, vectors, known.people + away.people)
        parts.append((gallery.without(list(out)), both))
    return parts


def _pooled(
    parts: Sequence[tuple[Named, Named]], mode: Templates, threshold_of: ThresholdOf
) -> OpenSet:
    """Return the rates over all groups together, each with the threshold of its gallery's size."""
    counts = np.zeros(5, np.int64)  # strangers, named; enrolled, missed, misnamed
    thresholds, sizes = [], []
    for gallery, probes in parts:
        searches = search(as_templates(gallery, mode), probes)
        found = open_set(searches, threshold_of(searches.templates))
        strangers = int((searches.mate < 0).sum())
        enrolled = len(searches.mate) - strangers
        rates = [r.value if r else 0.0 for r in (found.fpir, found.fnir, found.misnamed)]
        counts += np.array(
            [
                strangers,
                round(rates[0] * strangers),
                enrolled,
                round(rates[1] * enrolled),
                round(rates[2] * enrolled),
            ]
        )
        thresholds.append(found.threshold)
        sizes.append(searches.templates)
    strangers, named_, enrolled, missed, misnamed = (int(n) for n in counts)
    return OpenSet(
        float(np.mean(thresholds)),
        round(float(np.mean(sizes))),
        1,
        share(named_, strangers) if strangers else None,
        share(missed, enrolled) if enrolled else None,
        share(misnamed, enrolled) if enrolled else None,
    )


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

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "people": self.people,
            "threshold": self.threshold,
            "fpir": self.fpir.to_dict(),
            "fnir": self.fnir.to_dict(),
            "misnamed": self.misnamed.to_dict(),
            "strangers": self.strangers,
            "draws": self.draws,
        }


def by_gallery_size(
    named: Named,
    threshold_of: ThresholdOf,
    sizes: Sequence[int],
    *,
    draws: int = 5,
    seed: int = SEED,
) -> tuple[AtSize, ...]:
    """Return open-set rates for galleries of several sizes, as MEASURED 10 does.

    Each draw enrolls one photo of each of ``size`` people; their other photos are searched, and
    all photos of everybody else are strangers'. Raises Refused where a size leaves no strangers or
    nobody enrolled has a second photo.
    """
    generator = np.random.default_rng(seed)
    codes = named.codes
    people = int(codes.max()) + 1
    found = []
    for size in sizes:
        if not 0 < size < people:
            raise Refused(
                f"A gallery of {size} people leaves no strangers among {people}.",
                "Ask for smaller galleries, or give more people.",
            )
        rows = []
        for _ in range(draws):
            inside = generator.permutation(people)[:size]
            first = np.array([generator.choice(np.flatnonzero(codes == code)) for code in inside])
            enrolled = np.zeros(len(codes), bool)
            enrolled[first] = True
            searches = search(named.where(enrolled), named.where(~enrolled))
            rows.append(open_set(searches, threshold_of(size)))
        strangers = int((~np.isin(codes, inside)).sum())
        rates = {}
        for name in ("fpir", "fnir", "misnamed"):
            seen = [getattr(row, name).value for row in rows if getattr(row, name) is not None]
            if not seen:
                raise Refused("No enrolled person has a second photo.", "Add photos.")
            rates[name] = Interval(float(np.mean(seen)), min(seen), max(seen))
        found.append(AtSize(size, threshold_of(size), **rates, strangers=strangers, draws=draws))
    return tuple(found)
