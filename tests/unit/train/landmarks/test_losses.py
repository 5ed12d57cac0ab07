"""Losses of landmarks: against formulas written anew, finite differences, and hidden points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import training

training.needed()

import torch

from facelign.train.landmarks import losses

NAMES = (*losses.LOSSES, "nme")
CORNERS = (0, 3)


def faces(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return points said and true (4, 5, 2) and which of them are known, all in double."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.1, 0.9, (4, 5, 2))
    said = true + rng.normal(0, 0.03, true.shape)
    said[0, 0] = true[0, 0] + [0.4, -0.3]  # far off: the other branch of both wings
    mask = np.ones((4, 5), bool)
    mask[1, 2], mask[2, 0], mask[3] = False, False, False
    return torch.from_numpy(said), torch.from_numpy(true), torch.from_numpy(mask)


def one(name: str, x: float) -> float:
    """Return the loss of one coordinate that is off by x, by its paper."""
    if name == "mse":
        return x * x
    if name == "l1":
        return abs(x)
    if name == "wing":
        w, e = 10 / 256, 2 / 256
        if abs(x) < w:
            return w * math.log(1 + abs(x) / e)
        return abs(x) - (w - w * math.log(1 + w / e))
    omega, theta, epsilon, alpha, y = 14, 0.5, 1, 2.1, 1  # Wang et al., eq. 3
    z = 100 * abs(x)
    ratio = theta / epsilon
    a = omega * (1 / (1 + ratio ** (alpha - y))) * (alpha - y)
    a *= ratio ** (alpha - y - 1) * (1 / epsilon)
    c = theta * a - omega * math.log(1 + ratio ** (alpha - y))
    small = omega * math.log(1 + (z / epsilon) ** (alpha - y))
    return (small if z < theta else a * z - c) / 100


@pytest.mark.parametrize("name", ["mse", "l1", "wing", "adaptive-wing"])
def test_losses_of_coordinates_are_those_of_their_papers(name: str) -> None:
    said, true, mask = faces()
    apart = [
        one(name, float(said[i, j, axis] - true[i, j, axis]))
        for i, j in np.argwhere(mask.numpy())
        for axis in range(2)
    ]
    assert {abs(float(v)) > 0.1 for v in (said - true)[mask].flatten()} == {True, False}
    found = float(losses.named(name, CORNERS)(said, true, mask))
    assert found == pytest.approx(np.mean(apart), rel=1e-6)


def test_losses_of_points_are_distances() -> None:
    said, true, mask = faces()
    apart = np.linalg.norm((said - true).numpy(), axis=2)
    found = float(losses.distance(said, true, mask))
    assert found == pytest.approx(apart[mask.numpy()].mean(), abs=1e-6)
    held = []
    for i in range(3):  # the last face shows nothing
        seen = mask[i].numpy()
        points = true[i].numpy()
        size = np.linalg.norm(points[0] - points[3])
        if not seen[[0, 3]].all():
            size = math.sqrt(np.ptp(points[seen], axis=0).prod())
        held.append(apart[i][seen].mean() / size)
    assert float(losses.named("nme", CORNERS)(said, true, mask)) == pytest.approx(
        np.mean(held), abs=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    said, true, mask = faces()
    loss = losses.named(name, CORNERS)
    assert torch.autograd.gradcheck(
        lambda x: loss(x, true, mask), said.requires_grad_(), eps=1e-7, atol=1e-4
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", [0.0, 1e6, math.nan, math.inf])
def test_a_hidden_point_has_no_say(name: str, where: float) -> None:
    said, true, mask = faces()
    loss = losses.named(name, CORNERS)
    wanted = loss(said, true, mask)
    moved = torch.where(mask[..., None], true, where)
    said.requires_grad_()
    found = loss(said, moved, mask)
    assert float(found.detach()) == float(wanted)
    found.backward()
    assert said.grad is not None
    assert said.grad.isfinite().all()
    assert (said.grad[~mask] == 0).all()
    assert (said.grad[mask] != 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_in_which_all_is_hidden_changes_nothing(name: str) -> None:
    said, true, mask = faces()
    said.requires_grad_()
    found = losses.named(name, CORNERS)(said, true, torch.zeros_like(mask))
    found.backward()
    assert float(found.detach()) == 0
    assert said.grad is not None
    assert (said.grad == 0).all()
