"""Values are copied, pickled and handed to other processes as they are."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facelign
from facelign import errors
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore
from facelign.imaging.read import Limits, read
from facelign.models.catalog import default
from facelign.models.weights.store import Store
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.schemes import SCHEMES, Scheme

WAYS: tuple[Callable[[Any], Any], ...] = (
    copy.copy,
    copy.deepcopy,
    *(
        lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ),
)


def plain(value: Any) -> Any:
    """Return a value as what Python compares."""
    match value:
        case np.ndarray():
            return value.dtype, value.shape, value.tobytes(), value.flags.writeable
        case Scheme():
            return id(value)  # those that there are stay the same ones
        case BaseException():
            return type(value), plain(value.args), plain(vars(value))
        case Mapping():
            return type(value), [(key, plain(value[key])) for key in value]
        case list() | tuple():
            return type(value), [plain(one) for one in value]
        case _ if is_dataclass(value):
            return type(value), [plain(getattr(value, field.name)) for field in fields(value)]
        case _ if callable(value):
            return plain(value())
    return value


@pytest.fixture(scope="module")
def values(weights: Store, portrait: Any, tmp_path_factory: Any) -> list[Any]:
    """One value at least of every kind that the product hands out."""
    import cv2

    path = tmp_path_factory.mktemp("photos") / "portrait.jpg"
    cv2.imwrite(str(path), cv2.resize(portrait.pixels[:, :, ::-1], (2048, 2048)))
    path.with_name("broken.jpg").write_bytes(b"no picture")
    recognizer = Recognizer(store=weights, workers=1)
    with PhotoGallery(Gallery(MemoryStore()), recognizer) as gallery:
        added = gallery.enroll("Eileen", path)
        found = gallery.identify(path)
        made = [
            added,
            found,
            gallery.people(),
            gallery.gallery.templates("Eileen"),
            gallery.gallery.history(),
            recognizer.compare(path, path),
            recognizer.calibration,
            recognizer.threshold(),
            recognizer.space,
            recognizer.chain.preset,
            recognizer.chain.options,
            list(recognizer.analyze([path, path.with_name("broken.jpg")])),
            read(path, at_least=500).turned(90),
        ]
    analysis = found.analysis
    made += [analysis.faces[0], analysis.faces.landmarks, analysis.embeddings, analysis.chips]
    made += [facelign.EnrollOptions(), facelign.IdentifyOptions(), Limits(), *default().specs()]
    made += [facelign.LiveOptions(), facelign.LiveAnswer.not_checked("too small")]
    made += [type_("a", "b") for type_ in map(errors.__dict__.get, errors.PUBLIC) if type_]
    return [*made, errors.DegenerateLandmarks("a", "b", [1, 2]), *SCHEMES.values()]


@pytest.mark.weights
def test_values_are_copied_and_pickled(values: list[Any]) -> None:
    for value in values:
        for way in WAYS:
            assert plain(way(value)) == plain(value), type(value)


@pytest.mark.weights
def test_every_public_value_is_among_them(values: list[Any]) -> None:
    seen: set[type] = set()

    def look(value: Any) -> None:
        seen.add(type(value))
        if is_dataclass(value):
            for field in fields(value):
                look(getattr(value, field.name))
        elif isinstance(value, list | tuple):
            for one in value:
                look(one)

    look(values)
    public = {getattr(facelign, name) for name in facelign.__all__ if name != "__version__"}
    wanted = {kind for kind in public if isinstance(kind, type)} - {Recognizer, PhotoGallery}
    assert {kind for kind in wanted - seen if not issubclass(kind, str)} == set()


#: what a process of a pool does
ANALYZE = """
import pickle, sys
from facelign.recognition.recognizer import Recognizer
store, path = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(Recognizer(store=store, workers=1).analyze(path)))
"""


@pytest.mark.weights
def test_what_another_process_found(weights: Store, photo: Path) -> None:
    wanted = Recognizer(store=weights, workers=1).analyze(photo)
    done = subprocess.run(
        [sys.executable, "-c", ANALYZE],
        input=pickle.dumps((weights, photo)),
        capture_output=True,
        check=True,
    )
    found = pickle.loads(done.stdout)
    assert found.photo == wanted.photo
    np.testing.assert_allclose(found.embeddings.vectors, wanted.embeddings.vectors, atol=1e-5)
