"""Fitting of classifiers that name people from enrolled vectors (SEEDS A3-14, A3-22, A3-24)."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.svm import LinearSVC

from facelign.compare.classifiers import NameClassifier, Rule, scaled
from facelign.errors import Refused
from facelign.lab.material.named import Named
from facelign.lab.statistics.resampling import SEED
from facelign.types.arrays import Float32Array, IntArray


def fit(
    named: Named, rule: Rule, *, k: int = 1, seed: int = SEED, revision: int = -1
) -> NameClassifier:
    """Return a classifier over the people of ``named``.

    k: neighbors that vote (KNN). seed: of the solver of the support vector machine (one against
    the rest, C = 1, squared hinge loss, as scikit-learn's LinearSVC). revision: of the gallery
    that the vectors come from. Raises Refused without vectors, and for an SVM of one person.
    """
    people = tuple(sorted(set(named.people)))
    if not people:
        raise Refused("There is no vector to fit a classifier on.", "Enroll somebody first.")
    rows, codes = scaled(named.vectors, named.space.metric), named.codes
    bias = np.zeros(len(people), np.float32)
    if rule is Rule.MEAN:
        rows, codes = _means(rows, codes, named), np.arange(len(people))
    elif rule is Rule.SVM:
        rows, bias = _hyperplanes(rows, codes, len(people), seed)
        codes = np.arange(len(people))
    return NameClassifier(
        rule, named.space.id, named.space.metric, people, rows, codes, bias, k, revision
    )


def _means(rows: Float32Array, codes: IntArray, named: Named) -> Float32Array:
    means = np.stack([rows[codes == code].mean(axis=0) for code in range(int(codes.max()) + 1)])
    return scaled(means, named.space.metric, unit=named.space.unit)


def _hyperplanes(
    rows: Float32Array, codes: IntArray, people: int, seed: int
) -> tuple[Float32Array, Float32Array]:
    """Return (p, d) weights and (p,) offsets, one hyperplane a person."""
    if people < 2:
        raise Refused(
            "A support vector machine tells at least two people apart, and there is one.",
            "Take the rule knn or mean.",
        )
    with warnings.catch_warnings():
        # many people with one photo each are meant here, and no regression
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model = LinearSVC(dual="auto", random_state=seed).fit(rows.astype(np.float64), codes)
    weights, offsets = np.asarray(model.coef_), np.asarray(model.intercept_)
    if people == 2:  # scikit-learn keeps one hyperplane for two classes
        weights, offsets = np.vstack([-weights, weights]), np.append(-offsets, offsets)
    return weights.astype(np.float32), offsets.astype(np.float32)
