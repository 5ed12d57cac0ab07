"""Saved vectors, lists and galleries become photos, pairs and vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.datasets.lfw import read_pairs
from facelign.datasets.records import Pair, PairList
from facelign.datasets.saved import SavedEmbeddings
from facelign.datasets.shelf import SavedShelf
from facelign.errors import DatasetMalformed, GalleryError
from facelign.gallery.gallery import Gallery
from facelign.lab.material import sources
from facelign.lab.material.trials import Trials
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef

SPACE = Space("made/up/five", 8, Metric.COSINE, unit=True)


def test_saved_vectors_make_pairs_and_say_whether_they_are_unit() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(6, 4)).astype(np.float32)
    saved = SavedEmbeddings(raw, tuple("aabbcc"))
    trials, embedded = sources.of_saved(saved, "mine", Metric.EUCLIDEAN)
    assert not embedded.named.space.unit
    gap = np.linalg.norm(raw[0].astype(float) - raw[1])
    assert trials.scored(embedded).scores[0] == pytest.approx(-gap, rel=1e-5)
    unit = SavedEmbeddings(raw / np.linalg.norm(raw, axis=1, keepdims=True), tuple("aabbcc"))
    other, others = sources.of_saved(unit, "mine")
    assert others.named.space.unit
    # two sets without file names are two sets
    assert trials.digest_of(embedded) != other.digest_of(others)


def test_a_gallery_gives_its_templates(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(3, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with Gallery.open(tmp_path / "g.db", create=True) as gallery:
        with pytest.raises(GalleryError, match="Nobody"):
            sources.of_gallery(gallery)
        for person, row, height in zip("aab", rows, (70.0, 80.0, 90.0), strict=True):
            one = Embeddings(row[None], SPACE, np.ones(1, np.float32))
            photo = PhotoRef(f"{person}{height}.jpg", f"{height:064.0f}")
            gallery.enroll(person, one, photo=photo, faces=[FaceRecord(height=height)])
        named = sources.of_gallery(gallery)
        with pytest.raises(GalleryError, match="holds nothing in space"):
            sources.of_gallery(gallery, "another/space/five")
    assert named.people == ("a", "a", "b")
    np.testing.assert_array_equal(named.vectors, rows)
    assert named.heights is not None
    assert named.heights.tolist() == [70, 80, 90]


def test_overlap_with_training_sets() -> None:
    lists = {"one": frozenset({"Ada_Lovelace", "Bo"}), "other": frozenset({"Nobody"})}
    assert sources.overlapping(["Ada Lovelace", "Cy"], lists) == {"one": 1}


def _saved_list() -> SavedEmbeddings:
    """Three people, two photos each; the first photo has a second, smaller face."""
    rng = np.random.default_rng(5)
    files = ("x/ann/ann_0001.png", "x/ann/ann_0001.png", "x/ann/ann_0002.png")
    files += ("x/bo/bo_0001.jpg", "x/bo/bo_0002.jpg", "x/cy/cy_0001.jpg")
    boxes = np.array([[0, 0, 10, 10], [0, 0, 40, 50], *[[0, 0, 20, 30]] * 4], np.float32)
    vectors = rng.normal(size=(6, 8)).astype(np.float32)
    return SavedEmbeddings(vectors, tuple(Path(f).parent.name for f in files), files, boxes=boxes)


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.EUCLIDEAN])
def test_saved_vectors_are_joined_to_a_list_by_their_photos(tmp_path: Path, metric: Metric) -> None:
    saved = _saved_list()
    shelf = SavedShelf("vectors.npz", saved.files)
    text = "ann\t1\t2\nbo\t1\tcy\t1\nbo\t1\t2\nann\t2\tbo\t2\ncy\t1\t2\nbo\t2\tcy\t2\n"
    (tmp_path / "pairs.txt").write_text(text)
    listed = read_pairs(tmp_path / "pairs.txt", shelf)
    trials, embedded = sources.of_saved_list(saved, Trials.of_list(listed), "vectors", metric)
    pairs = trials.scored(embedded)
    v = saved.vectors.astype(np.float64)
    for place, (a, b) in enumerate([(1, 2), (3, 5), (3, 4), (2, 4)]):  # row 1: the larger face
        cosine = v[a] @ v[b] / np.linalg.norm(v[a]) / np.linalg.norm(v[b])
        wanted = cosine if metric is Metric.COSINE else -np.linalg.norm(v[a] - v[b])
        assert pairs.scores[place] == pytest.approx(wanted, abs=1e-5)
    assert pairs.failed.tolist() == [False] * 4 + [True] * 2
    assert pairs.scores[4:].max() < pairs.scores[:4].min()
    assert len(trials.missing) == 1
    assert [f.photo for f in embedded.failures] == ["cy/cy_0002"]
    assert any("1 further vectors" in note for note in trials.notes)
    assert embedded.heights[[trials.a[0], trials.b[0]]].tolist() == [50, 30]
    assert len(np.unique(pairs.folds)) == 3


def test_a_list_names_saved_photos_by_as_much_of_their_path_as_is_clear() -> None:
    shelf = SavedShelf("v.npz", ("a/ann/1.jpg", "a/bo/1.jpg", "a/cy/ö.png", "b/cy/ö.png"))
    assert shelf.named("other/root/ann/1.jpg") == Path("a/ann/1.jpg")
    assert shelf.named("ann\\1") == Path("a/ann/1.jpg")
    assert shelf.named("a/cy/ö.png") == Path("a/cy/ö.png")
    for unclear in ("1.jpg", "cy/ö.png"):
        with pytest.raises(DatasetMalformed, match="may be a/"):
            shelf.named(unclear)
    assert not shelf.holds(shelf.named("ann/2.jpg"))
    with pytest.raises(DatasetMalformed, match="of which photos"):
        SavedShelf("v.npz", ())


def test_a_list_that_contradicts_itself_counts_as_listed_and_says_where() -> None:
    def pair(a: str, b: str, same: bool, line: int) -> Pair:
        return Pair(Path(a), Path(b), same, line=line)

    saved = SavedEmbeddings(np.eye(4, dtype=np.float32), tuple("wxyz"), tuple("wxyz"))
    pairs = PairList(
        "p.csv",
        (
            pair("w", "x", True, 2),
            pair("x", "y", True, 3),
            pair("w", "y", False, 4),
            pair("w", "z", False, 5),
            pair("z", "w", False, 6),
            pair("z", "z", True, 7),
        ),
    )
    trials, _ = sources.of_saved_list(saved, Trials.of_list(pairs), "p")
    assert trials.same.tolist() == [p.same for p in pairs]
    told = " ".join(trials.notes)
    assert "1 pairs are listed as non-mated" in told
    assert "line 4: w, y" in told
    assert "1 pairs are listed more than once" in told
    assert "1 pairs are of a photo with itself, such as line 7" in told
