"""Losses against formulas of their own and against finite differences."""

import math

import numpy as np
import pytest

import training

training.needed()

import torch

from facelign.train.recognizer import losses
from facelign.train.recognizer.config import EmbeddingLossOptions

N, DIM, PEOPLE = 12, 6, 4


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(5)
    vectors = torch.randn(N, DIM, generator=random, dtype=torch.float64) * 2
    return vectors, torch.arange(N) % PEOPLE


def criterion(name, **options):
    torch.manual_seed(2)
    return losses.criterion(EmbeddingLossOptions(name=name, **options), DIM, PEOPLE).double()


def cross_entropy(logits, labels) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    chances = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    return float(-np.log(chances[np.arange(len(labels)), labels]).mean())


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_softmax_with_the_activity_penalty_of_keras(batch):
    vectors, people = batch
    made = criterion("softmax", activity_l2=0.01)
    logits = (
        vectors.numpy() @ made.dense.weight.detach().numpy().T + made.dense.bias.detach().numpy()
    )
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = cross_entropy(logits, people.numpy()) + 0.01 * (chances**2).sum() / N
    found = made(vectors, people)
    assert float(found["loss"].detach()) == pytest.approx(wanted, abs=1e-12)
    assert float(found["activity"]) == pytest.approx(0.01 * (chances**2).sum() / N)


def test_dropout_is_for_training_alone(batch):
    vectors, people = batch
    made = criterion("softmax", dropout=0.5)
    assert made(vectors, people)["loss"] != made(vectors, people)["loss"]
    made.eval()
    assert made(vectors, people)["loss"] == made(vectors, people)["loss"]


@pytest.mark.parametrize("name", ["arcface", "cosface", "sub-center"])
def test_margins(batch, name):
    vectors, people = batch
    made = criterion(name, scale=16.0)
    kernel = made.inner.W.detach().numpy()
    cosines = unit(vectors.numpy()) @ unit(kernel.T).T
    if name == "sub-center":
        cosines = cosines.reshape(N, PEOPLE, 3).max(2)
    logits = cosines.copy()
    for row, person in enumerate(people.tolist()):
        angle = math.acos(cosines[row, person])
        if name == "cosface":
            logits[row, person] -= 0.35
        elif angle + 0.5 <= math.pi:
            logits[row, person] = math.cos(angle + 0.5)
        else:  # as the authors' code keeps the loss falling
            logits[row, person] -= 0.5 * math.sin(0.5)
    found = made(vectors, people)
    assert float(found["loss"].detach()) == pytest.approx(
        cross_entropy(16 * logits, people.numpy()), rel=1e-6
    )
    assert float(found["right"]) == pytest.approx((cosines.argmax(1) == people.numpy()).mean())


def test_adaface_takes_its_margin_from_the_length_of_the_vector(batch):
    vectors, people = batch
    made = criterion("adaface", scale=16.0).eval()
    made.length_mean.fill_(5.0)
    made.length_std.fill_(2.0)
    lengths = np.linalg.norm(vectors.numpy(), axis=1)
    graded = np.clip((lengths - 5.0) / (2.0 + 1e-3) * 0.333, -1, 1)
    assert graded.min() < 0 < graded.max()
    cosines = unit(vectors.numpy()) @ unit(made.kernel.detach().numpy().T).T
    logits = cosines.copy()
    for row, person in enumerate(people.tolist()):
        angle = math.acos(cosines[row, person]) - 0.4 * graded[row]
        logits[row, person] = math.cos(angle) - 0.4 * (1 + graded[row])
    found = made(vectors, people)["loss"]
    assert float(found.detach()) == pytest.approx(
        cross_entropy(16 * logits, people.numpy()), rel=1e-6
    )


def test_adaface_follows_the_lengths_while_it_trains(batch):
    vectors, people = batch
    made = criterion("adaface")
    made(vectors, people)
    lengths = vectors.norm(dim=1)
    assert float(made.length_mean) == pytest.approx(0.99 * 20 + 0.01 * float(lengths.mean()))
    assert float(made.length_std) == pytest.approx(0.99 * 100 + 0.01 * float(lengths.std()))


def every_triplet(vectors, people):
    rows = unit(vectors.numpy())
    squared = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    for a in range(N):
        for p in range(N):
            for n in range(N):
                if a != p and people[a] == people[p] and people[a] != people[n]:
                    yield squared[a, n] - squared[a, p]


@pytest.mark.parametrize("mining", ["all", "semi-hard", "hard"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_triplets(batch, mining, reduction):
    vectors, people = batch
    gaps = np.array(list(every_triplet(vectors, people.tolist())))
    chosen = {
        "all": gaps <= 0.2,
        "semi-hard": (gaps > 0) & (gaps <= 0.2),
        "hard": gaps <= 0,
    }[mining]
    terms = np.maximum(0.2 - gaps[chosen], 0)
    found = criterion("triplet", mining=mining, reduction=reduction)(vectors, people)
    assert float(found["loss"]) == pytest.approx(float(getattr(terms, reduction)()), rel=1e-6)
    assert float(found["triplets"]) == chosen.sum() > 0
    assert float(found["active"]) == pytest.approx((gaps <= 0.2).mean())


def test_a_batch_without_a_triplet_has_a_loss_of_zero_that_can_be_followed_back():
    vectors = torch.eye(2, DIM).requires_grad_()
    found = criterion("triplet")(vectors.double(), torch.tensor([0, 1]))
    found["loss"].backward()
    assert float(found["loss"].detach()) == 0 == float(found["active"])


@pytest.mark.parametrize(
    "name", ["softmax", "arcface", "cosface", "sub-center", "adaface", "triplet"]
)
def test_gradients_are_those_of_finite_differences(batch, name):
    vectors, people = batch
    made = criterion(name, activity_l2=0.01 if name == "softmax" else 0.0, scale=8.0).eval()
    if name == "adaface":  # the length is taken as given, as the paper has it
        vectors = vectors / vectors.norm(dim=1, keepdim=True) * 20

    def loss_of(x):
        if name == "adaface":
            x = x / x.norm(dim=1, keepdim=True) * 20
        return made(x, people)["loss"]

    assert torch.autograd.gradcheck(loss_of, (vectors.requires_grad_(),), atol=1e-6)


def test_only_what_learns_is_learned():
    assert not list(criterion("triplet").parameters())
    shapes = [tuple(p.shape) for p in criterion("sub-center").parameters()]
    assert shapes == [(DIM, 3 * PEOPLE)]
