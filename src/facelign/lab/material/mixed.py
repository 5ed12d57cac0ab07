"""Folders that are taken for people and are none, such as those of a holiday: told by their scores.

Nothing but the vectors at hand is asked: where most pairs of a folder score as pairs of different
folders do, the folder does not show one person, or the model cannot tell people apart.
"""

from __future__ import annotations

import numpy as np

from facelign.compare.scores import score_matrix
from facelign.lab.defaults import SEED
from facelign.lab.material.named import Named
from facelign.types.arrays import BoolArray

#: the share of pairs of different folders that scores lower than what looks like one person
_APART = 0.95
#: photos of a folder that are looked at, and photos for pairs of different folders
_MOST, _SAMPLE = 30, 1000
#: from how many photos on a folder speaks for itself
_ENOUGH = 3


def mixed(named: Named, *, tell: bool = True) -> list[str]:
    """Return the warning that is due where folders do not look like one person each, or nothing.

    It is due where half of the folders with several photos are so, or any with three or more. tell:
    whether it names some of them; a report that is to be published must not.
    """
    limit = _one_person_at(named)
    if limit is None:
        return []
    codes = named.codes
    names = np.unique(np.array(named.people, dtype=str))
    counts = np.bincount(codes)
    several = np.flatnonzero(counts > 1)
    odd = [code for code in several.tolist() if not _one_person(named, codes == code, limit)]
    if 2 * len(odd) < len(several):
        odd = [code for code in odd if counts[code] >= _ENOUGH]
    if not odd:
        return []
    which = f" ({', '.join(map(str, names[odd[:3]]))}{', ...' * (len(odd) > 3)})" if tell else ""
    return [
        f"{len(odd):,} of {len(several):,} folders with several photos do not look like one person "
        f"each{which}: figures are right only where a folder is a person."
    ]


def _one_person_at(named: Named) -> float | None:
    """Return the score that few pairs of different folders reach; None without such pairs."""
    rows = np.arange(len(named.people))
    if len(rows) > _SAMPLE:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, _SAMPLE, replace=False))
    vectors, codes = named.vectors[rows], named.codes[rows]
    apart = np.triu(codes[:, None] != codes[None, :], 1)
    if not apart.any():
        return None
    scores = score_matrix(vectors, vectors, named.space.metric)[apart]
    return float(np.quantile(scores, _APART))


def _one_person(named: Named, mine: BoolArray, limit: float) -> bool:
    """Return whether at least half of the pairs of photos score above the limit."""
    vectors = named.vectors[np.flatnonzero(mine)[:_MOST]]
    scores = score_matrix(vectors, vectors, named.space.metric)
    above = scores[np.triu_indices(len(vectors), 1)] > limit
    return bool(2 * np.count_nonzero(above) >= len(above))
