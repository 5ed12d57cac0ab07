"""Records of models, calibrations and landmark schemes: what they promise, what they refuse."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from facelign.errors import BadArray
from facelign.types.arrays import checked, picked
from facelign.types.calibrations import Calibration, OperatingPoint
from facelign.types.insightface_models import researched
from facelign.types.specs import (
    UNKNOWN_STANDING,
    DetectorOutput,
    Engine,
    InputSpec,
    LandmarkerOutput,
    License,
    ModelSpec,
    Source,
    SourceKind,
    Task,
    WeightFile,
)

SHA = "ab" * 32


def test_every_source_of_a_file_holds_the_same_bytes() -> None:
    file = WeightFile.same(
        "net.onnx",
        sha256=SHA,
        size=7,
        wheel="nets==1.0",
        member="nets/net.onnx",
        address="https://example.org/net.onnx",
        installed=True,
        convert="onnx-prelu",
    )
    assert [source.kind for source in file.sources] == [
        SourceKind.WHEEL,
        SourceKind.ADDRESS,
        SourceKind.PACKAGE,
    ]
    assert {(source.sha256, source.size) for source in file.sources} == {(SHA, 7)}
    wheel, address, package = file.sources
    assert (wheel.requirement, wheel.member) == ("nets==1.0", "nets/net.onnx")
    assert address.url == "https://example.org/net.onnx"
    assert (package.package, package.member) == ("nets", "net.onnx")
    assert file.convert == "onnx-prelu"
    only = WeightFile.same("net.onnx", sha256=SHA, size=7, address="https://example.org/x")
    assert only.sources == (Source.address("https://example.org/x", sha256=SHA, size=7),)


def test_a_file_of_an_npm_package() -> None:
    package = "@somebody/nets@1.0.0"
    file = WeightFile.same("net.bin", sha256=SHA, size=7, npm=package, member="model/net.bin")
    assert file.sources == (Source.npm(package, "model/net.bin", sha256=SHA, size=7),)
    assert file.sources[0].requirement == package


def test_a_file_from_nowhere_is_refused() -> None:
    with pytest.raises(BadArray, match="at least one source"):
        WeightFile("net.onnx", ())
    with pytest.raises(BadArray, match=r"net\.onnx"):
        WeightFile.same("net.onnx", sha256=SHA, size=7)


def test_a_users_own_file_is_named_by_its_path() -> None:
    source = Source.file("/home/me/net.onnx", sha256=SHA, size=7)
    assert (source.kind, source.path, source.url) == (SourceKind.FILE, "/home/me/net.onnx", "")


def test_the_task_of_a_record_is_told_by_its_output() -> None:
    file = WeightFile.same(
        "net.onnx", sha256=SHA, size=7, wheel="nets==1.0", member="nets/net.onnx"
    )
    license = License("MIT", "MIT", "none", "yes")
    spec = ModelSpec.of(
        "tiny", "mine:Tiny", file, output=LandmarkerOutput("five"), license=license, title="Tiny"
    )
    assert (spec.id, spec.task, spec.weights) == ("tiny", Task.LANDMARK, (file,))
    assert (spec.engine, spec.input, spec.title) == (Engine.ONNX, InputSpec(None), "Tiny")
    assert [source.kind for source in file.sources] == [SourceKind.WHEEL]
    bare = ModelSpec.of("tiny", "mine:Tiny", output=DetectorOutput(None), license=license)
    assert (bare.task, bare.weights) == (Task.DETECT, ())


def test_a_record_says_nothing_that_was_not_said() -> None:
    spec = ModelSpec(
        "tiny",
        Task.DETECT,
        "mine:Tiny",
        Engine.NUMPY,
        (),
        InputSpec(None),
        DetectorOutput(None),
        License("MIT", "MIT", "none", "yes"),
    )
    assert (spec.title, spec.paper, spec.origin, spec.published, spec.extra) == ("", "", "", (), "")
    assert spec.views == ("frontal",), "what most detectors are made for"
    assert dict(spec.defaults) == {}
    with pytest.raises(TypeError):
        spec.defaults["x"] = 1  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        spec.id = "other"  # type: ignore[misc]
    assert Task("detect") is Task.DETECT
    assert str(Task.EMBED) == "embed"


def calibration(**changes: object) -> Calibration:
    """A calibration that can be; ``changes`` spoil it."""
    good = Calibration(
        id="c",
        space="m/l/five",
        metric="cosine",
        chain={"detector": "yunet"},
        set="lfw",
        digest=SHA,
        date="2026-01-01",
        subjects=10,
        photos=40,
        mated=60,
        non_mated=700,
        points=(OperatingPoint(1e-2, 0.4, (0.005, 0.02), 0.9, 7),),
        scores=np.array([-0.5, 0.1, 0.4, 0.6]),
        fmr=np.array([1.0, 0.3, 0.01, 0.0]),
        llr_scores=np.array([0.0, 0.5]),
        llr=np.array([-3.0, 4.0]),
        non_mated_std=0.1,
        notes={},
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def test_a_calibration_holds_its_curves_read_only() -> None:
    good = calibration()
    assert good.target == 1e-3
    for curve in (good.scores, good.fmr, good.llr_scores, good.llr):
        assert not curve.flags.writeable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mated": 0}, "mated and non-mated"),
        ({"non_mated": 0}, "mated and non-mated"),
        ({"scores": np.array([0.5, 0.1, 0.4, 0.6])}, "must rise"),
        ({"fmr": np.array([1.0, 0.3, 0.4, 0.0])}, "must fall"),
        ({"fmr": np.array([1.0, 0.3, 0.01, 0.005])}, "end at 0"),
        ({"fmr": np.array([1.2, 0.3, 0.01, 0.0])}, "end at 0"),
        ({"fmr": np.array([1.0, 0.0])}, "shape"),
        ({"llr": np.array([4.0, -3.0])}, "log-likelihood"),
        ({"llr_scores": np.array([0.5, 0.0])}, "log-likelihood"),
        ({"points": (OperatingPoint(1e-2, 0.4, (0.3, 0.2), 0.9, 7),)}, "intervals"),
        ({"points": (OperatingPoint(1e-2, 0.4, (0.3, 1.2), 0.9, 7),)}, "intervals"),
        ({"scores": np.array([np.nan, 0.1, 0.4, 0.6])}, "NaN"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(BadArray, match=words):
        calibration(**changes)


def test_what_cuts_a_set() -> None:
    assert picked("face", 2, 3) == slice(2, 3)
    assert picked("face", np.int32(-3), 3) == slice(0, 1)
    assert picked("face", slice(None, -1), 3) == slice(None, -1)
    assert picked("face", [], 3).dtype == np.int64  # type: ignore[union-attr]
    assert picked("face", np.zeros(0, bool), 0).dtype == np.bool_  # type: ignore[union-attr]
    assert picked("face", (0, 2), 3).tolist() == [0, 2]  # type: ignore[union-attr]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"face {index} of 3"):
            picked("face", index, 3)
    with pytest.raises(IndexError, match="vector 0 of 0"):
        picked("vector", 0, 0)


def test_what_is_checked_is_made_to_fit_only_where_nothing_is_lost() -> None:
    assert checked("n", 3.5, np.float32, ()).shape == ()
    assert checked("x", (), np.float32, (None, 4)).shape == (0, 4)
    assert checked("x", [True, False], np.float64, (2,)).tolist() == [1.0, 0.0]
    assert np.isnan(checked("x", [np.nan], np.float32, (1,), finite=False)).all()
    for value in ([[1, 2]], [1, 2, 3]):
        with pytest.raises(BadArray, match=r"wanted shape \(2\)"):
            checked("x", value, np.float32, (2,))


def test_licenses_say_whether_weights_may_be_sold_and_why() -> None:
    free = License.both("MIT", "own photos", "By the license file.")
    assert (free.code, free.weights, free.commercial) == ("MIT", "MIT", "yes")
    doubt = License.unclear("MIT", "WebFace (research use)")
    assert (doubt.weights, doubt.commercial) == ("MIT", "unclear")
    assert doubt.note == "The license is free by its text; the training data is for research."
    gone = License.unclear("MIT", "MS1MV2", UNKNOWN_STANDING)
    assert gone.note == f"The license is free by its text; {UNKNOWN_STANDING}."
    silent = License.unstated("MIT", "WIDER FACE")
    assert (silent.code, silent.weights, silent.commercial) == ("MIT", "not stated", "unclear")
    closed = License.closed("MIT", "research only", "WIDER FACE", "By its README.")
    assert (closed.weights, closed.commercial, closed.note) == (
        "research only", "no", "By its README.",
    )  # fmt: skip
    theirs = researched("WIDER FACE")
    assert (theirs.commercial, theirs.training_data) == ("no", "WIDER FACE")


def test_a_network_and_the_json_beside_it_come_from_one_package() -> None:
    names = "models/net.bin", "models/net.json"
    net, listed = WeightFile.pair("nets@1.0.0", names, (SHA, 7), ("cd" * 32, 5), "tfjs")
    assert (net.name, net.convert, net.beside) == ("net.bin", "tfjs", "net.json")
    assert (listed.name, listed.convert, listed.beside) == ("net.json", "", "")
    assert net.sources == (Source.npm("nets@1.0.0", names[0], sha256=SHA, size=7),)
    assert listed.sources == (Source.npm("nets@1.0.0", names[1], sha256="cd" * 32, size=5),)
