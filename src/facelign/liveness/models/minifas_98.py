"""MiniFAS 98: a small network that tells faces before the camera from prints and screens.

Origin: face-antispoof-onnx (2025), a MiniFASNet trained on CelebA-Spoof with Fourier pictures as
a second target. Input: RGB / 255, a square of 1.5 times the longer side of the box, mirrored at the
photo's edge. Output: two logits, bona fide and attack.

Known limits: one photo at a time, so a good print in good light may pass, and a small or blurred
face may fail; the publisher's figures are of CelebA-Spoof, whose people and cameras it has seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facelign.liveness.by_box import LivenessByBox
from facelign.liveness.crops import mirrored_square
from facelign.runtime.blob import blob_of
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.image import Image

#: side of what the network reads, px, and how many times the longer side of the box that shows
_SIDE, _REACH = 128, 1.5
_REPOSITORY = (
    "https://github.com/VietAnh954/face-antispoof-onnx/raw/b5724af4f4cb336695e81653634e3f354b52f5c1"
)
_README = "face-antispoof-onnx README.md, CelebA-Spoof test"

_FLOAT = specs.ModelSpec.of(
    "minifas-98",
    "facelign.liveness.models.minifas_98:MiniFas98",
    specs.WeightFile.same(
        "minifas_98.onnx",
        sha256="af2381b88f38769222ed93379e12444e2a50814575de1c46170de570c55a42b6",
        size=1_912_594,
        address=f"{_REPOSITORY}/models/best/98.20/best_model.onnx",
    ),
    input=specs.InputSpec(size=(_SIDE, _SIDE), std=(255.0,) * 3),
    output=specs.LivenessOutput(),
    license=specs.License.unclear("Apache-2.0", "CelebA-Spoof (research use)"),
    title="MiniFAS, 98.20 % on CelebA-Spoof, one look at the face",
    paper="the data: Zhang et al.: CelebA-Spoof, ECCV 2020, https://arxiv.org/abs/2007.12342",
    origin="face-antispoof-onnx models/best/98.20/best_model.onnx",
    published=(
        specs.Claim("accuracy", "98.20 %", _README),
        specs.Claim("AUC", "0.9984", _README),
    ),
)
SPECS = (
    _FLOAT,
    replace(
        _FLOAT,
        id="minifas-98-int8",
        weights=(
            specs.WeightFile.same(
                "minifas_98_int8.onnx",
                sha256="fde20585635cae62ed1d41796f76b6f8bc4b92cd91ec1cf0f1bc6485d2d587a9",
                size=626_197,
                address=f"{_REPOSITORY}/models/best/98.20/best_model_quantized.onnx",
            ),
        ),
        title="MiniFAS, 98.20 % on CelebA-Spoof, the publisher's file in 8-bit integers",
        origin="face-antispoof-onnx models/best/98.20/best_model_quantized.onnx",
        published=(specs.Claim("accuracy", "98.20 %", _README),),
        variant="int8",
        # its activations are rounded over what goes through together
        defaults={"batch": 1},
    ),
)


class MiniFas98(LivenessByBox):
    """Judges a face by a square around it."""

    REACH = _REACH

    def score(self, image: Image, boxes: Float32Array) -> AnyArray:
        """Return the network's probability of a bona fide presentation."""
        squares = np.stack([mirrored_square(image, box, _REACH, _SIDE) for box in boxes])
        (net,) = self.nets
        logits = net.run({net.inputs[0].name: blob_of(squares, self.spec.input)})[0]
        logits = logits.astype(np.float64)
        return np.asarray(1 / (1 + np.exp(logits[:, 1] - logits[:, 0])))
