"""Losses that make a network tell people apart.

Every one takes vectors (n, dim) and the number of each photo's person (n,) int64, and gives "loss"
(what is minimized) and what is worth watching beside it. Those over classes hold a vector for each
person of the training set; they are part of what learns and are left behind by an export. Triplets
need no classes: people who are tested may be others than those who train.

- softmax: cross-entropy over the people, with dropout and an *activity* penalty as in the source
  article: the mean over photos of ``activity_l2`` times the sum of the squared probabilities, as
  Keras computes it;
- arcface: Deng et al., CVPR 2019; cosface: Wang et al., CVPR 2018; sub-center: Deng et al., ECCV
  2020 (from pytorch-metric-learning);
- adaface: Kim, Jain, Liu, CVPR 2022: the margin grows with the length of the vector;
- triplet: Schroff et al., CVPR 2015, on squared distances of unit vectors, triplets mined from the
  present vectors of the batch in each step (from pytorch-metric-learning).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor, nn

from facelign.train.recognizer.config import EmbeddingLossOptions

Figures = dict[str, Tensor]


class Softmax(nn.Module):
    """Cross-entropy over the people; no class has a margin."""

    def __init__(self, dim: int, people: int, *, dropout: float, activity_l2: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(dim, people)
        self.activity_l2 = activity_l2

    def forward(self, vectors: Tensor, people: Tensor) -> Figures:
        """Return loss and the share of photos that are told right."""
        logits = self.dense(self.dropout(vectors))
        loss = nn.functional.cross_entropy(logits, people)
        told = {"right": (logits.argmax(1) == people).float().mean()}
        if self.activity_l2:
            activity = self.activity_l2 * logits.softmax(1).square().sum(1).mean()
            return {"loss": loss + activity, "activity": activity.detach(), **told}
        return {"loss": loss, **told}


class Margin(nn.Module):
    """A loss of pytorch-metric-learning that holds a vector for each person."""

    def __init__(self, inner: losses.LargeMarginSoftmaxLoss) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, vectors: Tensor, people: Tensor) -> Figures:
        """Return loss and the share of photos that are told right, without the margin."""
        loss: Tensor = self.inner(vectors, people)
        with torch.no_grad():
            right = (self.inner.get_cosine(vectors).argmax(1) == people).float().mean()
        return {"loss": loss, "right": right}


class AdaFaceMargin(nn.Module):
    """Margins by the length of the vectors, which stands for how good a photo is.

    margin, spread: m and h of the paper. keep: share of the running mean and spread of lengths that
    a step leaves (the paper's momentum 0.99; its code begins at 20 and 100).
    """

    _EDGE = 1e-3
    length_mean: Tensor
    length_std: Tensor

    def __init__(
        self,
        dim: int,
        people: int,
        *,
        margin: float = 0.4,
        scale: float = 64.0,
        spread: float = 0.333,
        keep: float = 0.99,
    ) -> None:
        super().__init__()
        self.kernel = nn.Parameter(nn.functional.normalize(torch.randn(dim, people), dim=0))
        self.margin, self.scale, self.spread, self.keep = margin, scale, spread, keep
        self.register_buffer("length_mean", torch.tensor(20.0))
        self.register_buffer("length_std", torch.tensor(100.0))

    def forward(self, vectors: Tensor, people: Tensor) -> Figures:
        """Return loss, the share of photos that are told right, and the mean length."""
        lengths = vectors.norm(dim=1).clamp(0.001, 100).detach()
        if self.training and len(lengths) > 1:
            self.length_mean.lerp_(lengths.mean(), 1 - self.keep)
            self.length_std.lerp_(lengths.std(), 1 - self.keep)
        graded = (lengths - self.length_mean) / (self.length_std + self._EDGE) * self.spread
        graded = graded.clamp(-1, 1)
        unit = nn.functional.normalize(vectors)
        cosines = unit @ nn.functional.normalize(self.kernel, dim=0)
        bounded = cosines.clamp(-1 + self._EDGE, 1 - self._EDGE)
        own = bounded.gather(1, people[:, None])[:, 0]
        angle = own.acos() - self.margin * graded
        angle = angle.clamp(self._EDGE, math.pi - self._EDGE)
        wanted = angle.cos() - self.margin * (1 + graded)
        logits = self.scale * bounded.scatter(1, people[:, None], wanted[:, None])
        return {
            "loss": nn.functional.cross_entropy(logits, people),
            "right": (cosines.argmax(1) == people).float().mean(),
            "length": lengths.mean(),
        }


class Triplet(nn.Module):
    """Anchor, another photo of the person, a photo of somebody else.

    alpha: by how much squared distances of unit vectors (0 to 4) must differ. mining: "all" takes
    every triplet that does not keep alpha; "semi-hard" those whose stranger is farther than the
    person all the same; "hard" those whose stranger is nearer. reduction: "sum" (the paper) or
    "mean" over the triplets that were taken.
    """

    def __init__(self, *, alpha: float = 0.2, mining: str = "all", reduction: str = "sum") -> None:
        super().__init__()
        distance = distances.LpDistance(normalize_embeddings=True, p=2, power=2)
        kind = mining.replace("-", "")
        self._miner = miners.TripletMarginMiner(alpha, type_of_triplets=kind, distance=distance)
        reducer = reducers.SumReducer() if reduction == "sum" else reducers.MeanReducer()
        self._loss = losses.TripletMarginLoss(alpha, distance=distance, reducer=reducer)
        self._all = miners.TripletMarginMiner(alpha, type_of_triplets="all", distance=distance)

    def forward(self, vectors: Tensor, people: Tensor) -> Figures:
        """Return loss, how many triplets made it, and which share of all breaks alpha."""
        with torch.no_grad():
            mined = self._miner(vectors, people)
            breaking = len(self._all(vectors, people)[0])
        loss: Tensor = self._loss(vectors, people, mined)
        every = triplets(people)
        return {
            "loss": loss,
            "triplets": vectors.new_tensor(float(len(mined[0]))),
            "active": vectors.new_tensor(breaking / every if every else 0.0),
        }


def triplets(people: Tensor) -> int:
    """Return how many triplets a batch holds.

    >>> triplets(torch.tensor([0, 0, 1]))
    2
    """
    counts = torch.bincount(people)
    return int((counts * (counts - 1) * (len(people) - counts)).sum())


def criterion(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    """Return the loss of the configuration, for vectors of ``dim`` and so many people."""
    return _MADE[options.name](options, dim, people)


def _softmax(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    return Softmax(dim, people, dropout=options.dropout, activity_l2=options.activity_l2)


def _arcface(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    return Margin(losses.ArcFaceLoss(people, dim, math.degrees(options.edge), options.scale))


def _cosface(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    return Margin(losses.CosFaceLoss(people, dim, margin=options.edge, scale=options.scale))


def _sub_center(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    inner = losses.SubCenterArcFaceLoss(
        num_classes=people,
        embedding_size=dim,
        margin=math.degrees(options.edge),
        scale=options.scale,
        sub_centers=options.sub_centers,
    )
    return Margin(inner)


def _adaface(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    return AdaFaceMargin(dim, people, margin=options.edge, scale=options.scale)


def _triplet(options: EmbeddingLossOptions, dim: int, people: int) -> nn.Module:
    return Triplet(alpha=options.edge, mining=options.mining, reduction=options.reduction)


_MADE: Mapping[str, Callable[[EmbeddingLossOptions, int, int], nn.Module]] = {
    "softmax": _softmax,
    "arcface": _arcface,
    "cosface": _cosface,
    "sub-center": _sub_center,
    "adaface": _adaface,
    "triplet": _triplet,
}
