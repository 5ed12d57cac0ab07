"""dlib networks: what lies in the files of the descriptor and of the MMOD face detector.

A file does not carry its topology: layers are read along a list that is known beforehand
(``DESCRIPTOR``, ``MMOD``: dlib's published examples, checked against the files, which they consume
to the last byte). dlib nests a network from the loss inwards and every layer writes its version
before what is inside it, so that all versions come first, then the input layer, and then the
details from the input side to the output side.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from facelign.models.convert.dlib_reader import DatReader, corrupt
from facelign.types.arrays import Float64Array

#: dlib's ResNet-29, from the input outwards. A residual block is two convolutions over ``tag1``
#: with the tagged value added; in "down" the first has stride 2 and the shortcut is average-pooled.
_BLOCK = ("tag1", "con", "affine", "relu", "con", "affine")
_SAME = (*_BLOCK, "add_prev1", "relu")
_DOWN = (*_BLOCK, "tag2", "skip1", "avg_pool", "add_prev2", "relu")
DESCRIPTOR = (
    *("con", "affine", "relu", "max_pool"),
    *(_SAME * 3 + _DOWN + _SAME * 3 + _DOWN + _SAME * 2 + _DOWN + _SAME * 2 + _DOWN),
    *("avg_pool", "fc"),
)
MMOD = (*(("con", "affine", "relu") * 6), "con")

#: px; the widest window of a known file is 9, the largest stride 2
LARGEST_WINDOW, LARGEST_STRIDE = 15, 4

#: layers that only mark or fetch a value: they write a version and nothing else
_MARKS = ("tag1", "tag2", "skip1")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: its kind and what was read of it.

    weights: (out, in, rows, columns) of a convolution, (in, out) of "fc". bias, or gain and bias
    of "affine": (channels,). All float64, so that folding loses nothing.
    window, stride, pad: (rows, columns); a window of 0 covers everything.
    """

    kind: str
    weights: Float64Array = field(default_factory=lambda: np.zeros(0))
    bias: Float64Array = field(default_factory=lambda: np.zeros(0))
    window: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Network:
    """Layers from the input to the output, and the color that the input layer subtracts.

    mean: (3,) float64, R, G, B; the network reads (pixel - mean) / 256.
    """

    layers: tuple[Layer, ...]
    mean: Float64Array


def parse_descriptor(data: bytes) -> Network:
    """Return dlib's face descriptor network; raises WeightsCorrupt for anything else."""
    reader = DatReader(data)
    reader.expect(1, "the version of the loss layer")
    if reader.word("a loss layer '{}'", "loss_metric_", "loss_metric_2") == "loss_metric_2":
        reader.pass_reals(2)  # margin and distance threshold, of use in training only
    network = _network(reader, DESCRIPTOR, "input_rgb_image_sized")
    reader.finish()
    return network


@dataclass(frozen=True, slots=True)
class MmodLossOptions:
    """What the MMOD loss layer decides by: window (width, height) px, overlap thresholds."""

    window: tuple[int, int]
    overlap: float
    covered: float


def parse_mmod(data: bytes) -> tuple[Network, MmodLossOptions]:
    """Return dlib's MMOD detector and its options; raises WeightsCorrupt for anything else."""
    reader = DatReader(data)
    reader.expect(1, "the version of the loss layer")
    reader.word("a loss layer '{}'", "loss_mmod_")
    options = _mmod_options(reader)
    network = _network(reader, MMOD, "input_rgb_image_pyramid")
    reader.finish()
    return network, options


def _mmod_options(reader: DatReader) -> MmodLossOptions:
    version = reader.integer()
    if not 1 <= version <= 4:
        raise corrupt(f"version {version} of the detector's options")
    if version > 1:
        reader.expect(1, "the number of sliding windows")
        inner = reader.integer()
        if inner not in (1, 2):
            raise corrupt(f"version {inner} of a sliding window")
    window = _pair(reader, "px of a window")
    if version > 1 and inner == 2:
        reader.text()
    reader.pass_reals(3)  # two loss weights and the overlap that counts as found, for training
    overlap, covered = reader.real(), reader.real()
    reader.pass_reals(2)  # when a box lies in an ignored region: training again
    if version >= 3 and reader.byte() != 1:
        raise corrupt("a detector without an image pyramid")
    if version >= 4:
        if reader.boolean():
            raise corrupt("a detector with box regression")
        reader.real()
    return MmodLossOptions(window, overlap, covered)


def _network(reader: DatReader, kinds: tuple[str, ...], input_name: str) -> Network:
    for kind in reversed(kinds[1:]):
        reader.expect(1 if kind in _MARKS else 2, f"the version of a layer '{kind}'")
    innermost = reader.integer()
    if innermost not in (2, 3):
        raise corrupt(f"version {innermost} of the first layer")
    mean = _input(reader, input_name)
    layers = []
    for index, kind in enumerate(kinds):
        if kind in _MARKS:
            layers.append(Layer(kind))
            continue
        layers.append(replace(_READERS[kind](reader), kind=kind))
        _state(reader)
        if index == 0 and innermost >= 3:
            reader.expect(1, "the sample expansion factor")
    return Network(tuple(layers), mean)


def _state(reader: DatReader) -> None:
    """Read past what a layer keeps of its training: three flags and three tensors."""
    for _ in range(3):
        reader.boolean()
    for _ in range(3):
        reader.tensor()


