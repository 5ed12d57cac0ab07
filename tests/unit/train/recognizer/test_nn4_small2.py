"""nn4.small2: as many parameters as published, and in NumPy the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import training
from nn4_reference import Reference

training.needed()

import torch
from torch import nn

from facelign.models.convert import openface
from facelign.models.convert.graph import serialize
from facelign.runtime.onnx import Session
from facelign.train.export import CLOSE, onnx_of
from facelign.train.recognizer.networks.nn4_small2 import NN4Small2, PublishedNN4Small2
from facelign.train.task import Exported

SEEDED = np.random.default_rng(41)


def poured(network: nn.Module, arrays: dict[str, np.ndarray]) -> nn.Module:
    told = network.load_state_dict({k: torch.from_numpy(v) for k, v in arrays.items()}, False)
    assert not told.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in told.missing_keys)
    return network.eval()


@pytest.mark.parametrize("kind", [NN4Small2, PublishedNN4Small2])
def test_it_has_as_many_parameters_as_published(kind: type[nn.Module]) -> None:
    assert sum(weight.numel() for weight in kind().parameters()) == 3_733_968
    assert kind(64)(torch.zeros(2, 3, 96, 96)).shape == (2, 64)


def test_the_released_pools_give_the_numbers_of_the_reference() -> None:
    picture, reference = SEEDED.uniform(0, 1, (3, 96, 96)).astype(np.float32), Reference()
    wanted = reference.run(picture)
    network = poured(NN4Small2(), reference.arrays)
    with torch.inference_mode():
        found = network(torch.from_numpy(picture)[None]).numpy()
        other = poured(PublishedNN4Small2(), reference.arrays)(torch.from_numpy(picture)[None])
    np.testing.assert_allclose(found[0], wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.abs(other.numpy()[0] - wanted).max() > 1e-2 * np.abs(wanted).max()
    # the other way of reading the same file, which serves
    session = Session(serialize(openface.graph(reference.arrays)))
    poured_ = session.run({"picture": picture[None]})[0]
    np.testing.assert_allclose(found, poured_, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("kind", [NN4Small2, PublishedNN4Small2])
def test_it_learns_and_leaves_as_onnx(kind: type[nn.Module]) -> None:
    network = kind()
    network(torch.zeros(2, 3, 96, 96)).square().mean().backward()
    # a window of nothing has a root without a slope
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())
    _, apart = onnx_of(Exported(network, torch.rand(2, 3, 96, 96), {}))
    assert apart <= CLOSE
