"""Networks poured out of Keras's files with random weights, against NumPy, in Keras's own axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.errors import WeightsCorrupt
from facelign.models.convert import (
    deepface,
    deepid,
    facenet,
    ghostfacenet,
    keras_file,
    named_arrays,
    vgg_face,
)
from facelign.models.convert.graph import Graph, serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.specs import Task
from made_weights import keras

SEEDED = np.random.default_rng(61)
Arrays = dict[str, np.ndarray]


class Layers:
    """Layers on one picture (rows, columns, channels); each makes its weights as Keras has them."""

    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self.made: dict[str, int] = {}

    def name(self, kind: str) -> str:
        """Keras's name of a layer without one: the first has no number."""
        number = self.made[kind] = self.made.get(kind, -1) + 1
        return f"{kind}_{number}" if number else kind

    def weight(self, name: str, *shape: int, low: float = -1, high: float = 1) -> np.ndarray:
        value = SEEDED.uniform(low, high, shape).astype(np.float32)
        self.arrays[name] = value
        return value

    def kernel(self, name: str, *shape: int) -> np.ndarray:
        fan = np.prod(shape[:-1])
        return self.weight(name, *shape, low=-((3 / fan) ** 0.5) * 1.4, high=(3 / fan) ** 0.5 * 1.4)

    def conv(self, x, name, out, k, *, stride=1, same=False, bias=False):
        w = self.kernel(f"{name}/kernel", *k, x.shape[2], out)
        y = np.einsum("rcijk,ijko->rco", windows(x, k, stride, same), w, optimize=True)
        return y + self.weight(f"{name}/bias", out) if bias else y

    def depthwise(self, x, name, k, *, stride=1, same=True):
        w = self.kernel(f"{name}/depthwise_kernel", *k, x.shape[2], 1)
        w *= np.float32(x.shape[2] ** 0.5 / 1.4)
        return np.einsum("rcijk,ijk->rck", windows(x, k, stride, same), w[..., 0], optimize=True)

    def norm(self, x, name, *, factor=True):
        n, eps = x.shape[-1], 1e-3
        g = self.weight(f"{name}/gamma", n, low=0.8, high=1.2) if factor else 1
        b, m = (self.weight(f"{name}/{w}", n) * 0.5 for w in ("beta", "moving_mean"))
        self.arrays[f"{name}/beta"] = b
        self.arrays[f"{name}/moving_mean"] = m
        v = self.weight(f"{name}/moving_variance", n, low=0.5, high=1.5)
        return g * (x - m) / np.sqrt(v + eps) + b

    def slope(self, x):
        a = self.weight(f"{self.name('activation')}/alpha", 1, 1, x.shape[-1], low=0, high=0.5)
        return np.where(x > 0, x, a * x)

    def dense(self, x, name, out, *, bias=True):
        y = x @ self.kernel(f"{name}/kernel", len(x), out)
        return y + self.weight(f"{name}/bias", out) if bias else y

    def local(self, x, name, k, out, stride=1):
        seen = windows(x, (k, k), stride, False)
        rows, columns = seen.shape[:2]
        w = self.kernel(f"{name}/kernel", rows * columns, k * k * x.shape[2], out)
        w *= np.float32((rows * columns) ** 0.5)
        y = np.einsum("pd,pdo->po", seen.reshape(rows * columns, -1), w, optimize=True)
        return y.reshape(rows, columns, out) + self.weight(f"{name}/bias", rows, columns, out)