def _input(reader: DatReader, wanted: str) -> Float64Array:
    name = reader.word("an input layer '{}'", wanted, f"{wanted}2")
    mean = np.array([reader.real() for _ in range(3)])
    if name == "input_rgb_image_sized":
        reader.expect(150, "the height of the input")
        reader.expect(150, "the width of the input")
    elif name == "input_rgb_image_pyramid2":
        reader.expect(10, "the space between the levels")
        reader.expect(11, "the space around the levels")
    return mean


def _convolution(reader: DatReader) -> Layer:
    name = reader.word("a convolution '{}'", "con_4", "con_5", "con_6")
    params = reader.tensor().reshape(-1).astype(np.float64)
    filters = reader.integer()
    window, stride, pad = _pair(reader), _pair(reader), _pair(reader)
    shape, bias_shape = reader.alias(), reader.alias()
    reader.pass_reals(4)  # multipliers of learning rate and weight decay
    use_bias = name == "con_4" or reader.boolean()
    if name == "con_6" and reader.boolean():
        raise corrupt("a convolution with a fused ReLU")
    size = int(np.prod(shape, dtype=object))
    if (
        shape[0] != filters
        or shape[2:] != window
        or min(shape) < 1
        or not _slides(window, stride, pad)
        or bias_shape != (1, filters, 1, 1)
        or len(params) != size + (filters if use_bias else 0)
    ):
        raise corrupt("a convolution whose sizes do not agree")
    bias = params[size:] if use_bias else np.zeros(filters)
    return Layer("con", params[:size].reshape(shape), bias, window, stride, pad)


def _affine(reader: DatReader) -> Layer:
    """Return gain and bias; of a batch normalization, those that its statistics amount to."""
    name = reader.word("an affine layer '{}'", "affine_", "affine_2", "bn_con2", "bn_con")
    params = reader.tensor().reshape(-1).astype(np.float64)
    gain_shape, bias_shape = reader.alias(), reader.alias()
    channels = gain_shape[1]
    if gain_shape != bias_shape or gain_shape != (1, channels, 1, 1) or channels < 1:
        raise corrupt("an affine layer whose sizes do not agree")
    if len(params) != 2 * channels:
        raise corrupt("an affine layer whose sizes do not agree")
    gain, bias = params[:channels], params[channels:]
    if name.startswith("bn_con"):
        gain, bias = _normalization(reader, gain, bias, with_epsilon=name == "bn_con2")
    else:
        reader.integer()  # the mode, convolution or fully connected: the shape has said it
        if name == "affine_2" and reader.boolean():
            raise corrupt("a disabled affine layer")
    return Layer("affine", gain, bias)


def _normalization(
    reader: DatReader, gain: Float64Array, bias: Float64Array, *, with_epsilon: bool
) -> tuple[Float64Array, Float64Array]:
    _means, _deviations = reader.tensor(), reader.tensor()  # of the last batch of the training
    mean = reader.tensor().reshape(-1).astype(np.float64)
    variance = reader.tensor().reshape(-1).astype(np.float64)
    reader.integer(), reader.integer()  # number of updates, averaging window
    reader.pass_reals(4)  # multipliers of learning rate and weight decay
    epsilon = reader.real() if with_epsilon else 1e-4  # dlib's DEFAULT_BATCH_NORM_EPS
    if mean.shape != gain.shape or variance.shape != gain.shape:
        raise corrupt("a batch normalization whose sizes do not agree")
    if (variance + epsilon <= 0).any():
        raise corrupt("a batch normalization with a negative variance")
    gain = gain / np.sqrt(variance + epsilon)
    return gain, bias - gain * mean


def _pooling(reader: DatReader) -> Layer:
    name = reader.word("a pooling layer '{}'", "max_pool_2", "avg_pool_2")
    window, stride, pad = _pair(reader), _pair(reader), _pair(reader)
    if window != (0, 0) and not _slides(window, stride, pad):
        raise corrupt("a pooling layer that cannot be")
    return Layer(name[:-2], window=window, stride=stride, pad=pad)


def _relu(reader: DatReader) -> Layer:
    place = "a layer '{}' in the place of a ReLU"
    if reader.word(place, "relu_", "relu_2") == "relu_2" and reader.boolean():
        raise corrupt(place.format("relu_2"))
    return Layer("relu")


def _sum(reader: DatReader) -> Layer:
    reader.word("a layer '{}' in the place of a sum", "add_prev_")
    return Layer("add_prev")


def _connected(reader: DatReader) -> Layer:
    name = reader.word("a layer '{}' in the place of the last one", "fc_2", "fc_3")
    outputs = reader.count(1 << 16, "outputs")
    inputs = reader.count(1 << 16, "inputs")
    params = reader.tensor().reshape(-1).astype(np.float64)
    reader.alias(), reader.alias()
    reader.expect(1, "the bias mode of the last layer")
    reader.pass_reals(4)  # multipliers of learning rate and weight decay
    if name == "fc_3":
        reader.boolean()
    if inputs * outputs != len(params) or not len(params):
        raise corrupt("a last layer whose sizes do not agree")
    return Layer("fc", params.reshape(inputs, outputs))


def _slides(window: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> bool:
    """Say whether this is a sliding window as networks have them, and not a bomb."""
    return all(
        1 <= w <= LARGEST_WINDOW and 1 <= s <= LARGEST_STRIDE and p < w
        for w, s, p in zip(window, stride, pad, strict=True)
    )


def _pair(reader: DatReader, what: str = "px") -> tuple[int, int]:
    return reader.count(1 << 12, what), reader.count(1 << 12, what)


_READERS = {
    "con": _convolution,
    "affine": _affine,
    "relu": _relu,
    "max_pool": _pooling,
    "avg_pool": _pooling,
    "add_prev1": _sum,
    "add_prev2": _sum,
    "fc": _connected,
}
