"""What the cache keeps, forgets, and survives."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from facelign.errors import GalleryCorrupt
from facelign.gallery.cache import VectorCache
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, IBUG_68

CHAIN = "v1|yunet()|-|sface/arcface-112/five|downscale=1|tries=11|"


@pytest.fixture
def cache(tmp_path):
    with VectorCache(tmp_path / "cache" / "vectors.db") as opened:
        yield opened


def photo(make, n=3, embedded=(0, 2), scheme=FIVE, seed=1):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (n, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + 50], axis=1)
    landmarks = None
    if scheme is not None:
        landmarks = Landmarks(rng.normal(size=(n, scheme.k, 2)).astype(np.float32), scheme)
    faces = Faces(boxes, rng.uniform(size=n).astype(np.float32), landmarks, "yunet", (640, 480))
    return Analysis(
        PhotoInfo("party.jpg", "", (640, 480)),
        faces,
        np.array(embedded, np.int64),
        make.vectors(len(embedded), seed),
        ((1, "the points are no face's, ünï"),),
        ("padded",),
    )


def same(a, b):
    np.testing.assert_array_equal(a.faces.boxes, b.faces.boxes)
    np.testing.assert_array_equal(a.faces.scores, b.faces.scores)
    if a.faces.landmarks is None:
        assert b.faces.landmarks is None
    else:
        np.testing.assert_array_equal(a.faces.landmarks.points, b.faces.landmarks.points)
        assert a.faces.landmarks.scheme is b.faces.landmarks.scheme
    assert (a.faces.detector, a.faces.image_size) == (b.faces.detector, b.faces.image_size)
    np.testing.assert_array_equal(a.embedded, b.embedded)
    np.testing.assert_array_equal(a.embeddings.vectors, b.embeddings.vectors)
    np.testing.assert_array_equal(a.embeddings.norms, b.embeddings.norms)
    assert a.embeddings.space == b.embeddings.space
    assert (a.dropped, a.attempts) == (b.dropped, b.attempts)
    assert b.cached
    assert b.photo.size == b.faces.image_size


@pytest.mark.parametrize("scheme", [FIVE, IBUG_68, None])
def test_an_entry_comes_back_bit_for_bit(cache, make, scheme):
    kept = photo(make, scheme=scheme)
    cache.put("a" * 64, CHAIN, kept)
    same(kept, cache.get("a" * 64, CHAIN))
    assert cache.get("a" * 64, CHAIN).photo.digest == "a" * 64


def test_a_photo_without_faces_is_known_too(cache, make):
    nothing = Analysis(
        PhotoInfo("", "", (10, 20)),
        Faces.none("yunet", (10, 20)),
        np.zeros(0, np.int64),
        Embeddings.none(make.cosine),
    )
    cache.put("a" * 64, CHAIN, nothing)
    found = cache.get("a" * 64, CHAIN)
    assert len(found.faces) == 0
    assert found.embeddings.vectors.shape == (0, 128)


def test_keys_are_photo_and_chain(cache, make):
    cache.put("a" * 64, CHAIN, photo(make))
    assert cache.get("b" * 64, CHAIN) is None
    assert cache.get("a" * 64, CHAIN + "gamma=2") is None
    cache.put("", CHAIN, photo(make))  # a photo without a digest has no key
    assert cache.info().entries == 1
    cache.put("a" * 64, CHAIN, photo(make, seed=2))
    same(photo(make, seed=2), cache.get("a" * 64, CHAIN))
    assert cache.info().entries == 1
    assert [cache.get(digest * 64, CHAIN) is not None for digest in "ab"] == [True, False]


def test_nothing_is_made_until_something_is_put(cache, make):
    assert cache.get("a" * 64, CHAIN) is None
    assert (cache.info().entries, cache.clear(), cache.purge([]), cache.files()) == (0, 0, 0, [])
    assert not cache.path.parent.exists()
    cache.put("a" * 64, CHAIN, photo(make))
    if os.name != "nt":
        assert {stat.S_IMODE(f.stat().st_mode) for f in cache.files()} == {0o600}


@pytest.mark.parametrize("open_before", [True, False])
def test_purged_photos_are_not_kept_again_by_whoever_is_at_work(tmp_path, make, open_before):
    path = tmp_path / "vectors.db"
    with VectorCache(path) as other, VectorCache(path) as cache:
        if open_before:
            other.put("b" * 64, CHAIN, photo(make, seed=2))
            other.put("a" * 64, CHAIN, photo(make))
        assert cache.purge(["a" * 64]) == int(open_before)
        other.put("a" * 64, CHAIN, photo(make))
        other.put("b" * 64, CHAIN, photo(make, seed=2))
        assert other.get("a" * 64, CHAIN) is None
        assert other.get("b" * 64, CHAIN) is not None
        data = make.files(path)
        assert make.traces(data, make.vectors(2, 1)) == 0
        assert b"a" * 64 not in data
        cache.clear()
        other.put("a" * 64, CHAIN, photo(make))
        assert other.get("a" * 64, CHAIN) is None


def test_a_cache_of_before_keeps_no_removed_photos_either(tmp_path, make):
    path = tmp_path / "vectors.db"
    with VectorCache(path) as cache:
        cache.put("a" * 64, CHAIN, photo(make))
    db = sqlite3.connect(path)
    db.execute("DROP TABLE removed")
    db.close()
    with VectorCache(path) as cache:
        assert cache.get("a" * 64, CHAIN) is not None
        assert cache.purge(["a" * 64]) == 1
        cache.put("a" * 64, CHAIN, photo(make))
        assert cache.get("a" * 64, CHAIN) is None


def spoil_inside(path):
    """Damage every page but the first, which is all that opening looks at."""
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["purge", "clear"])
def test_a_cache_that_is_damaged_inside_is_erased(tmp_path, make, caplog, how):
    path = tmp_path / "vectors.db"
    with VectorCache(path) as cache:
        for i in range(8):
            cache.put(f"{i:064x}", CHAIN, photo(make, seed=i))
    spoil_inside(path)
    with VectorCache(path) as cache, caplog.at_level(logging.WARNING):
        (cache.purge if how == "purge" else lambda _: cache.clear())([f"{1:064x}"])
        assert "begun anew" in caplog.text
        assert not [f for f in cache.files() if "damaged" in f.name]
        cache.put(f"{2:064x}", CHAIN, photo(make, seed=2))
        assert cache.get(f"{2:064x}", CHAIN) is not None


@pytest.mark.parametrize("where", ["data", "meta"])
def test_an_entry_with_another_byte_is_not_used(tmp_path, make, caplog, where):
    path = tmp_path / "vectors.db"
    with VectorCache(path) as cache:
        cache.put("a" * 64, CHAIN, photo(make, seed=1))
        same(photo(make, seed=1), cache.get("a" * 64, CHAIN))
    old = make.vectors(2, 1).vectors[1].tobytes() if where == "data" else b'"embedded":[0'
    data = path.read_bytes()
    at = data.index(old) + len(old) - 1
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with VectorCache(path) as cache, caplog.at_level(logging.WARNING):
        assert cache.get("a" * 64, CHAIN) is None
        assert "bytes of it have changed" in caplog.text
        cache.put("a" * 64, CHAIN, photo(make, seed=1))
        same(photo(make, seed=1), cache.get("a" * 64, CHAIN))


def test_an_entry_without_its_checksum_is_not_used(tmp_path, make, caplog):
    path = tmp_path / "vectors.db"
    with VectorCache(path) as cache:
        cache.put("a" * 64, CHAIN, photo(make, seed=1))
    with sqlite3.connect(path) as db:  # as an older facelign wrote it
        db.execute("UPDATE entries SET meta = substr(meta, 1, instr(meta, ',\"sum\":') - 1) || '}'")
    db.close()
    with VectorCache(path) as cache, caplog.at_level(logging.WARNING):
        assert cache.get("a" * 64, CHAIN) is None
        assert not caplog.text  # nothing is wrong with it, and there may be thousands
        cache.put("a" * 64, CHAIN, photo(make, seed=1))
        same(photo(make, seed=1), cache.get("a" * 64, CHAIN))


def test_purge_and_clear_leave_no_byte(cache, make):
    for i in range(20):
        cache.put(f"{i:064x}", CHAIN, photo(make, seed=i))
    cache.put(f"{0:064x}", CHAIN, photo(make, seed=100))  # replaced: the old vectors are scrap
    cache.put(f"{1:064x}", "another chain", photo(make, seed=101))
    assert cache.purge([f"{1:064x}", f"{2:064x}", "unknown"]) == 3
    data = make.files(cache.path)
    assert [make.traces(data, make.vectors(2, seed)) for seed in (0, 1, 2, 101, 3)] == [
        0,
        0,
        0,
        0,
        2,
    ]
    assert cache.clear() == 18
    data = make.files(cache.path)
    assert sum(make.traces(data, make.vectors(2, seed)) for seed in (*range(20), 100)) == 0
    assert cache.info().bytes == 0


def test_the_longest_unused_go_when_it_is_full(tmp_path, make):
    size = 0
    with VectorCache(tmp_path / "v.db") as cache:
        cache.put("0", CHAIN, photo(make))
        size = cache.info().bytes
    with VectorCache(tmp_path / "v.db", limit_bytes=10 * size) as cache:
        for i in range(10):
            cache.put(str(i), CHAIN, photo(make))
        yesterday = int(time.time()) // 86_400 - 1
        cache._db.execute("UPDATE entries SET used = ?", (yesterday,))
        assert cache.get("0", CHAIN) is not None  # used today
        cache.put("new", CHAIN, photo(make))
        assert cache.info().bytes <= 10 * size
        left = [i for i in (*map(str, range(10)), "new") if cache.get(i, CHAIN)]
        assert left == ["0", *map(str, range(3, 10)), "new"]


@pytest.mark.parametrize("damage", ["text", "zeros", "middle", "entry", "layout"])
def test_a_damaged_cache_is_begun_anew(tmp_path, make, caplog, damage):
    path = tmp_path / "v.db"
    with VectorCache(path) as cache:
        for i in range(20):
            cache.put(str(i), CHAIN, photo(make, seed=i))
    data = bytearray(path.read_bytes())
    if damage == "text":
        path.write_text("this is no database")
    elif damage == "zeros":
        path.write_bytes(bytes(len(data)))
    elif damage == "middle":
        data[4096:] = os.urandom(len(data) - 4096)
        path.write_bytes(data)
    else:
        with sqlite3.connect(path) as db:
            if damage == "entry":
                db.execute("UPDATE entries SET meta = '{}'")
            else:
                db.execute("PRAGMA user_version = 99")
        db.close()
    with caplog.at_level(logging.WARNING), VectorCache(path) as cache:
        assert cache.get("1", CHAIN) is None
        cache.put("1", CHAIN, photo(make, seed=1))
        if damage == "middle":  # found out at the first look: used again from the next opening on
            cache.close()
            cache = VectorCache(path)
            cache.put("1", CHAIN, photo(make, seed=1))
        same(photo(make, seed=1), cache.get("1", CHAIN))
        assert caplog.records
        cache.purge([])
        assert not [f for f in cache.files() if "damaged" in f.name]
        assert make.traces(make.files(path), make.vectors(2, 1)) == 2
        cache.close()


def test_a_database_of_another_program_is_not_touched(tmp_path, make):
    path = tmp_path / "v.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (title)")
    db.close()
    before = path.read_bytes()
    with VectorCache(path) as cache, pytest.raises(GalleryCorrupt, match="not touched"):
        cache.get("a", CHAIN)
    assert path.read_bytes() == before


def test_a_full_disk_only_means_that_nothing_is_kept(cache, make, caplog):
    cache.put("0", CHAIN, photo(make))
    pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
    cache._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with caplog.at_level(logging.WARNING):
        for i in range(100):
            cache.put(str(i), CHAIN, photo(make, seed=i))
        assert cache.get("99", CHAIN) is None
    assert "full" in caplog.text


def test_two_of_them_share_the_file(cache, make):
    with VectorCache(cache.path) as other:
        for i in range(10):
            (cache, other)[i % 2].put(str(i), CHAIN, photo(make, seed=i))
        for i in range(10):
            same(photo(make, seed=i), (other, cache)[i % 2].get(str(i), CHAIN))
        cache._db.execute("BEGIN IMMEDIATE")
        other.put("late", CHAIN, photo(make))  # busy: not kept, nothing fails
        cache._db.execute("ROLLBACK")
        assert other.get("late", CHAIN) is None
        other.put("late", CHAIN, photo(make))
        assert cache.get("late", CHAIN) is not None


def test_the_end_of_a_process_closes_what_it_left_open(tmp_path):
    """Also of one that ends without taking its objects apart, as the command line does."""
    code = (
        "import atexit, os, sys\n"
        "atexit.register(os._exit, 0)\n"
        "from facelign.gallery.cache import VectorCache\n"
        "cache = VectorCache(sys.argv[1])\n"
        "cache.purge(['0' * 64])\n"
        "assert os.path.exists(sys.argv[1] + '-wal')\n"
    )
    place = tmp_path / "vectors.db"
    subprocess.run([sys.executable, "-c", code, place], check=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.db"]
