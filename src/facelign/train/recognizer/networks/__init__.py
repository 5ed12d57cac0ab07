"""The networks that can be trained as embedders, by name: a file each, known without PyTorch.

A network takes (n, 3, h, w) float32, pixels as its record says, and gives (n, dim) float32 of any
length. Parameters are called as upstream calls them, so that published checkpoints load.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from facelign.errors import ConfigError
from facelign.types.specs import InputSpec

if TYPE_CHECKING:
    from torch import nn

_HERE = "facelign.train.recognizer.networks"
_INSIGHT = InputSpec(size=(112, 112), mean=(127.5,) * 3, std=(127.5,) * 3)
_FACENET = InputSpec(size=(160, 160), mean=(127.5,) * 3, std=(128.0,) * 3)
_OPENFACE = InputSpec(size=(96, 96), std=(255.0,) * 3)
_NN4 = "Schroff et al.: FaceNet, CVPR 2015 (NN4); Amos et al.: OpenFace, CMU-CS-16-118, 2016"
# ImageNet's mean and spread of RGB in 0..1 (torchvision's figures), here for 0..255
_IMAGENET = InputSpec(
    size=(112, 112),
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What is known of a network before it is built.

    entry: "module:Class", made with the length of the vector. dim: that length as published.
    free_dim: whether another may be asked for. input: size and scale of the pixels it was published
    with. layout: id of the chips. parameters: count at ``dim``. paper, origin: where it is defined.
    """

    id: str
    entry: str
    dim: int
    input: InputSpec
    layout: str
    parameters: int
    paper: str
    origin: str = ""
    free_dim: bool = True

    def build(self, dim: int = 0) -> nn.Module:
        """Return the network with fresh weights; dim: length of the vector, 0 as published."""
        self.check_dim(dim)
        module, _, name = self.entry.partition(":")
        made: nn.Module = getattr(import_module(module), name)(dim or self.dim)
        return made

    def check_dim(self, dim: int) -> None:
        """Raise ConfigError for a length of the vector that this network cannot have."""
        if dim not in (0, self.dim) and not self.free_dim:
            raise ConfigError(
                f"The network '{self.id}' gives {self.dim} numbers, not {dim}.",
                "Leave the length out, or take another network.",
            )


def _iresnet(layers: int, parameters: int) -> NetworkSpec:
    return NetworkSpec(
        f"iresnet{layers}",
        f"{_HERE}.iresnet:iresnet{layers}",
        512,
        _INSIGHT,
        "arcface-112",
        parameters,
        "Duta et al.: Improved residual networks, ICPR 2020; Deng et al.: ArcFace, CVPR 2019",
        "deepinsight/insightface recognition/arcface_torch/backbones/iresnet.py",
    )


_ALL = (
    NetworkSpec(
        "small",
        f"{_HERE}.small:Small",
        128,
        _INSIGHT,
        "arcface-112",
        511_824,
        "a residual network for processors without a GPU, of this project",
    ),
    NetworkSpec(
        "mobilefacenet",
        f"{_HERE}.mobilefacenet:PlainMobileFaceNet",
        128,
        _INSIGHT,
        "arcface-112",
        1_003_136,
        "Chen et al.: MobileFaceNets, CCBR 2018 (0.99 million parameters)",
        "TreB1eN/InsightFace_Pytorch model.py (names of parameters)",
    ),
    NetworkSpec(
        "mobilefacenet-wide",
        f"{_HERE}.mobilefacenet:WideMobileFaceNet",
        512,
        _INSIGHT,
        "arcface-112",
        2_059_520,
        "Chen et al.: MobileFaceNets, CCBR 2018, twice as wide",
        "deepinsight/insightface recognition/arcface_torch/backbones/mobilefacenet.py (mbf)",
    ),
    NetworkSpec(
        "resnet50",
        f"{_HERE}.resnet50:ResNet50",
        2048,
        _IMAGENET,
        "arcface-112",
        23_508_032 + 4_096,
        "He et al.: Deep residual learning, CVPR 2016, without its last layer",
        "pytorch/vision torchvision/models/resnet.py (names of parameters)",
        free_dim=False,
    ),
    _iresnet(18, 24_025_600),
    _iresnet(34, 34_139_328),
    _iresnet(50, 43_590_848),
    _iresnet(100, 65_156_160),
    NetworkSpec(
        "inception-resnet-v1",
        f"{_HERE}.inception_resnet_v1:InceptionResnetV1",
        512,
        _FACENET,
        "crop",
        23_482_624,
        "Szegedy et al.: Inception-v4, AAAI 2017; Schroff et al.: FaceNet, CVPR 2015",
        "timesler/facenet-pytorch models/inception_resnet_v1.py",
    ),
    NetworkSpec(
        "nn4-small2",
        f"{_HERE}.nn4_small2:NN4Small2",
        128,
        _OPENFACE,
        "openface-96",
        3_733_968,
        _NN4,
        "cmusatyalab/openface nn4.small2.v1, with the pools that its weights were trained with",
    ),
    NetworkSpec(
        "nn4-small2-published",
        f"{_HERE}.nn4_small2:PublishedNN4Small2",
        128,
        _OPENFACE,
        "openface-96",
        3_733_968,
        _NN4,
        "cmusatyalab/openface nn4.small2, with the pools of the papers",
    ),
)

NETWORKS: Mapping[str, NetworkSpec] = {spec.id: spec for spec in _ALL}


def network_spec(name: str) -> NetworkSpec:
    """Return the record of a network; raises ConfigError, which says the near names."""
    found = NETWORKS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, NETWORKS, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(NETWORKS)}."
        raise ConfigError(f"There is no network '{name}'.", hint)
    return found
