"""Classifiers that name people from enrolled vectors: fitted, and measured (A3-14, A3-15)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from facelign.compare.classifiers import NameClassifier, scaled
from facelign.errors import BadArray, Refused
from facelign.lab.identification.searching import search
from facelign.lab.material.named import Named
from facelign.lab.plain import PlainRecord
from facelign.lab.statistics.exact import exact_share
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.types.arrays import Float32Array, IntArray
from facelign.types.policies import ClassifierRule


def fit(
    named: Named, rule: ClassifierRule, *, k: int = 1, seed: int = SEED, revision: int = -1
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
    if rule is ClassifierRule.MEAN:
        means = np.stack([rows[codes == code].mean(axis=0) for code in range(len(people))])
        rows = scaled(means, named.space.metric, unit=named.space.unit)
    elif rule is ClassifierRule.SVM:
        rows, bias = _hyperplanes(rows, codes, len(people), seed)
    if rule is not ClassifierRule.KNN:
        codes = np.arange(len(people))
    return NameClassifier(
        rule,
        named.space.id,
        named.space.metric,
        people,
        rows,
        codes,
        bias,
        k,
        revision,
        named.holding,
    )


def _hyperplanes(
    rows: Float32Array, codes: IntArray, people: int, seed: int
) -> tuple[Float32Array, Float32Array]:
    """Return (p, d) weights and (p,) offsets, one hyperplane a person."""
    from sklearn.svm import LinearSVC  # the one rule that wants scikit-learn

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


class Classifier(StrEnum):
    """How a name is chosen from enrolled photos."""

    NEAREST = "nearest"
    KNN_3 = "3 nearest"
    KNN_5 = "5 nearest"
    MEAN = "nearest mean"
    SVM = "linear SVM"


#: rule and neighbors of each classifier
_RULES = {
    Classifier.NEAREST: (ClassifierRule.KNN, 1),
    Classifier.KNN_3: (ClassifierRule.KNN, 3),
    Classifier.KNN_5: (ClassifierRule.KNN, 5),
    Classifier.MEAN: (ClassifierRule.MEAN, 1),
    Classifier.SVM: (ClassifierRule.SVM, 1),
}


@dataclass(frozen=True, slots=True)
class Classified(PlainRecord):
    """A classifier's answers, plain and checked against the threshold (A3-15).

    right: share of searches of enrolled people with the right name. checked: the same when a name
    counts only if some photo of that person reaches the threshold. named_strangers_checked: share
    of strangers whose name reaches it; None without strangers. Without the check everybody gets a
    name, strangers too: that is how such a rule is built, and no figure.
    """

    TOLD = "classifier right checked lost_by_check named_strangers_checked"

    classifier: Classifier
    right: Interval
    checked: Interval
    named_strangers_checked: Interval | None

    @property
    def lost_by_check(self) -> float:
        """Share of searches whose right name misses the threshold."""
        return self.right.value - self.checked.value


def classify(
    gallery: Named, probes: Named, threshold: float, classifier: Classifier, *, seed: int = SEED
) -> Classified:
    """Return how often a classifier names probes rightly, without and with the threshold."""
    searches = search(gallery, probes)
    rule, k = _RULES[classifier]
    if rule is ClassifierRule.SVM and len(set(gallery.people)) < 2:
        rule = ClassifierRule.KNN  # of one person every rule has the same answer
    answers = fit(gallery, rule, k=k, seed=seed).answers(probes.vectors)
    known = searches.mate >= 0
    if not known.any():
        raise BadArray("classify: no probe shows an enrolled person.")
    names = searches.named(threshold, suggested=answers)
    right, checked = answers == searches.mate, names == searches.mate
    strangers, enrolled = int((~known).sum()), int(known.sum())
    return Classified(
        classifier,
        exact_share(int(right[known].sum()), enrolled),
        exact_share(int(checked[known].sum()), enrolled),
        exact_share(int((names[~known] >= 0).sum()), strangers) if strangers else None,
    )
