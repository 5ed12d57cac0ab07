"""GhostFaceNet: cheap operations make half of the channels, 512 numbers in 4 million parameters.

Paper: Alansari et al., "GhostFaceNets: Lightweight Face Recognition Model From Cheap Operations",
IEEE Access 2023. Origin: HamadYA/GhostFaceNets, V1 of width 1.3 and stride 1, trained on MS1MV2 or
MS1MV3. Input: 112x112 chips of layout arcface-112, RGB, (x - 127.5) / 128. Output: 512 numbers, not
of unit length, compared by cosine.

Known limits: the scale of pixels is that of its tests, where deepface feeds parts of 255; nobody
tells a SHA-256, so that it comes by ``--trust-first-use``.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import of_arcface_chips
from facelign.types import specs

_ADDRESS = (
    "https://github.com/HamadYA/GhostFaceNets/releases/download/v1.2/"
    "GhostFaceNet_W1.3_S1_ArcFace.h5"
)

SPECS = (
    of_arcface_chips(
        "ghostfacenet",
        "facelign.embed.models.ghostfacenet:GhostFaceNet",
        specs.WeightFile.untold("GhostFaceNet_W1.3_S1_ArcFace.h5", _ADDRESS, "ghostfacenet"),
        std=128.0,
        license=specs.License.unclear(
            "MIT", "MS1MV2, from MS-Celeb-1M (withdrawn by its publisher)", specs.UNKNOWN_STANDING
        ),
        title="GhostFaceNetV1 of width 1.3, 512 numbers",
        paper="Alansari et al.: GhostFaceNets, IEEE Access 2023, "
        "https://doi.org/10.1109/ACCESS.2023.3266068",
        origin="HamadYA/GhostFaceNets v1.2",
        published=(specs.Claim("LFW accuracy", "0.9977", "HamadYA/GhostFaceNets README.md"),),
        unseen=specs.UNSEEN_POURED,
    ),
)


class GhostFaceNet(OnnxEmbedder):
    """Embeds chips with GhostFaceNet."""
