"""What records of embedders share, and that what they are made of says the same of all."""

from __future__ import annotations

import re

import pytest

from facelign.embed.records import by_address, of_arcface_chips, trained_on_ms1mv2
from facelign.models.catalog import default
from facelign.types.embeddings import Metric
from facelign.types.specs import UNSEEN_EMBEDDER, EmbedderOutput, License, Task, WeightFile

SHA = "ab" * 32
FREE = License.both("MIT", "own photos", "By the license file.")
ALL = {spec.id: spec for spec in default().specs(Task.EMBED)}


def test_a_record_of_arcface_chips_differs_only_where_it_says_so() -> None:
    file = WeightFile.same("net.onnx", sha256=SHA, size=7, address="https://example.org/net.onnx")
    plain = of_arcface_chips("tiny", "mine:Tiny", file, license=FREE, title="Tiny")
    assert (plain.id, plain.task, plain.weights, plain.title) == (
        "tiny", Task.EMBED, (file,), "Tiny",
    )  # fmt: skip
    assert (plain.input.size, plain.input.order) == ((112, 112), "rgb")
    assert (plain.input.mean, plain.input.std) == ((127.5,) * 3, (127.5,) * 3)
    assert plain.output == EmbedderOutput(512, Metric.COSINE, unit=True, layout="arcface-112")
    other = of_arcface_chips("b", "m:B", file, dim=256, order="bgr", std=128.0, license=FREE)
    assert isinstance(other.output, EmbedderOutput)
    assert (other.output.dim, other.input.order, other.input.std) == (256, "bgr", (128.0,) * 3)


def test_a_file_by_address_says_that_nobody_had_it_and_who_tells_its_accuracy() -> None:
    made = by_address(
        "tiny", "mine:Tiny", "net.onnx", SHA, "https://example.org",
        lfw="0.99", by="README.md", license=FREE,
    )  # fmt: skip
    (source,) = made.weights[0].sources
    assert (source.url, source.sha256, source.size) == ("https://example.org/net.onnx", SHA, 0)
    assert [(c.what, c.value, c.source) for c in made.published] == [
        ("LFW accuracy", "0.99", "README.md")
    ]
    assert made.unseen == UNSEEN_EMBEDDER
    theirs = trained_on_ms1mv2("a", "m:A", "a.onnx", SHA, title="A", paper="p", lfw="0.9")
    assert theirs.license.commercial == "unclear"
    assert "withdrawn" in theirs.license.training_data
    assert theirs.title == "A, trained on MS1MV2, 512 numbers"


@pytest.mark.parametrize("name", ALL)
def test_a_record_is_told_in_full(name: str) -> None:
    spec, output = ALL[name], ALL[name].output
    assert isinstance(output, EmbedderOutput)
    assert f"{output.dim} numbers" in spec.title or name.startswith("dlib-resnet"), spec.title
    assert spec.origin
    assert spec.license.note.endswith("."), "a judgment says why, in a sentence"
    assert re.search(r"https://|^$", spec.paper), "a paper can be found"
    for claim in spec.published:
        assert 0 < float(claim.value.split()[0]) < 100, "a share, or percent as its publisher says"
        assert claim.source, "a figure says who published it"
