"""FaceNet poured with random weights, against its layers written down in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import facenet
from facelign.models.convert.graph import serialize
from facelign.runtime.onnx import Session

Arrays = dict[str, np.ndarray]
SEEDED = np.random.default_rng(8)


class Reference:
    """The network by the words of its paper and of the file's names; it makes its weights."""

    def __init__(self) -> None:
        self.arrays: Arrays = {}

    def layer(self, x: np.ndarray, name: str, out: int, kernel: str, stride: int = 1) -> np.ndarray:
        """kernel: rows x columns, and ``v`` for a map that gets smaller by it."""
        rows, columns = (int(part) for part in kernel.rstrip("v").split("x"))
        weight = SEEDED.standard_normal((out, x.shape[0], rows, columns)).astype(np.float32)
        weight *= np.float32((2 / weight[0].size) ** 0.5)
        norm = {
            "weight": SEEDED.uniform(0.8, 1.2, out), "bias": SEEDED.standard_normal(out) / 10,
            "running_mean": SEEDED.standard_normal(out) / 10,
            "running_var": SEEDED.uniform(0.8, 1.2, out),
        }  # fmt: skip
        self.arrays[f"{name}.conv.weight"] = weight
        self.arrays |= {f"{name}.bn.{k}": v.astype(np.float32) for k, v in norm.items()}
        self.arrays[f"{name}.bn.num_batches_tracked"] = np.array(1)
        pad = (0, 0) if kernel.endswith("v") else (rows // 2, columns // 2)
        y = _correlated(x, weight, stride, pad)
        g, b, m, s = (v[:, None, None] for v in norm.values())
        return np.maximum(g * (y - m) / np.sqrt(s + 1e-3) + b, 0)

    def branches(self, x: np.ndarray, name: str, *paths: str) -> list[np.ndarray]:
        """path: layers as ``32:1x1`` or ``32:3x3v/2``, one after another."""
        ends = []
        for i, path in enumerate(paths):
            y, layers = x, path.split()
            for j, layer in enumerate(layers):
                out, _, form = layer.partition(":")
                kernel, _, stride = form.partition("/")
                own = f"{name}.branch{i}" if len(layers) == 1 else f"{name}.branch{i}.{j}"
                y = self.layer(y, own, int(out), kernel, int(stride or 1))
            ends.append(y)
        return ends

    def block(
        self, x: np.ndarray, name: str, scale: float, *paths: str, relu: bool = True
    ) -> np.ndarray:
        joined = np.concatenate(self.branches(x, name, *paths))
        weight = SEEDED.standard_normal((len(x), len(joined), 1, 1)).astype(np.float32)
        weight *= np.float32(len(joined) ** -0.5)
        bias = SEEDED.standard_normal(len(x)).astype(np.float32)
        self.arrays |= {f"{name}.conv2d.weight": weight, f"{name}.conv2d.bias": bias}
        y = (_correlated(joined, weight, 1, (0, 0)) + bias[:, None, None]) * scale + x
        return np.maximum(y, 0) if relu else y

    def run(self, x: np.ndarray) -> np.ndarray:
        x = self.layer(x, "conv2d_1a", 32, "3x3v", 2)
        x = self.layer(x, "conv2d_2a", 32, "3x3v")
        x = self.layer(x, "conv2d_2b", 64, "3x3")
        x = self.layer(_largest(x), "conv2d_3b", 80, "1x1")
        x = self.layer(x, "conv2d_4a", 192, "3x3v")
        x = self.layer(x, "conv2d_4b", 256, "3x3v", 2)
        paths = ("32:1x1", "32:1x1 32:3x3", "32:1x1 32:3x3 32:3x3")
        for i in range(5):
            x = self.block(x, f"repeat_1.{i}", 0.17, *paths)
        halves = self.branches(x, "mixed_6a", "384:3x3v/2", "192:1x1 192:3x3 256:3x3v/2")
        x = np.concatenate([*halves, _largest(x)])
        for i in range(10):
            x = self.block(x, f"repeat_2.{i}", 0.1, "128:1x1", "128:1x1 128:1x7 128:7x1")
        thirds = ("256:1x1 384:3x3v/2", "256:1x1 256:3x3v/2", "256:1x1 256:3x3 256:3x3v/2")
        x = np.concatenate([*self.branches(x, "mixed_7a", *thirds), _largest(x)])
        last = ("192:1x1", "192:1x1 192:1x3 192:3x1")
        for i in range(5):
            x = self.block(x, f"repeat_3.{i}", 0.2, *last)
        x = self.block(x, "block8", 1.0, *last, relu=False).mean(axis=(1, 2))
        dense = SEEDED.standard_normal((512, 1792)).astype(np.float32) / 42
        norm = [SEEDED.uniform(0.5, 1.5, 512).astype(np.float32) for _ in range(4)]
        parts = ("weight", "bias", "running_mean", "running_var")
        self.arrays["last_linear.weight"] = dense
        self.arrays |= {f"last_bn.{k}": v for k, v in zip(parts, norm, strict=True)}
        self.arrays |= {"logits.weight": np.zeros((3, 512)), "logits.bias": np.zeros(3)}
        g, b, m, s = norm
        return g * (dense @ x - m) / np.sqrt(s + 1e-3) + b


def _correlated(x: np.ndarray, weight: np.ndarray, stride: int, pad: tuple[int, int]) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    seen = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    return np.einsum("chwij,ocij->ohw", seen[:, ::stride, ::stride], weight, optimize=True)


def _largest(x: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max((3, 4))


def test_the_poured_network_is_that_of_the_paper() -> None:
    picture, reference = SEEDED.uniform(-1, 1, (3, 160, 160)).astype(np.float32), Reference()
    wanted = reference.run(picture)
    session = Session(serialize(facenet.graph(reference.arrays)))
    found = session.run({"picture": np.stack([picture, picture[:, :, ::-1]])})[0]
    np.testing.assert_allclose(found[0], wanted, atol=2e-4 * np.abs(wanted).max())
    assert np.abs(found[1] - wanted).max() > 1e-2
    short = {k: v for k, v in reference.arrays.items() if k != "block8.branch1.2.bn.bias"}
    with pytest.raises(WeightsCorrupt, match=r"lacks the array block8\.branch1\.2\.bn\.bias"):
        facenet.graph(short)
    turned = reference.arrays["repeat_2.3.branch1.1.conv.weight"].transpose(0, 1, 3, 2)
    with pytest.raises(
        WeightsCorrupt, match=r"repeat_2\.3\.branch1\.1\.conv\.weight has the shape"
    ):
        facenet.graph(reference.arrays | {"repeat_2.3.branch1.1.conv.weight": turned})
