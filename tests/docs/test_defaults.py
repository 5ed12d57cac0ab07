"""Defaults that pages say by hand are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facelign import models
from facelign.compare import thresholds
from facelign.compare.calibrations import shipped
from facelign.recognition.options import DEFAULT_PRESET, EnrollOptions, IdentifyOptions
from facelign.recognition.presets import PRESETS
from facelign.types.policies import SEARCH_FPIR, VERIFY_FMR

ROOT = Path(__file__).parents[2]
ENROLLED, NAMED = EnrollOptions().min_height, IdentifyOptions().min_height
STRANGERS = f"{100 * SEARCH_FPIR:g} %"
SAID = {
    "docs/how-to/enroll-and-remove.md": [f"the face is under {ENROLLED:g} px"],
    "docs/how-to/choose-a-threshold.md": [
        f"a false match rate of 1 in {1 / VERIFY_FMR:,.0f}",
        f"under {ENROLLED:g} px, where one threshold still holds, and `identify` those under "
        f"{NAMED:g} px",
    ],
    "docs/how-to/measure.md": [f"A face under {NAMED:g} px gets no name"],
    "docs/how-to/watch-list.md": [
        f"Faces under {NAMED:g} px get no name",
        f"the usual FPIR of {STRANGERS}",
        f"the default FPIR of {STRANGERS}",
    ],
    "docs/tutorials/ten-minutes.md": [
        f"A face under {NAMED:g} px gets no name",
        f"(at most {STRANGERS} of strangers get a name;",
    ],
    "docs/index.md": [f"(at most {STRANGERS} of strangers get a name;"],
    "README.md": [
        f"(at most {STRANGERS} of strangers get a name;",
        f"px of {NAMED:g} px needed",
    ],
}


def text_of(page: str) -> str:
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("page", "said"), [(p, s) for p, all_ in SAID.items() for s in all_])
def test_a_default_is_said_as_it_is(page: str, said: str) -> None:
    assert said in text_of(page)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/tutorials/ten-minutes.md"])
def test_the_threshold_that_pages_show_is_that_of_the_default_preset(page: str) -> None:
    (part,) = PRESETS[DEFAULT_PRESET].parts
    record = shipped(models.space(part.model).id)
    assert record is not None
    limit = thresholds.threshold(record, VERIFY_FMR)
    assert f"threshold {limit.score:.3f}: {limit.source}" in text_of(page)
    for score in re.findall(r"threshold (0\.\d{3})[: ]", text_of(page)):
        assert score == f"{limit.score:.3f}"
