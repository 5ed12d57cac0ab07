"""Galleries out of named photos, and what the product's own search says of probes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facelign.compare.scores import distance, measure
from facelign.compare.thresholds import uncalibrated
from facelign.errors import BadArray
from facelign.gallery.search import score_table
from facelign.lab.defaults import GALLERIES, Templates
from facelign.lab.material.named import Named
from facelign.recognition.naming import decide
from facelign.recognition.options import IdentifyOptions
from facelign.types.arrays import BoolArray, Float64Array, FloatArray, IntArray
from facelign.types.decisions import Candidate, CandidateList, SearchThreshold
from facelign.types.embeddings import Embeddings, Metric


def odd_even(named: Named) -> tuple[BoolArray, BoolArray]:
    """Return (enrolled, probes) masks (n,): every second photo of a person (A3-14).

    The second, fourth and so on are enrolled, the others are probes; people with a single photo
    are in neither.
    """
    place = np.zeros(len(named.people), np.int64)
    counts: dict[str, int] = {}
    for i, person in enumerate(named.people):
        place[i] = counts.get(person, 0)
        counts[person] = place[i] + 1
    several = np.array([counts[person] > 1 for person in named.people], bool)
    return several & (place % 2 == 1), several & (place % 2 == 0)


def galleries(
    named: Named,
    people: int,
    *,
    draws: int = GALLERIES,
    generator: np.random.Generator,
    second_first: bool = False,
) -> Iterator[BoolArray]:
    """Yield (n,) masks of enrolled photos: one each of ``people`` people, drawn anew each time.

    second_first: people who have a second photo are enrolled before others, who give no probe.
    """
    codes = named.codes
    single = np.bincount(codes) < 2
    for _ in range(draws):
        order = generator.permutation(len(single))
        if second_first:
            order = order[np.argsort(single[order], kind="stable")]
        enrolled = np.zeros(len(codes), bool)
        for code in order[:people]:
            enrolled[int(generator.choice(np.flatnonzero(codes == code)))] = True
        yield enrolled


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
        means = [rows[group].mean(axis=0) for group in by_medium.values()]
        vectors.append(np.stack(means).mean(axis=0))
        people.append(names.pop())
    table: FloatArray = np.stack(vectors)
    if named.space.unit:
        table /= np.linalg.norm(table, axis=1, keepdims=True)
    return Named(named.space, table, tuple(people), photos=tuple(order))


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Scores of searches by person.

    scores: (n, p) float64, each probe against each person. mate: (n,) int64 column of the probe's
    own person, or -1 for strangers. people: p names. templates: how many were searched. heights:
    (n,) of the probes' faces, px, or None where nobody measured them. metric: of the scores.
    """

    scores: Float64Array
    mate: IntArray
    people: tuple[str, ...]
    templates: int
    heights: FloatArray | None = None
    metric: Metric = Metric.COSINE

    def where(self, mask: BoolArray) -> Searches:
        """Return the searches of ``mask`` (n,) bool."""
        heights = None if self.heights is None else self.heights[mask]
        return replace(self, scores=self.scores[mask], mate=self.mate[mask], heights=heights)

    @property
    def ranks(self) -> IntArray:
        """(m,) rank of the mate, from 1, of the mated searches; ties count against it."""
        mated = self.mate >= 0
        scores, mate = self.scores[mated], self.mate[mated]
        own = scores[np.arange(len(mate)), mate]
        ranks: IntArray = (scores >= own[:, None]).sum(axis=1).astype(np.int64)
        return ranks

    def named(
        self,
        threshold: float,
        options: IdentifyOptions | None = None,
        *,
        suggested: IntArray | None = None,
    ) -> IntArray:
        """Return (n,) columns of the people whom ``identify`` names, -1 for nobody.

        threshold: of the search. options: their smallest face counts; the product's own if none.
        suggested: (n,) columns that a classifier names, which the threshold then checks.
        """
        options = options or IdentifyOptions()
        limit = SearchThreshold(
            uncalibrated(threshold, "measured"), options.fpir, self.templates, limited=False
        )
        columns = self.scores.argmax(axis=1) if suggested is None else suggested
        scores = self.scores[np.arange(len(columns)), columns]
        distances = np.asarray(distance(scores, self.metric))
        names = np.full(len(columns), -1, np.int64)
        for i, column in enumerate(columns.tolist()):
            height = None if self.heights is None else float(self.heights[i])
            person = self.people[column]
            best = Candidate(1, person, 0, float(scores[i]), float(distances[i]))
            found = CandidateList((best,), None, "", None, self.templates)
            name = None if suggested is None else person
            if decide(found, limit, options, height, suggested=name).person is not None:
                names[i] = column
        return names


def search(gallery: Named, probes: Named, templates: Templates = Templates.EACH) -> Searches:
    """Return the searches of every probe; probes whose person is not enrolled are strangers.

    templates: what a person's photos become.
    """
    scores, people = score_table(
        _embeddings(probes), _embeddings(gallery), gallery.people, templates.mode
    )
    columns = {person: i for i, person in enumerate(people)}
    mate = np.array([columns.get(person, -1) for person in probes.people], np.int64)
    each = templates is Templates.EACH
    count = len(gallery.people) if each else len(people)
    table: Float64Array = np.asarray(scores, np.float64)
    return Searches(table, mate, people, count, probes.heights, gallery.space.metric)


def _embeddings(named: Named) -> Embeddings:
    vectors = np.asarray(named.vectors, np.float32)
    return Embeddings(vectors, named.space, np.linalg.norm(vectors, axis=1))
