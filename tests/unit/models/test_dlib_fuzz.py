"""A few hundred damaged files: an error or a converted file, never anything else.

The long run is benchmarks/fuzz_dat.py.
"""

from __future__ import annotations

import random
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert.dlib import convert_mmod, convert_shape
from facelign.models.convert.dlib_shape import parse_shape


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "fuzz_dat.py"
    spec = util.spec_from_file_location("fuzz_dat", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))  # it shares a module with its neighbors
        spec.loader.exec_module(module)
    return module


def test_the_small_predictor_is_whole(fuzz: ModuleType) -> None:
    tables = parse_shape(fuzz.small_shape(points=3, cascades=2, trees=4, pixels=5))
    assert tables.leaves.shape == (2, 4, 4, 6)
    assert set(tables.leaves.ravel().tolist()) == {0.75}


def test_damaged_predictors_are_refused_or_read(fuzz: ModuleType, tmp_path: Path) -> None:
    whole, rng, refused = fuzz.small_shape(), random.Random(1), 0
    for _ in range(300):
        (tmp_path / "raw").write_bytes(fuzz.mutated(whole, rng))
        try:
            convert_shape(tmp_path / "raw", tmp_path / "out")
        except WeightsCorrupt:
            refused += 1
    assert 200 < refused <= 300


def test_a_predictor_cut_anywhere_is_refused(fuzz: ModuleType) -> None:
    whole = fuzz.small_shape()
    for length in range(0, len(whole), 7):
        with pytest.raises(WeightsCorrupt):
            parse_shape(whole[:length])


@pytest.mark.weights
def test_damaged_networks_are_refused_or_read(files, fuzz: ModuleType, tmp_path: Path) -> None:
    whole, rng, refused = files.raw["mmod"].read_bytes(), random.Random(2), 0
    for _ in range(120):
        (tmp_path / "raw").write_bytes(fuzz.mutated(whole, rng))
        try:
            convert_mmod(tmp_path / "raw", tmp_path / "out")
        except WeightsCorrupt:
            refused += 1
    assert 80 < refused <= 120
