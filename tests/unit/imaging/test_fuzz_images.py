"""A few hundred damaged files of every format; benchmarks/fuzz_images.py reads ten thousand."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.imaging.containers import MAGIC_BYTES, kind_of
from facelign.imaging.exif import orientation

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "fuzz_images.py"
ENDS = {"read", "UnreadableImage", "UnsupportedImage"}


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_images", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def seeds(fuzz) -> dict[str, bytes]:
    found = fuzz.seeds()
    assert len(found) > 20
    return found


def test_the_seeds_are_good(fuzz, seeds):
    assert {name: fuzz.outcome(data) for name, data in seeds.items()} == dict.fromkeys(
        seeds, "read"
    )


def test_mutants_give_a_picture_or_a_sentence(fuzz, seeds):
    files = sorted(seeds.items())
    ends = set()
    for number in range(500):
        rng = random.Random(number)
        name, good = files[number % len(files)]
        what = fuzz.outcome(fuzz.mutated(good, rng), rng.choice((None, 30)))
        assert what in ENDS, (number, name, what)
        ends.add(what)
    assert ends == ENDS  # all three were met


@pytest.mark.parametrize(
    "kind", ["baseline.jpg", "rgb.png", "lossy.webp", "a.gif", "lzw.tif", "a.bmp"]
)
def test_every_truncation_of_the_header(fuzz, seeds, kind):
    for length in range(0, 160):
        assert fuzz.outcome(seeds[kind][:length]) in ENDS


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes(fuzz, data):
    assert 1 <= orientation(data) <= 8
    assert 1 <= orientation(b"II*\0\x08\0\0\0" + data) <= 8
    kind_of(data[:MAGIC_BYTES])
    for magic in (
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"P6\n",
        b"MM\0+\0\x08\0\0",
    ):
        assert fuzz.outcome(magic + data) in ENDS
