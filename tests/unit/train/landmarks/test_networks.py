"""Networks of landmarks: sizes, read-outs, what is trained, and the names of published files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training

training.needed()

import torch

from facelign.errors import ConfigError, FacelignError, InputError, WeightsCorrupt
from facelign.landmark.models.pipnet import decoded, nearest
from facelign.train import checkpoint
from facelign.train.config import of_table
from facelign.train.export import onnx_of
from facelign.train.landmarks.config import ModelOptions
from facelign.train.landmarks.networks.heatmap import Heatmap
from facelign.train.landmarks.networks.inception import InceptionV3
from facelign.train.landmarks.networks.named import network_of
from facelign.train.landmarks.networks.pip import Pip
from facelign.train.landmarks.networks.resnet50 import ImageNetResNet50
from facelign.train.landmarks.task import LandmarkTask, ReadOut
from facelign.train.task import Exported

MEAN = torch.from_numpy(np.random.default_rng(2).uniform(0, 1, (12, 2)))
NAMES = ("heatmap", "light", "pip", "scratch", "inception-bottleneck", "inception", "resnet50")


def pair(change: str) -> tuple[str, Any]:
    name, value = change.removeprefix("model.").split("=")
    return name, int(value) if value.isdigit() else value


def weights(network: Any) -> int:
    return sum(weight.numel() for weight in network.parameters())


def made(name: str, **more: Any) -> Any:
    side = {"inception": 80, "inception-bottleneck": 80}.get(name, 64)
    return network_of(ModelOptions(name=name, side=side, **more), MEAN)


@pytest.mark.parametrize("name", NAMES)
def test_points_come_one_for_one_and_alone_as_in_a_batch(name: str) -> None:
    torch.manual_seed(1)
    network = made(name).eval()
    pictures = torch.randn(3, 3, network.side, network.side)
    with torch.inference_mode():
        points = network.points(network(pictures))
        alone = network.points(network(pictures[1:2]))
    assert points.shape == (3, 12, 2)
    torch.testing.assert_close(alone[0], points[1], atol=1e-4, rtol=1e-4)
    assert points.isfinite().all()


@pytest.mark.parametrize("name", ["heatmap", "light", "pip", "scratch", "resnet50"])
def test_an_export_gives_the_same_points_in_any_batch(name: str) -> None:
    torch.manual_seed(1)
    network = made(name).eval()
    example = torch.randn(1, 3, network.side, network.side)
    _, apart = onnx_of(Exported(ReadOut(network), example, {}))
    assert apart < 1e-4


@pytest.mark.parametrize("name", ["heatmap", "pip", "light"])
def test_a_network_learns_one_picture_by_heart(name: str) -> None:
    torch.manual_seed(1)
    network = made(name).train()
    picture = torch.randn(2, 3, network.side, network.side)
    true = torch.rand(2, 12, 2) * 0.6 + 0.2
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[0, 3] = False
    true[0, 3] = float("nan")
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(150):
        raw = network(picture)
        loss = (network.points(raw) - true)[mask].abs().mean() * network.weight_of_points()
        own = network.own_loss(raw, true, mask)
        loss = loss if own is None else loss + own
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    apart = (network.points(network(picture)) - true)[mask].abs()
    assert float(apart.detach().median()) < 0.06


def test_a_heat_map_is_read_out_below_its_cells() -> None:
    network = Heatmap(2, 64)
    at = torch.tensor([[0.31, 0.52], [0.77, 0.18]])
    grid = (torch.arange(16) + 0.5) / 16
    apart = (grid[None, None, :] - at[:, 0, None, None]) ** 2
    apart = apart + (grid[None, :, None] - at[:, 1, None, None]) ** 2
    points = network.points(-(apart * 16**2 / 2)[None])
    torch.testing.assert_close(points[0], at, atol=2e-3, rtol=0)
    # the loss on maps is least for the Gaussian around the truth
    true, mask = at[None], torch.ones(1, 2, dtype=torch.bool)
    least = network.own_loss(-(apart * 16**2 / 2)[None], true, mask)
    assert least is not None
    other = network.own_loss(-(apart * 16**2)[None], true, mask)
    assert other is not None
    assert float(least.detach()) < float(other.detach())


def test_cells_and_neighbors_are_read_as_the_published_files_are(tmp_path: Any) -> None:
    torch.manual_seed(3)
    network = Pip(MEAN, 64, near=10)
    path = tmp_path / "mean.txt"
    path.write_text(" ".join(map(repr, MEAN.flatten().tolist())))
    near = nearest(path, 12)
    np.testing.assert_array_equal(network.near.numpy(), near)
    raw = torch.randn(1, 12 * 23, 4, 4)
    parts = [raw[0, :12], raw[0, 12:24], raw[0, 24:36], raw[0, 36:156], raw[0, 156:]]
    wanted = decoded([part.numpy() for part in parts], near)
    np.testing.assert_allclose(network.points(raw)[0].numpy(), wanted, atol=1e-5)


def test_networks_of_imagenet_have_the_published_sizes_and_names() -> None:
    # torchvision's documents: resnet50 25,557,032; inception_v3 27,161,264 of which its auxiliary
    # classes, which are left out here, have 3,326,696
    resnet, inception = ImageNetResNet50(1000), InceptionV3(1000)
    assert weights(resnet) == 25_557_032
    assert weights(inception) == 27_161_264 - 3_326_696
    names = set(resnet.state_dict()) | set(inception.state_dict())
    for name in (
        "layer1.0.downsample.0.weight",
        "layer3.5.bn3.running_var",
        "layer4.2.conv3.weight",
        "fc.bias",
        "Conv2d_1a_3x3.conv.weight",
        "Mixed_5b.branch3x3dbl_3.bn.weight",
        "Mixed_6e.branch7x7dbl_5.conv.weight",
        "Mixed_7c.branch3x3dbl_3b.bn.bias",
    ):
        assert name in names
    with torch.inference_mode():
        assert resnet.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
        assert inception.eval()(torch.zeros(1, 3, 299, 299)).shape == (1, 1000)


@pytest.mark.parametrize(("name", "total"), [("resnet50", 17), ("inception", 16)])
@pytest.mark.parametrize("blocks", [0, 2, 4, -1])
def test_blocks_are_trained_from_the_output_on(name: str, total: int, blocks: int) -> None:
    network = made(name, blocks=blocks).train()
    parts = network.backbone.blocks
    assert len(parts) == total
    learns = [all(w.requires_grad for w in part.parameters()) for part in parts]
    count = total if blocks == -1 else blocks
    assert learns == [False] * (total - count) + [True] * count
    first = next(m for m in parts[0].modules() if isinstance(m, torch.nn.BatchNorm2d))
    before = first.running_mean.clone()
    network(torch.randn(2, 3, network.side, network.side))
    # a frozen block keeps its statistics, too
    assert torch.equal(before, first.running_mean) == (count < total)


def test_files_of_imagenet_are_poured_in_by_name_or_refused(tmp_path: Any) -> None:
    torch.manual_seed(5)
    source = ImageNetResNet50(1000)
    path = tmp_path / "resnet50.pth"
    held = {n: v for n, v in source.state_dict().items() if not n.endswith("batches_tracked")}
    checkpoint.save(path, held)  # as the oldest files are
    network = made("resnet50", initial=str(path))
    for name, value in network.backbone.state_dict().items():
        if name in held:
            assert torch.equal(value, held[name])
    from facelign.files import disk

    made("resnet50", initial=str(path), initial_sha256=disk.digest(path).upper())
    with pytest.raises(WeightsCorrupt, match="SHA-256"):
        made("resnet50", initial=str(path), initial_sha256="0" * 64)
    with pytest.raises(InputError, match="no weights at"):
        made("resnet50", initial=str(tmp_path / "none.pth"))
    with pytest.raises(WeightsCorrupt, match="does not fit"):
        made("inception", initial=str(path))
    with pytest.raises(ConfigError, match="no ImageNet weights"):
        made("light", initial=str(path))
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/x'\ntR.")
    with pytest.raises(InputError, match="no checkpoint"):
        made("resnet50", initial=str(path))


def test_stacks_and_branches_are_options_that_are_checked() -> None:
    joined, alone = weights(made("scratch")), weights(made("scratch", kernels=(3,)))
    assert joined > alone
    three, one = made("inception-bottleneck"), made("inception-bottleneck", branches=("plain",))
    assert three.head.in_features == 3 * one.head.in_features
    with pytest.raises(ConfigError, match="kernels"):
        made("scratch", kernels=(0,))
    with pytest.raises(ConfigError, match="branches"):
        made("inception-bottleneck", branches=("cube",))
    with pytest.raises(ConfigError, match="cannot be retrained"):
        made("inception", blocks=17)
    with pytest.raises(ConfigError, match="multiple of 32"):
        network_of(ModelOptions(side=112), MEAN)
    for change, told in (("model.side=112", "multiple of 32"), ("model.initial=no.pth", "no.pth")):
        config = of_table(
            {"kind": "landmarks", "data": {"more": ["a.csv"]}, "model": dict([pair(change)])}
        )
        assert config.data.more == (str(Path("a.csv").absolute()),)
        with pytest.raises(FacelignError, match=told):  # before anything is read
            LandmarkTask(config)
