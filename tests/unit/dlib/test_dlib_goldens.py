"""What dlib gave for the portrait (tools/record_goldens_dlib.py), without dlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.align.dlib_chip import extract
from facelign.detect.models import mmod
from facelign.embed.batch import EmbedderOptions
from facelign.embed.models import dlib_resnet
from facelign.landmark.models import dlib_shape
from facelign.runtime.onnx import OnnxOptions
from facelign.types.chips import Chips
from facelign.types.faces import Faces

pytestmark = pytest.mark.weights
GOLDEN = Path(__file__).parents[2] / "golden"


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def test_mmod(files, portrait) -> None:
    wanted = golden("mmod")
    options = mmod.MmodOptions()
    model = mmod.Mmod(mmod.SPECS[0], files.ready["mmod"], options, OnnxOptions())
    faces = model.detect(portrait)
    assert (faces.boxes == wanted["boxes"]).all()
    np.testing.assert_allclose(faces.scores, wanted["scores"], atol=1e-4)


@pytest.mark.parametrize("spec", dlib_shape.SPECS, ids=lambda spec: spec.id)
def test_points(files, portrait, spec) -> None:
    wanted = golden(spec.id)
    options = dlib_shape.DlibShapeOptions()
    model = dlib_shape.DlibShape(spec, files.ready[spec.id], options, OnnxOptions())
    faces = Faces(wanted["boxes"], np.ones(1, np.float32), None, "hog", portrait.size)
    landmarks = model.locate(portrait, faces).landmarks
    assert landmarks is not None
    assert (landmarks.points == wanted["points"]).all()


def test_chip_and_vector(files, portrait) -> None:
    wanted = golden("dlib-resnet")
    chip, matrix = extract(portrait.pixels, wanted["points"][0], "dlib-5")
    assert (chip == wanted["chips"][0]).all()
    (spec,) = dlib_resnet.SPECS
    options = EmbedderOptions(points="dlib-5")
    model = dlib_resnet.DlibResnet(spec, files.ready[spec.id], options, OnnxOptions())
    found = model.embed(Chips(chip[None], "dlib-150", matrix[None], "dlib-5"))
    assert np.abs(found.vectors - wanted["vectors"]).max() <= 1e-5
