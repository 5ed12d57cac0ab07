"""Several processes, and processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from facelign.errors import GalleryBusy
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.lock import HolderNote

ENROLL = textwrap.dedent(
    """
    import hashlib, sys
    import numpy as np
    from facelign.gallery.gallery import Gallery
    from facelign.types.templates import FaceRecord, PhotoRef
    from facelign.types.embeddings import Embeddings, Metric, Space
    path, first, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    space = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
    with Gallery.open(path) as gallery:
        for i in range(first, end):
            digest = hashlib.sha256(str(i).encode()).hexdigest()
            if gallery.has_photo(digest, space.id):
                continue
            v = np.random.default_rng(i).normal(size=(1, 128)).astype(np.float32)
            v /= np.linalg.norm(v)
            gallery.enroll(f"p{i % 7}", Embeddings(v, space, np.ones(1, np.float32)),
                           photo=PhotoRef(f"{i}.jpg", digest), faces=[FaceRecord()])
            print(i, flush=True)
    """
)


def start(path, first, end):
    return subprocess.Popen(
        [sys.executable, "-c", ENROLL, str(path), str(first), str(end)], stdout=subprocess.PIPE
    )


def test_kill_9_loses_nothing_that_was_acknowledged(path, make):
    said: list[int] = []
    for stop in (25, 60):
        with start(path, 0, 10_000) as process:
            said += [int(process.stdout.readline()) for _ in range(stop - len(said))]
            os.kill(process.pid, signal.SIGKILL)
            said += [int(line) for line in process.stdout.read().split(b"\n")[:-1] if line]
        with Gallery.open(path) as gallery:
            assert gallery.store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            people, templates = gallery.count(make.cosine.id)
            # a photo may have been enrolled and not told of, once for each kill
            assert people == 7
            assert len(said) <= templates <= len(said) + 2
            for i in said:
                found = gallery.search(make.vectors(1, i), k=1)[0][0]
                assert (found.person, round(found.score, 5)) == (f"p{i % 7}", 1)
    assert len(said) == len(set(said))


def test_two_processes_with_photos_of_their_own_both_succeed(path, make):
    running = [start(path, 0, 80), start(path, 80, 160)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0, 0]
    with Gallery.open(path) as gallery:
        assert gallery.count(make.cosine.id) == (7, 160)


def test_the_holder_of_the_lock_is_named(path, make):
    with Gallery.open(path) as holder, Gallery.open(path, wait_s=0.2) as other:
        with holder.store.transaction():
            make.put(holder, "Ada", 1)
            begun = time.monotonic()
            with pytest.raises(GalleryBusy, match=r"this process") as caught:
                make.put(other, "Bob", 2)
            assert time.monotonic() - begun >= 0.2
            assert caught.value.hint
        make.put(other, "Bob", 2)
        assert [p.name for p in other.people()] == ["Ada", "Bob"]


def test_a_writer_waits_for_another_one(path, make):
    code = textwrap.dedent(
        """
        import sys, time
        from facelign.gallery.gallery import Gallery
        gallery = Gallery.open(sys.argv[1])
        with gallery.store.transaction():
            gallery.store._db.execute("UPDATE state SET next_person = next_person")
            print("holding", flush=True)
            time.sleep(0.7)
        """
    )
    Gallery.open(path).close()
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"holding\n"
        with Gallery.open(path) as gallery:
            assert f"process {holder.pid}" in gallery.store._note.holder()
            make.put(gallery, "Ada", 1)
    assert holder.returncode == 0


def test_a_dead_or_broken_note_names_nobody(path):
    note = HolderNote(path, "facelign enroll")
    assert note.holder() == "another program"
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    for text in (
        "",
        "{",
        "[]",
        '{"pid": "x"}',
        json.dumps({"pid": gone.pid, "born": "", "command": "x"}),
    ):
        note.path.write_text(text)
        assert note.holder() == "another program"
    note.put()
    assert note.holder() == "facelign enroll (this process)"
    note.clear()
    assert note.holder() == "another program"
    assert note.path.read_bytes() == b""
    note.close()


def test_a_note_does_not_tell_names(path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/facelign", "people", "remove", "Ada Lovelace"])
    note = HolderNote(path)
    note.put()
    note.close()
    text = note.path.read_text()
    assert "facelign people" in text
    assert "Ada" not in text


def test_processes_that_start_together_make_one_gallery(path, make):
    running = [start(path, 10 * i, 10 * i + 1) for i in range(3)]
    for process in running:
        process.communicate(timeout=60)
    assert [process.returncode for process in running] == [0, 0, 0]
    with Gallery.open(path) as gallery:
        assert gallery.count(make.cosine.id)[1] == 3
    assert not [p for p in path.parent.iterdir() if p.name.endswith(".part")]
