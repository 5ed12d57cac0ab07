"""MiniFASNet: two small networks that look at a face from nearer and from farther.

Origin: Minivision's Silent-Face-Anti-Spoofing (2020), V2 on 2.7 times the box and V1SE on 4 times,
whose probabilities are averaged. Input of both: BGR 0 to 255 (no scaling at all: the usual division
by 255 makes them answer the same for everything), 80 x 80 px. Output: three classes, of which the
second is the living face.

Known limits: the publisher's own .pth files could not be had here; their arrays, read out of a copy
in ONNX, were poured, and the reader of such files was tried on others; one photo at a time; trained
on the publisher's own photos, which nobody else has, so that its rates elsewhere are not known. Its
README promises something for faces that are turned 30 degrees at most. Where the photo does not
hold 2.7 or 4 times the box, the publisher takes what there is: of its own three samples none holds
3 times; under 1.5 times nearly nothing but the face is left, and no answer is given here. Its own
program refuses pictures that are not 3:4, which changes nothing of what the networks see.
"""

from __future__ import annotations

import numpy as np

from facelign.liveness.by_box import LivenessByBox
from facelign.liveness.crops import shifted_rectangle
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import Session
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.image import Image

_REPOSITORY = (
    "https://github.com/minivision-ai/Silent-Face-Anti-Spoofing/raw/"
    "b6d5f04ad78778917853b25c778acef6d5626d15/resources/anti_spoof_models"
)
_SIDE = 80  # px
#: how many times the sides of the box each network sees; the class of living faces
_NEAR, _FAR, _LIVE = 2.7, 4.0, 1


def _file(stem: str, published: tuple[str, int], copy: tuple[str, int]) -> specs.WeightFile:
    """Return a network, published with PyTorch; mirrors may have its arrays as an ONNX file."""
    sources = (
        specs.Source.address(f"{_REPOSITORY}/{stem}.pth", sha256=published[0], size=published[1]),
        specs.Source.mirrored(f"{stem}.onnx", sha256=copy[0], size=copy[1]),
    )
    return specs.WeightFile(f"{stem}.pth", sources, convert="minifasnet")


SPECS = (
    specs.ModelSpec.of(
        "minifasnet",
        "facelign.liveness.models.minifasnet:MiniFasNet",
        _file(
            "2.7_80x80_MiniFASNetV2",
            ("a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0", 1_849_453),
            ("b4d1e94d7b5d43e6b611a72f0952e36bb0836fd36a5fe5f18637f30181287163", 1_819_744),
        ),
        _file(
            "4_0_0_80x80_MiniFASNetV1SE",
            ("84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990", 1_856_130),
            ("e5381f9d3f4be59b366f357eef58aafe412acb08caf616abb07f5b904bf6987e", 1_824_076),
        ),
        input=specs.InputSpec(size=(_SIDE, _SIDE), order="bgr"),
        output=specs.LivenessOutput(),
        license=specs.License.both(
            "Apache-2.0",
            "the publisher's own, not published",
            "By the license file of the repository that holds the weights.",
        ),
        title="MiniFASNet V2 and V1SE, two looks at the face, averaged",
        paper="the trunk: Chen et al.: MobileFaceNets, CCBR 2018, "
        "https://doi.org/10.1007/978-3-319-97909-0_46",
        origin="minivision-ai/Silent-Face-Anti-Spoofing resources/anti_spoof_models",
        published=(
            specs.Claim(
                "bona fide accepted with 1 of 100,000 attacks",
                "97.8 %",
                "Silent-Face-Anti-Spoofing README_EN.md, its own program and photos",
            ),
        ),
    ),
)


class MiniFasNet(LivenessByBox):
    """Judges a face by what is around it, nearer and farther."""

    NETS = 2
    REACH = _NEAR
    least_reach = 1.5
    widest_yaw_deg = 30.0

    def score(self, image: Image, boxes: Float32Array) -> AnyArray:
        """Return the mean probability of a living face."""
        looks = zip((_NEAR, _FAR), self.nets, strict=True)
        return np.asarray(np.mean([self._look(image, boxes, *look) for look in looks], axis=0))

    def _look(self, image: Image, boxes: Float32Array, factor: float, net: Session) -> AnyArray:
        cuts = np.stack([shifted_rectangle(image, box, factor, _SIDE) for box in boxes])
        feed = {net.inputs[0].name: blob_of(cuts, self.spec.input)}
        return net.run(feed)[0][:, _LIVE].astype(np.float64)
