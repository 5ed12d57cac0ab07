"""Presets name models that exist, and say so when they do not."""

from __future__ import annotations

import pytest

from facelign import models as models
from facelign.errors import UnknownModel
from facelign.recognition.presets import PRESETS, preset


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_model_of_a_preset_is_registered(name: str) -> None:
    catalog = models.default()
    for task, model in PRESETS[name].models:
        assert catalog.spec(task, model).id == model


def test_what_was_measured_is_what_could_be_had() -> None:
    catalog = models.default()
    for one in PRESETS.values():
        unseen = [model for task, model in one.models if catalog.spec(task, model).unseen]
        assert one.measured is not bool(unseen), unseen


@pytest.mark.parametrize("name", list(PRESETS))
def test_weights_of_a_fusion_are_shares(name: str) -> None:
    assert sum(part.weight for part in PRESETS[name].parts) == pytest.approx(1.0)


def test_default_models_may_be_sold_by_the_text_of_their_licenses() -> None:
    catalog = models.default()
    for task, model in PRESETS["default"].models:
        assert catalog.spec(task, model).license.commercial == "yes"


def test_unknown_preset_lists_the_near_name() -> None:
    with pytest.raises(UnknownModel, match="accurate"):
        preset("acurate")
