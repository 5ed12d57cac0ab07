"""``resnet50``: ResNet-50 without its classes and a linear layer, some of its blocks retrained.

The layers are those of the embedder (``train/recognizer/networks/resnet50.py``) without its last
normalization; ImageNet files of torchvision load. Article A2 trains none and two blocks, at
299 px.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from facelign.train.landmarks.networks.retrained import Retrained
from facelign.train.recognizer.networks.resnet50 import ResNet50


class ImageNetResNet50(ResNet50):
    """The network of ImageNet: ``forward`` gives its pooled features (n, 2048)."""

    features = 2048

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.last_bn = nn.Identity()
        self.fc: nn.Module = nn.Linear(2048, classes) if classes else nn.Identity()

    @property
    def blocks(self) -> list[nn.Module]:
        """Its blocks from the input on: the stem, then 16 bottlenecks."""
        stem: list[nn.Module] = [nn.ModuleList([self.conv1, self.bn1])]
        layers: list[Any] = [self.get_submodule(f"layer{number}") for number in range(1, 5)]
        return stem + [block for layer in layers for block in layer]

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, 2048), or logits where it has classes."""
        out: Tensor = self.fc(super().forward(x))
        return out


class RetrainedResNet50(Retrained):
    """ResNet-50 with coordinates for its classes; ``blocks`` of it are trained, from the output."""

    def __init__(self, k: int, side: int = 299, blocks: int = 2) -> None:
        super().__init__(ImageNetResNet50(), k, side, blocks)
