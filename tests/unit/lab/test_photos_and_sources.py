"""From photos, lists and saved vectors to pairs: nothing is lost, and scores are those of pairs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.compare.scores import score_matrix
from facelign.datasets.insightface_bin import BinSet
from facelign.datasets.lfw import read_pairs
from facelign.datasets.records import Pair, PairList, PeopleFolder, Photo
from facelign.datasets.saved import SavedEmbeddings
from facelign.datasets.shelf import SavedShelf
from facelign.errors import BadArray, ConfigError, DatasetMalformed, GalleryError, Refused
from facelign.gallery.gallery import FaceRecord, Gallery, PhotoRef
from facelign.lab.identification.run import media_of
from facelign.lab.material import photos as walk
from facelign.lab.material import sources
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded
from facelign.lab.verification.figures import Failure, Failures
from facelign.types.embeddings import Embeddings, Metric, Space

SPACE = Space("made/up/five", 8, Metric.COSINE, unit=True)


def _embedded(people: str = "aabbcc", lost: tuple[int, ...] = (4,)) -> Embedded:
    """Photos of people, one letter each; those of ``lost`` have no vector."""
    rng = np.random.default_rng(3)
    rows, vectors, kept = np.full(len(people), -1), [], []
    for i, person in enumerate(people):
        if i not in lost:
            rows[i] = len(vectors)
            vector = rng.normal(size=8)
            vectors.append(vector / np.linalg.norm(vector))
            kept.append(person)
    photos = tuple(Photo(Path(f"{p}/{p}{i}.jpg"), p) for i, p in enumerate(people))
    heights = np.linspace(50, 100, len(kept))
    digests = tuple(f"d{i}" for i in range(len(people)) if i not in lost)
    named = Named(SPACE, np.array(vectors, np.float32), tuple(kept), heights, digests)
    failures = tuple(Failure(str(photos[i].path), "no face") for i in lost)
    return Embedded(named, rows, photos, failures, (), ((0.0, 0.0, 1.0, 1.0),) * len(kept))


def test_all_pairs_by_a_plain_loop() -> None:
    embedded = _embedded()
    pairs, first, second = walk.all_pairs(embedded)
    at = 0
    for i in range(6):
        for j in range(i + 1, 6):
            assert (first[at], second[at]) == (i, j)
            assert pairs.same[at] == (embedded.photos[i].person == embedded.photos[j].person)
            assert pairs.failed[at] == (4 in (i, j))
            if not pairs.failed[at]:
                rows = embedded.rows[[i, j]]
                a, b = embedded.named.vectors[rows]
                assert pairs.scores[at] == pytest.approx(float(a @ b), abs=1e-6)
            at += 1
    assert at == len(pairs)


@pytest.mark.parametrize("count", [5, 2000])
def test_scores_of_few_and_of_many_pairs_agree(count: int) -> None:
    named = _embedded("abcdefgh", lost=()).named
    rng = np.random.default_rng(count)
    a, b = rng.integers(-1, 8, (2, count))
    found = walk.scores_of(named, a, b)
    table = score_matrix(named.vectors, named.vectors, "cosine")
    there = (a >= 0) & (b >= 0)
    np.testing.assert_allclose(found[there], table[a, b][there], atol=1e-6)
    # a pair without vectors must match at no threshold, also where scores are negative distances
    assert (found[~there] < found[there].min(initial=0)).all()


def test_listed_pairs_keep_folds_people_and_failures() -> None:
    embedded = _embedded()
    path = [photo.path for photo in embedded.photos]
    listed = PairList(
        "list",
        (
            Pair(path[0], path[1], True, 0, 1, "a", "a"),
            Pair(path[2], path[4], False, 0, 2, "b", "c"),
            Pair(path[1], path[3], False, 1, 3, "a", "b"),
            Pair(Path("gone.jpg"), path[3], False, 1, 4, "z", "b"),
        ),
    )
    pairs = walk.pairs_of(listed, embedded)
    assert pairs.failed.tolist() == [False, True, False, True]
    assert pairs.folds.tolist() == [0, 0, 1, 1]
    assert (pairs.a == pairs.b).tolist() == [True, False, False, False]
    assert len(pairs.counted(Failures.LEFT_OUT)) == 2
    # decided "different": below every score that there is
    counted = pairs.counted(Failures.DIFFERENT)
    assert counted.scores[[1, 3]].max() < counted.scores[[0, 2]].min()


def test_more_photos_than_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_PHOTOS", 5)
    with pytest.raises(Refused, match="6 photos do not fit"):
        walk.all_pairs(_embedded())


def test_groups_of_pairs() -> None:
    material = sources._all_pairs("made", _embedded())
    labels = material.group_labels({"a": "x", "b": "x", "c/c5.jpg": "y", "c4.jpg": "x"})
    by_photos = {
        (int(i), int(j)): label
        for i, j, label in zip(material.first, material.second, labels, strict=True)
    }
    assert by_photos[0, 2] == "x"  # two people of one group
    assert by_photos[0, 5] == ""  # of two groups
    assert by_photos[0, 4] == "x"  # by file name
    with pytest.raises(ConfigError):
        material.group_labels({"nobody": "x"})


def test_heights_of_pairs_follow_the_rows() -> None:
    material = sources._all_pairs("made", _embedded())
    heights = material.heights
    held = material.named.heights
    assert held is not None
    for (i, j), (left, right) in zip(
        zip(material.first, material.second, strict=True), heights, strict=True
    ):
        for photo, height in ((i, left), (j, right)):
            row = material.embedded.rows[photo]
            assert np.isnan(height) if row < 0 else height == held[row]


def test_saved_vectors_make_pairs_and_say_whether_they_are_unit() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(6, 4)).astype(np.float32)
    saved = SavedEmbeddings(raw, tuple("aabbcc"))
    material = sources.of_saved(saved, "mine", Metric.EUCLIDEAN)
    assert not material.named.space.unit
    gap = np.linalg.norm(raw[0].astype(float) - raw[1])
    assert material.pairs.scores[0] == pytest.approx(-gap, rel=1e-5)
    unit = SavedEmbeddings(raw / np.linalg.norm(raw, axis=1, keepdims=True), tuple("aabbcc"))
    assert sources.of_saved(unit, "mine").named.space.unit
    # two sets without file names are two sets
    assert material.digest != sources.of_saved(unit, "mine").digest


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


def test_sets_are_called_after_their_folder(tmp_path: Path) -> None:
    assert sources.set_name(tmp_path / "lfw" / "images") == "lfw"
    assert sources.set_name(tmp_path / "family") == "family"


def test_media_by_path_and_by_name() -> None:
    rows = [("a/1.jpg", "t1", "m1"), ("2.jpg", "t1", "m2")]
    assert media_of(["x/a/1.jpg", "x/a/2.jpg"], rows) == (["t1", "t1"], ["m1", "m2"])
    with pytest.raises(BadArray, match="is in no row"):
        media_of(["x/3.jpg"], rows)


# -- with the models -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recognizer(pulled, tmp_path_factory):  # type: ignore[no-untyped-def]
    from facelign import models as models
    from facelign.gallery.cache import VectorCache
    from facelign.recognition.recognizer import Recognizer
    from facelign.types.specs import Task

    models = models.default()
    store = pulled(models.spec(Task.DETECT, "yunet"), models.spec(Task.EMBED, "sface"))
    cache = VectorCache(tmp_path_factory.mktemp("cache") / "vectors.db")
    return Recognizer(store=store, cache=cache, workers=1)


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> PeopleFolder:  # type: ignore[no-untyped-def]
    from skimage import data

    root = tmp_path_factory.mktemp("people")
    portrait = Pillow.fromarray(data.astronaut())
    pictures = {
        "Eileen/plain.png": portrait,
        "Eileen/sideways.png": portrait.transpose(Pillow.Transpose.ROTATE_90),
        "Cat/chelsea.png": Pillow.fromarray(data.chelsea()),
    }
    for name, picture in pictures.items():
        (root / name).parent.mkdir(exist_ok=True)
        picture.save(root / name)
    (root / "Cat" / "broken.jpg").write_bytes(b"no picture")
    photos = [*pictures, "Cat/broken.jpg"]
    return PeopleFolder(root, tuple(Photo(root / n, n.split("/")[0]) for n in photos))


@pytest.mark.weights
def test_failures_and_fallbacks_are_named(recognizer, people: PeopleFolder) -> None:  # type: ignore[no-untyped-def]
    seen: list[int] = []
    embedded = walk.embed(recognizer, people.photos, done=seen.append)
    assert embedded.rows.tolist() == [0, 1, -1, -1]
    assert [Path(f.photo).name for f in embedded.failures] == ["chelsea.png", "broken.jpg"]
    (fallback,) = embedded.fallbacks
    assert Path(fallback.photo).name == "sideways.png"
    assert "turned" in fallback.reason
    assert sum(seen) == 4
    assert set(embedded.quality) == {"height", "score", "norm"}
    sharp = walk.sharpness(recognizer, embedded)
    assert sharp.shape == (2,)
    assert (sharp > 0.05).all()
    # the second run reads the cache, and gives the very same numbers
    again = walk.embed(recognizer, people.photos)
    np.testing.assert_array_equal(again.named.vectors, embedded.named.vectors)
    assert again.named.digest == embedded.named.digest


@pytest.mark.weights
def test_the_raw_photo_stands_in_and_is_still_a_failure(  # type: ignore[no-untyped-def]
    recognizer, people: PeopleFolder
) -> None:
    embedded = walk.embed(recognizer, people.photos, raw_fallback=True)
    assert embedded.rows.tolist() == [0, 1, 2, -1]  # a broken file has no pixels to give
    reasons = {Path(f.photo).name: f.reason for f in embedded.failures}
    assert reasons["chelsea.png"].startswith("raw photo used")
    pairs, _, _ = walk.all_pairs(embedded)
    assert pairs.failed.tolist() == [False, True, True, True, True, True]
    raw = pairs.counted(Failures.RAW).scores
    assert raw[1] != 0.0  # plain against the cat: a score like any other
    assert raw[1] < 0.4


@pytest.mark.weights
def test_nothing_to_measure_is_refused(recognizer, people: PeopleFolder) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused, match="None of 2 photos"):
        walk.embed(recognizer, people.photos[2:])


@pytest.mark.weights
def test_chips_of_a_bin_set_are_embedded_as_they_are(  # type: ignore[no-untyped-def]
    recognizer, people: PeopleFolder
) -> None:
    chip = recognizer.align(people.photos[0].path).chips[0].pixels[0]
    direct = recognizer.analyze(people.photos[0].path).embeddings.vectors[0]
    out = io.BytesIO()
    Pillow.fromarray(chip).save(out, "PNG")
    other = io.BytesIO()
    Pillow.fromarray(chip[:, ::-1].copy()).save(other, "PNG")
    pictures = (out.getvalue(), other.getvalue(), out.getvalue(), b"broken")
    found = BinSet("made", pictures, np.array([True, True]), np.zeros(2, np.int64))
    material = sources.of_bin(recognizer, found)
    assert float(material.named.vectors[0] @ direct) > 0.99999
    assert material.pairs.failed.tolist() == [False, True]
    assert material.pairs.scores[0] > 0.7  # the same face, mirrored


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
    material = sources.of_saved_list(saved, listed, "vectors", metric)
    v = saved.vectors.astype(np.float64)
    for place, (a, b) in enumerate([(1, 2), (3, 5), (3, 4), (2, 4)]):  # row 1: the larger face
        cosine = v[a] @ v[b] / np.linalg.norm(v[a]) / np.linalg.norm(v[b])
        wanted = cosine if metric is Metric.COSINE else -np.linalg.norm(v[a] - v[b])
        assert material.pairs.scores[place] == pytest.approx(wanted, abs=1e-5)
    assert material.pairs.failed.tolist() == [False] * 4 + [True] * 2
    assert material.pairs.scores[4:].max() < material.pairs.scores[:4].min()
    assert material.missing == 1
    assert [f.photo for f in material.embedded.failures] == ["cy/cy_0002"]
    assert any("1 further vectors" in note for note in material.notes)
    assert material.heights[0].tolist() == [50, 30]
    assert len(np.unique(material.pairs.folds)) == 3


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
    material = sources.of_saved_list(saved, pairs, "p")
    assert material.pairs.same.tolist() == [p.same for p in pairs]
    told = " ".join(material.notes)
    assert "1 pairs are listed as non-mated" in told
    assert "line 4: w, y" in told
    assert "1 pairs are listed more than once" in told
    assert "1 pairs are of a photo with itself, such as line 7" in told
