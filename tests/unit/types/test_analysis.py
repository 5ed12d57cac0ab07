"""What was found in a photo: places of faces among vectors, and what is let go."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import NoFace
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.image import Image

SPACE = Space("s/l/five", 2, Metric.EUCLIDEAN, unit=False)


def faces(n: int) -> Faces:
    boxes = np.array([[0, 0, 9, 9 + i] for i in range(n)], np.float32).reshape(-1, 4)
    return Faces(boxes, np.ones(n, np.float32), None, "by hand", (20, 20))


@given(st.integers(0, 6), st.data())
def test_every_face_has_its_own_vector_or_a_reason(n: int, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, n - 1)) if n else st.just(set()))
    kept = np.array([i for i in range(n) if i not in lost], np.int64)
    vectors = np.stack([[i, 1] for i in kept]) if len(kept) else np.zeros((0, 2))
    embeddings = Embeddings(vectors.astype(np.float32), SPACE, np.ones(len(kept), np.float32))
    dropped = tuple((i, f"lost {i}") for i in sorted(lost))
    info = PhotoInfo("a.jpg", "d", (20, 20))
    found = Analysis(info, faces(n), kept, embeddings, dropped)
    for face in range(n):
        vector = found.vector_of(face)
        assert (vector is None) == (face in lost)
        assert found.reason_of(face) == (f"lost {face}" if face in lost else "")
        if vector is not None:
            assert vector.vectors.tolist() == [[face, 1]]
            assert found.place_of(face) == list(kept).index(face)
    assert found.vector_of(n) is None, "a face that is not there has none"


def test_before_the_embedder_faces_have_places_and_no_vectors() -> None:
    image = Image.from_array(np.zeros((20, 20, 3), np.uint8), "rgb", "a.jpg")
    found = Analysis.of(image, faces(2))
    assert found.photo == PhotoInfo("a.jpg", image.digest, (20, 20))
    assert found.image is found.prepared is image
    assert found.place_of(0) is None
    assert found.vector_of(0) is None
    light = found.without_pixels()
    assert light.image is light.prepared is None
    assert light.faces is found.faces


def test_a_photo_that_failed_has_nothing_but_its_error() -> None:
    error = NoFace("none")
    failed = Analysis.failed("a.jpg", error)
    assert failed.error is error
    assert (failed.photo.source, failed.photo.digest) == ("a.jpg", "")
    assert len(failed.faces) == len(failed.embedded) == 0
    assert failed.embeddings is None
