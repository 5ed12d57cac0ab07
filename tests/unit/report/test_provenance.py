"""The table that says what made the numbers."""

from importlib import metadata

import pytest

from facelign import __version__, models
from facelign.report import provenance
from facelign.types.specs import Task


def test_versions_are_those_of_the_installed_packages():
    found = provenance.versions()
    assert found["facelign"] == __version__
    assert found["numpy"] == metadata.version("numpy")
    assert found["onnxruntime"] == metadata.version("onnxruntime")


def test_what_is_empty_has_no_row_and_the_rest_is_text_in_order():
    rows = provenance.table(None, {"set": "s", "seed": 7, "digest": "", "without": None, "n": 0})
    assert list(rows)[:3] == ["set", "seed", "n"]
    assert (rows["seed"], rows["n"]) == ("7", "0")
    assert "preset" not in rows
    assert f"facelign {__version__}" in rows["versions"]


@pytest.mark.parametrize("times", [1, 2])
def test_weights_are_named_by_the_digest_of_what_arrives(times):
    wanted = [(Task.DETECT, "yunet"), (Task.EMBED, "sface")] * times
    rows = provenance.table(None, {}, wanted)
    for task, name in wanted:
        spec = models.default().spec(task, name)
        for file in spec.weights:
            assert rows[f"weights of {name}: {file.name}"] == file.sources[0].sha256
    assert sum(row.startswith("weights of") for row in rows) == sum(
        len(models.default().spec(task, name).weights) for task, name in wanted[:2]
    )
