"""Human's two small networks of liveness, each 0.3 million numbers or less.

Origin: vladmandic/human; human-antispoof from anku420's notebook on photos that were retouched or
are real, human-liveness from leokwu/livenessnet (persons before a camera and films of them on a
telephone). Input: RGB / 255, a square of 1.4 times the longer side of the box: 128 x 128 and
32 x 32. Output: a probability that the face is real, or live.

Known limits: a handful of layers, no published figures, and on photos of another origin the scores
say little: human-antispoof holds a gray print for more real than the person (0.45, 0.37), and of 20
photos of lfw_100 four for an attack; human-liveness gives everything 0.92 or more, the two attacks
among the samples of Silent-Face-Anti-Spoofing too. They stand here to be compared.
"""

from __future__ import annotations

import numpy as np

from facelign.liveness.by_box import LivenessByBox
from facelign.liveness.crops import sampled_square
from facelign.runtime.blob import blob_of
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.image import Image

#: times the longer side of the box that shows, and the side of the square that points are from, px
_REACH, _FINE = 1.4, 256
_PACKAGE = "@vladmandic/human@3.3.6"


def _record(
    name: str, side: int, net: tuple[str, int], model: tuple[str, int], *, data: str, title: str
) -> specs.ModelSpec:
    names = f"models/{name}.bin", f"models/{name}.json"
    return specs.ModelSpec.of(
        f"human-{name}",
        "facelign.liveness.models.human:Human",
        *specs.WeightFile.pair(_PACKAGE, names, net, model, f"human-{name}"),
        input=specs.InputSpec(size=(side, side), std=(255.0,) * 3),
        output=specs.LivenessOutput(),
        license=specs.License.both(
            "MIT",
            data,
            "By the license of the package; its authors took the weights from elsewhere.",
            unclear=True,
        ),
        title=title,
        origin=f"npm {_PACKAGE} models/{name}.json",
    )


SPECS = (
    _record(
        "antispoof",
        128,
        ("4490fecb2becdb6869edc7e60f5e59962be013a8def8719b1373afb0f905c094", 853_098),
        ("7fd698ae1cebabbcad79d3b8b448587b0365eb7911987418231bdcf36583112a", 8_713),
        data="photos of faces, real and retouched, not named further (Kaggle, anku420)",
        title="Human antispoof, three convolutions on 128 x 128",
    ),
    _record(
        "liveness",
        32,
        ("fc6a6b6b3b9721bdb8bff67a457a15b7cbfd81715cfb27f3e65b757e81dd663e", 592_976),
        ("9e51c8acf83b80abbf329b2735309ab5c90611c66905ade8b1bd130d473df9c8", 17_070),
        data="not published (leokwu/livenessnet)",
        title="Human liveness, LivenessNet on 32 x 32",
    ),
)


class Human(LivenessByBox):
    """Judges a face by a square around it."""

    REACH = _REACH

    def score(self, image: Image, boxes: Float32Array) -> AnyArray:
        """Return the network's first number, as Human reads it."""
        assert self.spec.input.size is not None  # noqa: S101 - both records have one
        side = self.spec.input.size[0]
        cuts = np.stack([sampled_square(image, box, _REACH, _FINE, side) for box in boxes])
        (net,) = self.nets
        return net.run({net.inputs[0].name: blob_of(cuts, self.spec.input)})[0][:, 0]
