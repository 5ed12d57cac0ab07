"""From templates to people: who is most like a probe, by the best template or by a center.

``search`` and ``score_table`` answer for arrays of templates; a gallery answers through
``gallery.following``, which keeps such a view for what a store holds. Both are the same search, so
what is measured with arrays is what a gallery does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare.centers import by_group, geometric_medians, means
from facelign.compare.scores import distance, score_matrix
from facelign.gallery.indexes.exact import ExactIndex, directions
from facelign.gallery.rejections import bars
from facelign.types.arrays import Float32Array, FloatArray, IntArray
from facelign.types.contracts import Index
from facelign.types.decisions import Candidate
from facelign.types.embeddings import Embeddings, Metric, Space, same_space
from facelign.types.policies import TOP_K, TemplateMode

#: makes the index of a space: a class of gallery.indexes
IndexFactory = Callable[[Space], Index]

#: templates read from the ranking for each person wanted, at first
_PER_PERSON = 4
#: and some more: those of people who were rejected for the photo may stand before
_SLACK = 16
#: probes whose scores against everybody are held at a time
_PROBES = 512
_NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A space at one moment.

    owners: person id by template id (0 = none). names: by person id, rising; people who come later
    are added to it. rejections: by key (``gallery.rejections``), ids of people who are not shown.
    """

    index: Index
    owners: IntArray
    names: dict[int, str]
    rejections: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, templates: Embeddings, people: Sequence[str], index: IndexFactory) -> View:
        """Return the view of n templates and the n names of their people."""
        names, codes = _coded(people)
        ids = np.arange(1, len(templates) + 1)
        filled = index(templates.space)
        filled.add(ids, templates.vectors)
        owners = np.concatenate([np.zeros(1, np.int64), codes + 1])
        return cls(filled, owners, dict(enumerate(names, start=1)), {})

    def barred(self, digest: str, box: Sequence[float] | None = None) -> frozenset[int]:
        """Return whom a photo, or the face in ``box`` of it, does not show."""
        whole = self.rejections.get(digest, _NOBODY)
        if box is None:
            return whole
        return whole.union(*(i for key, i in self.rejections.items() if bars(key, digest, box)))

    def owners_of(self, ids: IntArray) -> IntArray:
        """Return person ids (m,) of templates, 0 for those that came later or went."""
        known = np.where(ids < len(self.owners), ids, 0)
        owners: IntArray = self.owners[known]
        return owners


@dataclass(frozen=True, slots=True, eq=False)
class Centers:
    """One vector a person. index: over numbers from 0. people: (p,) ids by number. firsts: (p,)
    their first templates.
    """

    index: Index
    people: IntArray
    firsts: IntArray


def search(
    probes: Embeddings,
    templates: Embeddings,
    people: Sequence[str],
    *,
    k: int = TOP_K,
    mode: TemplateMode = TemplateMode.BEST,
    index: IndexFactory = ExactIndex,
) -> list[list[Candidate]]:
    """Return the k people most like each probe, best first.

    templates: n vectors in the space of the probes; people: whom each of them shows. A candidate's
    ``template_id`` is the place of the template, from 1. Raises SpaceMismatch.
    """
    same_space(probes.space.id, templates.space.id, "the set of templates")
    view = View.of(templates, people, index)
    nothing = [_NOBODY] * len(probes)
    if mode is TemplateMode.BEST:
        return by_best(view, probes, k, nothing)
    return by_center(view, centers_of(view, mode, index), probes, k, nothing)


