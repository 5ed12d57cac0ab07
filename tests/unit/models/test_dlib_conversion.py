"""The published files become graphs and tables; damaged ones become one error."""

from __future__ import annotations

import bz2
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert.dlib import convert_mmod, convert_resnet, convert_shape
from facelign.models.convert.dlib_network import parse_descriptor, parse_mmod
from facelign.models.convert.dlib_shape import parse_shape
from facelign.runtime.onnx import Session

pytestmark = pytest.mark.weights


def test_every_byte_of_the_networks_is_consumed(files) -> None:
    descriptor = parse_descriptor(files.raw["dlib-resnet"].read_bytes())
    kinds = [layer.kind for layer in descriptor.layers]
    assert len(kinds) == 130
    assert kinds.count("con") == 29
    np.testing.assert_allclose(descriptor.mean, [122.782, 117.001, 104.298], atol=1e-5)
    network, options = parse_mmod(files.raw["mmod"].read_bytes())
    assert [layer.kind for layer in network.layers].count("con") == 7
    assert options.window == (80, 80)


@pytest.mark.parametrize("name", ["dlib-resnet", "mmod"])
def test_a_byte_more_or_less_is_refused(files, name: str) -> None:
    parse = {"dlib-resnet": parse_descriptor, "mmod": parse_mmod}[name]
    data = files.raw[name].read_bytes()
    for damaged in (data + b"\0", data[:-1]):
        with pytest.raises(WeightsCorrupt):
            parse(damaged)


def test_tables_of_the_five_point_predictor(files) -> None:
    data = files.raw["dlib-5"].read_bytes()
    tables = parse_shape(data)
    assert tables.initial.shape == (10,)
    assert tables.pairs.shape == (15, 500, 15, 2)
    assert tables.leaves.shape == (15, 500, 16, 10)
    assert tables.anchors.shape == (15, 800)
    assert tables.deltas.shape == (15, 800, 2)
    for damaged in (data + b"\0", data[:-1]):
        with pytest.raises(WeightsCorrupt):
            parse_shape(damaged)


def test_a_shape_table_holds_no_pickle(files, tmp_path: Path) -> None:
    out = tmp_path / "five.npz"
    convert_shape(files.raw["dlib-5"], out)
    with np.load(out, allow_pickle=False) as tables:
        assert {tables[name].dtype.kind for name in tables.files} <= {"f", "i"}
    again = tmp_path / "again.npz"
    convert_shape(files.raw["dlib-5"], again)
    assert out.read_bytes() == again.read_bytes()


def test_compressed_files_convert_to_the_same_graph(files, tmp_path: Path) -> None:
    packed = tmp_path / "mmod.dat.bz2"
    packed.write_bytes(bz2.compress(files.raw["mmod"].read_bytes()))
    convert_mmod(packed, tmp_path / "a.onnx")
    convert_mmod(files.raw["mmod"], tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_one_file_is_not_taken_for_another(files, tmp_path: Path) -> None:
    for convert, name in (
        (convert_resnet, "mmod"),
        (convert_mmod, "dlib-resnet"),
        (convert_shape, "mmod"),
        (convert_mmod, "dlib-5"),
    ):
        with pytest.raises(WeightsCorrupt):
            convert(files.raw[name], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_descriptor_graph_takes_any_batch_of_bytes(files) -> None:
    (path,) = files.ready["dlib-resnet"].values()
    session = Session(path)
    (port,) = session.inputs
    assert (port.shape, port.kind) == ((None, 150, 150, 3), "tensor(uint8)")
    assert session.outputs[0].shape == (None, 128)