def windows(x, k, stride, same, value=0.0):
    """(rows, columns, k, k, channels); same: Keras's edges, more at the end."""
    if same:
        lacks = [
            max((-(-n // stride) - 1) * stride + s - n, 0) for n, s in zip(x.shape, k, strict=False)
        ]
        x = np.pad(x, [(n // 2, n - n // 2) for n in lacks] + [(0, 0)], constant_values=value)
    every = np.lib.stride_tricks.sliding_window_view(x, k, axis=(0, 1))
    return every[::stride, ::stride].transpose(0, 1, 3, 4, 2)


def largest(x, k, stride, same=False):
    return windows(x, (k, k), stride, same, -np.inf).max((2, 3))


def relu(x):
    return np.maximum(x, 0)


def given(made: Graph, picture: np.ndarray) -> np.ndarray:
    batch = np.stack([picture, picture[:, ::-1]]).transpose(0, 3, 1, 2).astype(np.float32)
    found = Session(serialize(made)).run({"picture": np.ascontiguousarray(batch)})[0]
    assert len(found) == 2
    return found[0]


def near(found: np.ndarray, wanted: np.ndarray) -> None:
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted.ravel(), atol=3e-4 * np.abs(wanted).max())


def deepid_by_numpy(x: np.ndarray) -> tuple[np.ndarray, Arrays]:
    net = Layers()
    for name, k, out in (("Conv1", 4, 20), ("Conv2", 3, 40), ("Conv3", 3, 60)):
        x = largest(relu(net.conv(x, name, out, (k, k), bias=True)), 2, 2)
    one = net.dense(x.ravel(), "fc11", 160)
    two = relu(net.conv(x, "Conv4", 80, (2, 2), bias=True))
    return relu(one + net.dense(two.ravel(), "fc12", 160)), net.arrays


def test_deepid() -> None:
    picture = SEEDED.uniform(0, 1, (55, 47, 3)).astype(np.float32)
    wanted, arrays = deepid_by_numpy(picture)
    near(given(deepid.graph(keras_file.as_torch(arrays)), picture), wanted)


def test_deepface_in_small() -> None:
    picture, net = SEEDED.uniform(0, 1, (92, 92, 3)).astype(np.float32), Layers()
    x = relu(net.conv(picture, "C1", 32, (11, 11), bias=True))
    x = relu(net.conv(largest(x, 3, 2, same=True), "C3", 16, (9, 9), bias=True))
    x = relu(net.local(x, "L4", 9, 16))
    x = relu(net.local(x, "L5", 7, 16, 2))
    x = relu(net.local(x, "L6", 5, 16))
    wanted = relu(net.dense(x.ravel(), "F7", 24))
    net.arrays |= {"F8/kernel": np.zeros((24, 3)), "F8/bias": np.zeros(3)}
    near(given(deepface.graph(net.arrays, 92, 24), picture), wanted)
    del net.arrays["L5/bias"]
    with pytest.raises(WeightsCorrupt, match=r"lacks the array L5\.bias"):
        deepface.graph(net.arrays, 92, 24)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("people", [False, True])
def test_vgg_face_in_small(dense: bool, people: bool) -> None:
    form = vgg_face.Form(64, (4, 6, 8, 10, 12), 40, 7)
    picture, net = SEEDED.uniform(-100, 100, (64, 64, 3)).astype(np.float32), Layers()
    x, number = picture, 0
    for width, depth in zip(form.widths, (2, 2, 3, 3, 3), strict=True):
        for _ in range(depth):
            number += 1
            x = relu(net.conv(x, f"conv2d_{number}", width, (3, 3), same=True, bias=True))
        x = largest(x, 2, 2)
    if dense:
        x = relu(net.dense(x.ravel(), "fc6", 40))
        fc7 = relu(net.dense(x, "fc7", 40))
        fc8 = net.dense(fc7, "fc8", 7)
    else:
        x = relu(net.conv(x, f"conv2d_{number + 1}", 40, (2, 2), bias=True))
        fc7 = relu(net.conv(x, f"conv2d_{number + 2}", 40, (1, 1), bias=True))
        fc8 = net.conv(fc7, f"conv2d_{number + 3}", 7, (1, 1), bias=True)
    near(given(vgg_face.graph(net.arrays, form, people=people), picture), fc8 if people else fc7)
    short = {k: v for k, v in net.arrays.items() if not k.startswith(("conv2d_1/", "conv2d_2/"))}
    with pytest.raises(WeightsCorrupt, match="layers with weights"):
        vgg_face.graph(short, form)


def ghost_by_numpy(picture: np.ndarray) -> tuple[np.ndarray, Arrays]:
    net = Layers()

    def conv(x, out, k=1, *, same=False):
        x = net.conv(x, net.name("conv2d"), out, (k, k), same=same)
        return net.norm(x, net.name("batch_normalization"))

    def depthwise(x, k, stride=1):
        x = net.depthwise(x, net.name("depthwise_conv2d"), (k, k), stride=stride)
        return net.norm(x, net.name("batch_normalization"))

    def ghost(x, out, active):
        x = conv(x, out // 2)
        x = net.slope(x) if active else x
        y = depthwise(x, 3)
        return np.concatenate([x, net.slope(y) if active else y], 2)

    def gate(x, between):
        y = x.mean((0, 1), keepdims=True)
        y = net.slope(net.conv(y, net.name("conv2d"), between, (1, 1), bias=True))
        y = net.conv(y, net.name("conv2d"), x.shape[2], (1, 1), bias=True)
        net.name("activation")  # the gate's own has no weights, and a number
        return x * np.clip(0.2 * y + 0.5, 0, 1)

    # HamadYA's lists, each brought to a multiple of four at width 1.3
    kernels = [3, 3, 3, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5, 5, 5]
    betweens = [20, 64, 92, 92, 156, 312, 260, 240, 240, 624, 872, 872, 1248, 1248, 1248, 664]
    outs = [20, 32, 32, 52, 52, 104, 104, 104, 104, 144, 144, 208, 208, 208, 208, 208]
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    gates = [0, 0, 0, 24, 40, 0, 0, 0, 0, 156, 220, 220, 0, 312, 0, 168]
    x = net.slope(conv(picture, 20, 3, same=True))
    for k, between, out, stride, gated in zip(kernels, betweens, outs, strides, gates, strict=True):
        y = ghost(x, between, True)
        y = depthwise(y, k, stride) if stride > 1 else y
        y = gate(y, gated) if gated else y
        y = ghost(y, out, False)
        if stride > 1 or out != x.shape[2]:
            x = conv(depthwise(x, k, stride), out)
        x = x + y
    x = net.slope(conv(x, 664))
    x = net.norm(net.depthwise(x, "GDC_dw", (7, 7), same=False), "GDC_batchnorm")
    x = net.conv(x, "GDC_conv", 512, (1, 1), bias=True)
    return net.norm(x, "pre_embedding"), net.arrays


def test_ghostfacenet() -> None:
    picture = SEEDED.uniform(-1, 1, (112, 112, 3)).astype(np.float32)
    wanted, arrays = ghost_by_numpy(picture)
    near(given(ghostfacenet.graph(keras_file.as_torch(arrays)), picture), wanted)
    # "about 4 million" (its paper; 4.09 by deepface's file of 16.5 MB)
    trained = sum(v.size for k, v in arrays.items() if "moving" not in k)
    assert 4.0e6 < trained < 4.2e6
    less = {k: v for k, v in arrays.items() if not k.startswith("depthwise_conv2d_5/")}
    with pytest.raises(WeightsCorrupt, match=r"too few layers of the kind depthwise|has the shape"):
        ghostfacenet.graph(keras_file.as_torch(less))


def facenet_by_numpy(picture: np.ndarray, numbered: bool) -> tuple[np.ndarray, Arrays]:
    """numbered: branches counted as deepface does."""
    net = Layers()

    def layer(x, name, out, k, stride=1, same=True):
        x = net.conv(x, name, out, k, stride=stride, same=same)
        return relu(net.norm(x, f"{name}_BatchNorm", factor=False))

    def block(x, kind, number, scale, paths, last=False):
        ends = []
        for i, path in enumerate(paths):
            y = x
            for j, (out, k) in enumerate(path):
                size = f"{k[0]}x{k[1]}"
                which = number if numbered and i and kind != "Block35" else i
                step = f"0{'abc'[j]}_" if len(path) > 1 else ""
                y = layer(y, f"{kind}_{number}_Branch_{which}_Conv2d_{step}{size}", out, k)
            ends.append(y)
        up = np.concatenate(ends, 2)
        up = net.conv(up, f"{kind}_{number}_Conv2d_1x1", x.shape[2], (1, 1), bias=True)
        return x + up * scale if last else relu(x + up * scale)

    one, three = (1, 1), (3, 3)
    x = picture - picture.mean()
    x = x / max(picture.std(), 1 / np.sqrt(picture.size))
    x = layer(x, "Conv2d_1a_3x3", 32, three, 2, False)
    x = layer(x, "Conv2d_2a_3x3", 32, three, 1, False)
    x = largest(layer(x, "Conv2d_2b_3x3", 64, three), 3, 2)
    x = layer(x, "Conv2d_3b_1x1", 80, one, 1, False)
    x = layer(x, "Conv2d_4a_3x3", 192, three, 1, False)
    x = layer(x, "Conv2d_4b_3x3", 256, three, 2, False)
    for i in range(1, 6):
        paths = [[(32, one)], [(32, one), (32, three)], [(32, one), (32, three), (32, three)]]
        x = block(x, "Block35", i, 0.17, paths)
    a = layer(x, "Mixed_6a_Branch_0_Conv2d_1a_3x3", 384, three, 2, False)
    b = layer(x, "Mixed_6a_Branch_1_Conv2d_0a_1x1", 192, one)
    b = layer(b, "Mixed_6a_Branch_1_Conv2d_0b_3x3", 192, three)
    b = layer(b, "Mixed_6a_Branch_1_Conv2d_1a_3x3", 256, three, 2, False)
    x = np.concatenate([a, b, largest(x, 3, 2)], 2)
    for i in range(1, 11):
        paths = [[(128, one)], [(128, one), (128, (1, 7)), (128, (7, 1))]]
        x = block(x, "Block17", i, 0.1, paths)
    a = layer(x, "Mixed_7a_Branch_0_Conv2d_0a_1x1", 256, one)
    a = layer(a, "Mixed_7a_Branch_0_Conv2d_1a_3x3", 384, three, 2, False)
    b = layer(x, "Mixed_7a_Branch_1_Conv2d_0a_1x1", 256, one)
    b = layer(b, "Mixed_7a_Branch_1_Conv2d_1a_3x3", 256, three, 2, False)
    c = layer(x, "Mixed_7a_Branch_2_Conv2d_0a_1x1", 256, one)
    c = layer(c, "Mixed_7a_Branch_2_Conv2d_0b_3x3", 256, three)
    c = layer(c, "Mixed_7a_Branch_2_Conv2d_1a_3x3", 256, three, 2, False)
    x = np.concatenate([a, b, c, largest(x, 3, 2)], 2)
    for i in range(1, 7):
        paths = [[(192, one)], [(192, one), (192, (1, 3)), (192, (3, 1))]]
        x = block(x, "Block8", i, 1.0 if i == 6 else 0.2, paths, last=i == 6)
    x = net.dense(x.mean((0, 1)), "Bottleneck", 128, bias=False)
    return net.norm(x, "Bottleneck_BatchNorm", factor=False), net.arrays


@pytest.mark.parametrize("numbered", [False, True])
def test_facenet_of_2017(numbered: bool) -> None:
    picture = SEEDED.uniform(0, 255, (160, 160, 3)).astype(np.float32)
    wanted, arrays = facenet_by_numpy(picture, numbered)
    made = facenet.graph(keras_file.as_torch(arrays), facenet.DIM_2017, whitened=True)
    near(given(made, picture), wanted)
    with pytest.raises(WeightsCorrupt, match=r"last_linear\.weight has the shape"):
        facenet.graph(keras_file.as_torch(arrays))


def test_a_file_is_imported_and_gives_what_numpy_gives(tmp_path: Path) -> None:
    picture = SEEDED.uniform(0, 1, (55, 47, 3)).astype(np.float32)
    wanted, arrays = deepid_by_numpy(picture)
    file = tmp_path / "deepid_keras_weights.h5"
    file.write_bytes(keras(arrays))
    store, spec = Store(tmp_path / "home"), models.default().spec(Task.EMBED, "deepid")
    assert store.take(spec, file)[2]
    (made,) = store.ready(spec).values()
    found = Session(made).run({"picture": picture.transpose(2, 0, 1)[None]})[0]
    near(found[0], wanted)


def test_a_zip_of_one_file_is_opened(tmp_path: Path) -> None:
    import zipfile

    data = keras({"C1/bias": np.arange(3, dtype=np.float32)})
    with zipfile.ZipFile(tmp_path / "w.h5.zip", "w") as archive:
        archive.writestr("weights.h5", data)
    assert named_arrays.read(tmp_path / "w.h5.zip")["C1.bias"].tolist() == [0, 1, 2]
    with zipfile.ZipFile(tmp_path / "w.h5.zip", "a") as archive:
        archive.writestr("more.h5", data)
    with pytest.raises(WeightsCorrupt, match="else than one file"):
        keras_file.read(tmp_path / "w.h5.zip")
