"""RetinaFace's forms of 1 MB with random weights against the same layers in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from facelign.errors import WeightsCorrupt
from facelign.models.convert.graph import serialize
from facelign.models.convert.retinaface_slim import graph
from facelign.runtime.onnx import Session

CHANCE = np.random.default_rng(7)


class Net:
    """Makes weights as it goes, and uses them."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}

    def conv(
        self, x: Any, name: str, out: int, kernel: int = 1, stride: int = 1, groups: int = 1,
        norm: str = "", bias: bool = False, far: int = 1,
    ) -> Any:  # fmt: skip
        into = x.shape[0]
        fan = into // groups * kernel * kernel
        weight = CHANCE.normal(0, (2 / fan) ** 0.5, (out, into // groups, kernel, kernel))
        self.arrays[f"{name}.weight"] = weight = weight.astype(np.float32)
        edge, side = kernel // 2 * far, (kernel - 1) * far + 1
        wide = np.pad(x, ((0, 0), (edge, edge), (edge, edge)))
        windows = sliding_window_view(wide, (side, side), (1, 2))[:, ::stride, ::stride]
        windows = windows[..., ::far, ::far]
        if groups == 1:
            y = np.einsum("oikl,ihwkl->ohw", weight, windows, optimize=True)
        else:
            y = np.einsum("okl,ohwkl->ohw", weight[:, 0], windows)
        if bias:
            self.arrays[f"{name}.bias"] = shift = CHANCE.normal(0, 0.1, out).astype(np.float32)
            y = y + shift[:, None, None]
        if norm:
            gain, offset, mean = (CHANCE.normal(m, 0.1, out) for m in (1, 0, 0))
            spread = CHANCE.uniform(0.5, 1.5, out)
            parts = {"weight": gain, "bias": offset, "running_mean": mean, "running_var": spread}
            self.arrays |= {f"{norm}.{k}": v.astype(np.float32) for k, v in parts.items()}
            self.arrays[f"{norm}.num_batches_tracked"] = np.array(5)
            factor = (gain / np.sqrt(spread + 1e-5))[:, None, None]
            y = (y - mean[:, None, None]) * factor + offset[:, None, None]
        return y

    def separable(self, x: Any, name: str, out: int, stride: int) -> Any:
        x = self.conv(x, f"{name}.0", len(x), 3, stride, len(x), norm=f"{name}.1").clip(0)
        return self.conv(x, f"{name}.3", out, norm=f"{name}.4").clip(0)

    def spread(self, x: Any, name: str, out: int, stride: int = 1) -> Any:
        x = self.conv(x, f"{name}.0", len(x), 3, stride, len(x), bias=True).clip(0)
        return self.conv(x, f"{name}.2", out, bias=True)

    def plain(self, x: Any, name: str, out: int, kernel: int = 1, far: int = 1) -> Any:
        return self.conv(x, f"{name}.conv", out, kernel, norm=f"{name}.bn", far=far)

    def field(self, x: Any, name: str) -> Any:
        """A receptive field block, as its paper draws it."""
        near, middle, wide = (self.plain(x, f"{name}.branch{i}.0", 8) for i in range(3))
        near = self.plain(near, f"{name}.branch0.1", 16, 3).clip(0)
        near = self.plain(near, f"{name}.branch0.2", 16, 3, far=2)
        middle = self.plain(middle, f"{name}.branch1.1", 16, 3).clip(0)
        middle = self.plain(middle, f"{name}.branch1.2", 16, 3, far=3)
        wide = self.plain(wide, f"{name}.branch2.1", 12, 3).clip(0)
        wide = self.plain(wide, f"{name}.branch2.2", 16, 3).clip(0)
        wide = self.plain(wide, f"{name}.branch2.3", 16, 3, far=5)
        both = self.plain(np.concatenate([near, middle, wide]), f"{name}.ConvLinear", 64)
        return (both + self.plain(x, f"{name}.shortcut", 64)).clip(0)

    def run(self, x: Any, *, field: bool = False) -> list[Any]:
        x = self.conv(x, "conv1.0", 16, 3, 2, norm="conv1.1").clip(0)
        maps = []
        outs = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256)
        for number, out in enumerate(outs, start=2):
            if field and number == 8:
                x = self.field(x, "conv8")
            else:
                x = self.separable(x, f"conv{number}", out, 2 if number in (3, 5, 9, 12) else 1)
            if number in (8, 11, 13):
                maps.append(x)
        x = self.conv(x, "conv14.0", 64, bias=True).clip(0)
        maps.append(self.spread(x, "conv14.2", 256, 2).clip(0))
        results = []
        for head, numbers in (("loc", 4), ("conf", 2), ("landm", 10)):
            rows = []
            for level, (one, anchors) in enumerate(zip(maps, (3, 2, 2, 3), strict=True)):
                name, out = f"{head}.{level}", anchors * numbers
                deep = level == 3
                y = self.conv(one, name, out, 3, bias=True) if deep else self.spread(one, name, out)
                rows.append(y.transpose(1, 2, 0).reshape(-1, numbers))
            results.append(np.concatenate(rows))
        odds = np.exp(results[1] - results[1].max(axis=1, keepdims=True))
        results[1] = odds / odds.sum(axis=1, keepdims=True)
        return results


@pytest.mark.parametrize("field", [False, True], ids=["slim", "rfb"])
def test_the_poured_network_agrees_with_its_layers_in_numpy(field: bool) -> None:
    net, picture = Net(), CHANCE.normal(0, 1, (3, 64, 96)).astype(np.float32)
    expected = net.run(picture, field=field)
    found = Session(serialize(graph(net.arrays))).run({"picture": picture[None]})
    # cells of 8 x 12, 4 x 6, 2 x 3 and, rounded up, 1 x 2
    assert found[0].shape == (1, 96 * 3 + 24 * 2 + 6 * 2 + 2 * 3, 4)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine[0], theirs, rtol=1e-3, atol=1e-3)
    with pytest.raises(WeightsCorrupt, match=r"lacks the array conv5\.3\.weight"):
        graph({k: v for k, v in net.arrays.items() if k != "conv5.3.weight"})
