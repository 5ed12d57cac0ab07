"""OpenFace's nn4.small2 by the words of its publisher, written down in NumPy."""

from __future__ import annotations

import numpy as np

SEEDED = np.random.default_rng(9)


class Reference:
    """The network by the words of its publisher; it makes its weights."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def layer(
        self, x: np.ndarray, conv: str, norm: str, out: int, kernel: int = 1, stride: int = 1
    ) -> np.ndarray:
        weight = SEEDED.standard_normal((out, len(x), kernel, kernel)).astype(np.float32)
        weight *= np.float32((2 / weight[0].size) ** 0.5)
        bias, g, b, m, s = (SEEDED.uniform(0.5, 1.0, out).astype(np.float32) for _ in range(5))
        self.arrays |= {f"{conv}.weight": weight, f"{conv}.bias": bias}
        self.arrays |= {f"{norm}.weight": g, f"{norm}.bias": b}
        self.arrays |= {f"{norm}.running_mean": m, f"{norm}.running_var": s}
        pad = kernel // 2
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        seen = _windows(padded, kernel, stride)
        y = np.einsum("chwij,ocij->ohw", seen, weight, optimize=True) + bias[:, None, None]
        g, b, m, s = (v[:, None, None] for v in (g, b, m, s))
        return np.maximum(g * (y - m) / np.sqrt(s + 1e-5) + b, 0)

    def inception(
        self,
        x: np.ndarray,
        name: str,
        convolutions: dict[int, tuple[int, int]],
        pool: str,
        pooled: int = 0,
        single: int = 0,
        stride: int = 1,
    ) -> np.ndarray:
        name = f"{name}.seq_list"
        ends = []
        for i, (kernel, (between, out)) in enumerate(convolutions.items()):
            y = self.layer(x, f"{name}.{i}.1_conv", f"{name}.{i}.2_bn", between)
            y = self.layer(y, f"{name}.{i}.4_conv", f"{name}.{i}.5_bn", out, kernel, stride)
            ends.append(y)
        i = len(convolutions)
        y = (
            _windows(x, 3, 2).max((3, 4))
            if pool == "max"
            else np.sqrt((_windows(x, 3, 3) ** 2).sum((3, 4)))
        )
        if pooled:
            y = self.layer(y, f"{name}.{i}.2_conv", f"{name}.{i}.3_bn", pooled)
        wide = np.zeros((len(y), *ends[0].shape[1:]))
        at = (wide.shape[1] - y.shape[1]) // 2
        wide[:, at : at + y.shape[1], at : at + y.shape[2]] = y
        ends.append(wide)
        if single:
            i += 1
            ends.append(self.layer(x, f"{name}.{i}.1_conv", f"{name}.{i}.2_bn", single))
        return np.concatenate(ends)

    def run(self, x: np.ndarray) -> np.ndarray:
        x = _evened(_halved(self.layer(x, "layer1", "layer2", 64, 7, 2)))
        x = self.layer(x, "layer6", "layer7", 64)
        x = _halved(_evened(self.layer(x, "layer9", "layer10", 192, 3)))
        x = self.inception(x, "layer14", {3: (96, 128), 5: (16, 32)}, "max", 32, 64)
        x = self.inception(x, "layer15", {3: (96, 128), 5: (32, 64)}, "norm", 64, 64)
        x = self.inception(x, "layer16", {3: (128, 256), 5: (32, 64)}, "max", stride=2)
        x = self.inception(x, "layer17", {3: (96, 192), 5: (32, 64)}, "norm", 128, 256)
        x = self.inception(x, "layer18", {3: (160, 256), 5: (64, 128)}, "max", stride=2)
        x = self.inception(x, "layer19", {3: (96, 384)}, "norm", 96, 256)
        x = self.inception(x, "layer21", {3: (96, 384)}, "max", 96, 256).mean((1, 2))
        matrix = SEEDED.standard_normal((128, 736)).astype(np.float32) / 27
        bias = SEEDED.standard_normal(128).astype(np.float32)
        self.arrays |= {"layer25.weight": matrix, "layer25.bias": bias}
        return matrix @ x + bias


def _windows(x: np.ndarray, side: int, step: int) -> np.ndarray:
    every = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    return every[:, ::step, ::step]


def _halved(x: np.ndarray) -> np.ndarray:
    return _windows(np.pad(x, ((0, 0), (1, 1), (1, 1))), 3, 2).max((3, 4))


def _evened(x: np.ndarray) -> np.ndarray:
    """Local response normalization over five channels."""
    squares = np.pad(x**2, ((2, 2), (0, 0), (0, 0)))
    around = sum(squares[i : i + len(x)] for i in range(5))
    return x / (1 + 1e-4 / 5 * around) ** 0.75
