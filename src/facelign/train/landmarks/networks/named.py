"""The networks of landmarks by name."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from facelign.errors import ConfigError, InputError, WeightsCorrupt
from facelign.files import disk
from facelign.train import checkpoint
from facelign.train.landmarks.config import ModelOptions
from facelign.train.landmarks.networks.heatmap import Heatmap
from facelign.train.landmarks.networks.inception import InceptionBottleneck, RetrainedInception
from facelign.train.landmarks.networks.light import Light
from facelign.train.landmarks.networks.network import LandmarkNetwork
from facelign.train.landmarks.networks.pip import Pip
from facelign.train.landmarks.networks.resnet50 import RetrainedResNet50
from facelign.train.landmarks.networks.retrained import BRANCHES, Retrained
from facelign.train.landmarks.networks.scratch import Scratch

#: px that a network reads where the configuration does not say
SIDES = {"light": 112, "heatmap": 128, "pip": 128}
_ARTICLE_SIDE = 299


def side_of(options: ModelOptions) -> int:
    """Return the side of the square that a network reads, px."""
    return options.side or SIDES.get(options.name, _ARTICLE_SIDE)


def check(options: ModelOptions) -> None:
    """Raise ConfigError or InputError for a network that cannot be made, before data are read."""
    side = side_of(options)
    if options.name == "heatmap" and side % 32:
        raise ConfigError(f"heatmap cannot read {side} px.", "Give a multiple of 32.")
    if options.initial and not Path(options.initial).is_file():
        raise InputError(f"There are no weights at {options.initial}.", "Check model.initial.")


def network_of(options: ModelOptions, mean_face: Tensor) -> LandmarkNetwork:
    """Return a network with random weights, or on ImageNet's where the options name them.

    mean_face: (k, 2) mean of the training points. Raises ConfigError, InputError, WeightsCorrupt.
    """
    check(options)
    k, side = len(mean_face), side_of(options)
    network = _made(options, mean_face, k, side)
    if options.initial:
        if not isinstance(network, Retrained):
            raise ConfigError(
                f"'{options.name}' has no ImageNet weights.", "Leave model.initial empty."
            )
        _initialize(network, Path(options.initial), options.initial_sha256)
    return network


def _made(options: ModelOptions, mean_face: Tensor, k: int, side: int) -> LandmarkNetwork:
    if options.name == "pip":
        return Pip(mean_face, side)
    if options.name == "scratch":
        if not options.kernels or not all(1 <= kernel <= 11 for kernel in options.kernels):
            raise ConfigError("model.kernels holds no kernels.", "Such as [6, 3].")
        return Scratch(k, side, options.kernels)
    if options.name == "inception-bottleneck":
        if not options.branches or set(options.branches) - set(BRANCHES):
            raise ConfigError("model.branches are not known.", f"Known: {', '.join(BRANCHES)}.")
        return InceptionBottleneck(k, side, options.branches)
    if options.name == "inception":
        return RetrainedInception(k, side, options.blocks)
    if options.name == "resnet50":
        return RetrainedResNet50(k, side, options.blocks)
    return {"light": Light, "heatmap": Heatmap}[options.name](k, side)


def _initialize(network: Retrained, path: Path, sha256: str) -> None:
    """Pour a file of torchvision into the backbone; its classes are left out."""
    if sha256 and disk.digest(path) != sha256.lower():
        raise WeightsCorrupt(
            f"{path} does not have the SHA-256 that model.initial_sha256 says.", "Get it again."
        )
    held = checkpoint.load(path)
    wanted = network.backbone.state_dict()
    left = {name: v for name, v in held.items() if name.split(".")[0] not in ("fc", "AuxLogits")}
    # files of before batch counts were kept lack them
    counts = {n: torch.zeros_like(v) for n, v in wanted.items() if n.endswith("batches_tracked")}
    given = {**counts, **left}
    wrong = set(given) ^ set(wanted) or {
        name for name, value in given.items() if value.shape != wanted[name].shape
    }
    if wrong:
        raise WeightsCorrupt(
            f"{path} holds no weights of this network ('{min(wrong)}' does not fit).",
            "Give torchvision's file of it.",
        )
    network.backbone.load_state_dict(given)