def score_table(
    probes: Embeddings,
    templates: Embeddings,
    people: Sequence[str],
    mode: TemplateMode = TemplateMode.BEST,
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return (scores (m, p) float64, the p names in order): what a search that lists all finds.

    As ``search`` with an exact index and ``k`` the number of people, as a table.
    """
    same_space(probes.space.id, templates.space.id, "the set of templates")
    names, codes = _coded(people)
    order = np.argsort(codes, kind="stable")
    vectors = templates.vectors[order]
    if mode is not TemplateMode.BEST:
        points = compared(templates.vectors, templates.space)
        vectors = by_group(points.__getitem__, codes, points.shape[1], _CENTER_OF[mode]).centers
        order, codes = np.arange(len(names)), np.arange(len(names))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    table = np.empty((len(probes), len(names)))
    for start in range(0, len(table), _PROBES):
        rows = slice(start, start + _PROBES)
        scores = score_matrix(probes.vectors[rows], vectors, probes.space.metric)
        table[rows] = np.maximum.reduceat(scores, starts, axis=1)
    return table, names


def compared(vectors: Float32Array, space: Space) -> Float32Array:
    """Return vectors as a space compares them: their directions in a cosine space."""
    return directions(vectors) if space.metric is Metric.COSINE else vectors


def by_best(
    view: View, probes: Embeddings, k: int, barred: Sequence[frozenset[int]]
) -> list[list[Candidate]]:
    """Return the k people nearest to each probe by their best template.

    Templates come in order of their scores, so the first of a person is that person's best: the
    list is read down until k people are together, and made longer when it ends too early.
    barred: ids of people who are left out, for each probe.
    """
    answers: list[list[Candidate]] = [[] for _ in range(len(probes))]
    todo, wanted = list(range(len(probes))), _PER_PERSON * k + _SLACK
    while todo:
        hits = view.index.search(probes.vectors[todo], wanted)
        more = wanted < len(view.index)
        short = []
        for place, i in enumerate(todo):
            ids = hits.ids[place, : int(hits.counts[place])]
            people = view.owners_of(ids).tolist()
            best: dict[int, tuple[int, int, float]] = {}
            for j, person in enumerate(people):
                if person and person not in best and person not in barred[i]:
                    best[person] = (person, int(ids[j]), float(hits.scores[place, j]))
                    if len(best) == k:
                        break
            if len(best) < k and more:
                short.append(i)
            else:
                answers[i] = _candidates(view, list(best.values()))
        todo, wanted = short, 8 * wanted
    return answers


def by_center(
    view: View, centers: Centers, probes: Embeddings, k: int, barred: Sequence[frozenset[int]]
) -> list[list[Candidate]]:
    """Return the k people whose center is nearest to each probe."""
    most = max(map(len, barred), default=0)
    hits = centers.index.search(probes.vectors, min(k + most, len(centers.index)))
    answers = []
    for i in range(len(probes)):
        places = hits.ids[i, : int(hits.counts[i])]
        rows = [
            (int(centers.people[place]), int(centers.firsts[place]), float(score))
            for place, score in zip(places, hits.scores[i], strict=False)
        ]
        answers.append(_candidates(view, [row for row in rows if row[0] not in barred[i]][:k]))
    return answers


_CENTER_OF = {TemplateMode.MEAN: means, TemplateMode.ROBUST: geometric_medians}


def centers_of(view: View, mode: TemplateMode, index: IndexFactory) -> Centers:
    """Return the centers of everybody's templates."""
    ids = np.flatnonzero(view.owners)
    space = view.index.space
    found = by_group(
        lambda places: view.index.vectors(ids[places]),
        view.owners[ids],
        space.dim,
        _CENTER_OF[mode],
    )
    centers = index(space)
    centers.add(np.arange(len(found.groups)), found.centers)
    return Centers(centers, found.groups, ids[found.firsts])


def _candidates(view: View, rows: Sequence[tuple[int, int, float]]) -> list[Candidate]:
    """Return candidates for (person, template, score), best first."""
    scores = np.array([score for _, _, score in rows])
    distances = distance(scores, view.index.space.metric).tolist()
    return [
        Candidate(rank, view.names[person], template, score, away, person)
        for rank, ((person, template, score), away) in enumerate(
            zip(rows, distances, strict=True), start=1
        )
    ]


def _coded(people: Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """Return the names, sorted, and the number (n,) of each person among them."""
    names, codes = np.unique(np.array(people, dtype=str), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int64)
