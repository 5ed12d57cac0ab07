"""Ports: whoever inherits one gets its traits; whoever names them keeps their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facelign.detect.models.haar import Haar
from facelign.detect.models.hog import Hog
from facelign.detect.models.mmod import Mmod
from facelign.detect.models.mtcnn import Mtcnn
from facelign.detect.models.yunet import YuNet
from facelign.embed.batch import OnnxEmbedder
from facelign.embed.joint import Joint
from facelign.landmark.models.dlib_shape import DlibShape
from facelign.types.arrays import Float32Array
from facelign.types.chips import Chips
from facelign.types.contracts import (
    Detector,
    Embedder,
    Explanation,
    FrameSource,
    Landmarker,
    Liveness,
    StagedDetector,
    Tracker,
)
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.image import Image

SPACE = Space("plain/l/five", 2, Metric.EUCLIDEAN, unit=False)


class Plain(Detector):
    spec: Any = None

    def detect(self, image: Image) -> Faces:
        return Faces.none("plain", image.size)


class Staged(Plain):
    sure_score = 0.9

    def stages(self, image: Image) -> Explanation:
        raise NotImplementedError


class Zeros(Embedder):
    space = SPACE
    layouts = ("l",)

    def embed(self, *chips: Chips) -> Embeddings:
        n = len(chips[0])
        return Embeddings(np.zeros((n, 2), np.float32), SPACE, np.zeros(n, np.float32))


def test_a_detector_that_names_no_trait_has_the_defaults() -> None:
    plain = Plain()
    traits = (plain.wants_px, plain.score_floor, plain.sure_score, plain.upright_score)
    assert traits == (None, 0.0, None, None)
    assert Staged().sure_score == 0.9
    assert Staged().score_floor == 0.0


def test_stages_are_a_trait_that_is_declared_and_not_guessed() -> None:
    assert isinstance(Staged(), StagedDetector)
    assert not isinstance(Plain(), StagedDetector)
    assert issubclass(Mtcnn, StagedDetector)
    assert not issubclass(YuNet, StagedDetector)


def test_an_embedder_is_its_only_part_and_has_nothing_to_prepare() -> None:
    zeros = Zeros()
    assert zeros.parts == (SPACE,)
    zeros.prepare()
    chips = Chips(np.zeros((3, 4, 4, 3), np.uint8), "l")
    assert zeros.embed(chips).vectors.shape == (3, 2)


def test_other_ports_have_defaults_too() -> None:
    class Never(Liveness):
        id = "never"

        def judge(self, image: Image, faces: Faces) -> Float32Array:
            return np.zeros(len(faces), np.float32)

    class Still(FrameSource):
        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(())

    class Nobody(Tracker):
        def update(self, faces: Faces, time_s: float) -> Faces:
            return faces

        def reset(self) -> None: ...

    assert Never().threshold == 0.5
    assert (Still().live, Still().fps) == (False, None)
    with Still() as still:
        assert list(still) == []
    assert Nobody().patience_s == 0.0


def test_what_is_not_done_is_said_when_the_class_is_made() -> None:
    class Half(Detector):
        spec: Any = None

    with pytest.raises(TypeError, match="detect"):
        Half()  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("kind", "port"),
    [
        *((kind, Detector) for kind in (Haar, Hog, Mmod, Mtcnn, YuNet)),
        (DlibShape, Landmarker),
        (OnnxEmbedder, Embedder),
        (Joint, Embedder),
    ],
)
def test_every_class_of_the_house_inherits_its_port(kind: type, port: type) -> None:
    assert port in kind.__mro__
