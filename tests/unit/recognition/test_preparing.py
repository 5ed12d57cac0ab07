"""Networks that are opened beside other work give the same answers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.presets import PRESETS
from facelign.recognition.recognizer import Recognizer
from facelign.types.image import Image

pytestmark = pytest.mark.weights


def waiting() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "facelign-prepare"]


@pytest.fixture
def weights(pulled: Callable[..., Store]) -> Store:
    models = catalog.default()
    return pulled(*(models.spec(*model) for model in PRESETS["default"].models))


def test_opening_ahead_changes_no_vector(weights: Store, portrait: Image) -> None:
    plain = Recognizer(store=weights, workers=1).analyze(portrait)
    ahead = Recognizer(store=weights, workers=2)
    ahead.prepare()
    ahead.prepare()
    assert len(waiting()) <= 1
    found = ahead.analyze(portrait)
    assert plain.embeddings is not None
    assert found.embeddings is not None
    assert np.array_equal(plain.embeddings.vectors, found.embeddings.vectors)


def test_one_worker_opens_nothing_ahead(weights: Store) -> None:
    one = Recognizer(store=weights, workers=1)
    one.prepare()
    assert not waiting()
    assert one.chain._embedder is None


def test_a_model_that_cannot_be_opened_is_told_where_it_is_used(
    weights: Store, portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facelign.errors import WeightsMissing

    broken = Recognizer(store=weights, workers=2)

    def refuse() -> None:
        raise WeightsMissing("The weights of sface are not on this machine.", "Pull them.")

    monkeypatch.setattr(broken.chain, "_load_embedders", refuse)
    broken.prepare()
    for thread in waiting():
        thread.join()
    with pytest.raises(WeightsMissing):
        broken.analyze(portrait)
