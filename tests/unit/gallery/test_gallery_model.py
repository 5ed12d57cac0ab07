"""Random histories against a plain model: what is enrolled, who is found, what is left in bytes."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from facelign.errors import DuplicateTemplate
from facelign.gallery.gallery import Gallery
from facelign.gallery.traces import files_with
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.policies import TemplateMode
from facelign.types.templates import FaceRecord, PhotoRef

SPACE = Space("sface/arcface-112/five", 64, Metric.COSINE, unit=True)
NAMES = st.sampled_from(["Ada", "Bob", "Zoë", "A much longer name, so that rows of it grow"])
PICK = st.integers(0, 10**6)


def vector(number: int) -> np.ndarray:
    made = np.random.default_rng(number).normal(size=(1, SPACE.dim)).astype(np.float32)
    return made / np.linalg.norm(made)


class Model(RuleBasedStateMachine):
    """``people``: name -> {template id: photo}; ``rejected``: name -> photos; ``past``: to undo."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "g.db"
        self.gallery = Gallery.open(self.path)
        self.gallery.store._db.execute("PRAGMA synchronous = OFF")  # for speed of the test alone
        self.reader = Gallery.open(self.path, readonly=True)
        self.people: dict[str, dict[int, int]] = {}
        self.rejected: dict[str, set[int]] = {}
        self.past: list[tuple[dict, dict]] = []
        self.gone: set[int] = set()
        self.photos = 0

    def teardown(self) -> None:
        self.gallery.close()
        self.reader.close()
        shutil.rmtree(self.folder)

    def keep(self) -> None:
        self.past.append((copy.deepcopy(self.people), copy.deepcopy(self.rejected)))

    def used(self) -> list[tuple[int, str]]:
        """Return (photo, person) of the templates in use.

        A photo may be in use for two people: who takes over a template that was set aside (split,
        merge) did not have the photo rejected.
        """
        return [
            (photo, name)
            for name, held in self.people.items()
            for photo in held.values()
            if photo not in self.rejected.get(name, ())
        ]

    def who(self, pick: int, among: list[str]) -> str:
        return sorted(among)[pick % len(among)]

    def enroll_photo(self, name: str, photo: int) -> None:
        embeddings = Embeddings(vector(photo), SPACE, np.ones(1, np.float32))
        (template,) = self.gallery.enroll(
            name, embeddings, photo=PhotoRef(f"{photo}.jpg", f"{photo:064x}"), faces=[FaceRecord()]
        )
        self.people.setdefault(name, {})[template] = photo
        self.gone.discard(photo)

    @rule(name=NAMES, again=st.booleans(), pick=PICK)
    def enroll(self, name: str, again: bool, pick: int) -> None:
        if again and self.photos:
            photo = pick % self.photos
            if photo in dict(self.used()) or photo in self.rejected.get(name, ()):
                try:
                    self.enroll_photo(name, photo)
                except DuplicateTemplate:
                    return
                raise AssertionError("a duplicate was enrolled")
        else:
            photo, self.photos = self.photos, self.photos + 1
        self.keep()
        self.enroll_photo(name, photo)

    @precondition(lambda self: self.people)
    @rule(who=PICK, new=NAMES)
    def rename(self, who: int, new: str) -> None:
        old = self.who(who, list(self.people))
        if new in self.people:
            return
        self.keep()
        self.gallery.rename(old, new)
        self.people[new] = self.people.pop(old)
        if old in self.rejected:
            self.rejected[new] = self.rejected.pop(old)

    @precondition(lambda self: len(self.people) > 1)
    @rule(first=PICK, second=PICK)
    def merge(self, first: int, second: int) -> None:
        a = self.who(first, list(self.people))
        b = self.who(second, [name for name in self.people if name != a])
        self.keep()
        assert self.gallery.merge(a, b) == len(self.people[a])
        self.people[b] |= self.people.pop(a)
        self.rejected.setdefault(b, set()).update(self.rejected.pop(a, set()))

    @precondition(lambda self: any(len(t) > 1 for t in self.people.values()))
    @rule(who=PICK, count=PICK, new=NAMES)
    def split(self, who: int, count: int, new: str) -> None:
        if new in self.people:
            return
        name = self.who(who, [name for name, held in self.people.items() if len(held) > 1])
        ids = sorted(self.people[name])
        chosen = ids[: 1 + count % (len(ids) - 1)]
        self.keep()
        self.gallery.split(name, chosen, new)
        self.people[new] = {i: self.people[name].pop(i) for i in chosen}

    @precondition(lambda self: self.people and self.photos)
    @rule(who=PICK, pick=PICK)
    def reject(self, who: int, pick: int) -> None:
        name = self.who(who, list(self.people))
        photo = pick % self.photos
        if photo not in self.rejected.get(name, ()):
            self.keep()
        self.gallery.reject(name, digest=f"{photo:064x}")
        self.rejected.setdefault(name, set()).add(photo)

    @precondition(lambda self: self.past)
    @rule()
    def undo(self) -> None:
        before = {p for held in self.people.values() for p in held.values()}
        self.gallery.undo()
        self.people, self.rejected = self.past.pop()
        self.gone |= before - {p for held in self.people.values() for p in held.values()}

    @precondition(lambda self: self.people)
    @rule(who=PICK)
    def remove(self, who: int) -> None:
        name = self.who(who, list(self.people))
        held = self.people.pop(name)
        self.rejected.pop(name, None)
        receipt = self.gallery.remove(name)
        assert receipt.verified
        assert receipt.templates == len(held)
        kept = {p for held in self.people.values() for p in held.values()}
        self.gone |= set(held.values()) - kept
        self.past.clear()  # what came before a removal is not undone
        log = self.gallery.history()
        assert log[-1].action == "remove"
        assert not any(name in change.text for change in log if name not in self.people)

    @invariant()
    def the_lists_agree(self) -> None:
        used = self.used()
        counts = {name: sum(p == name for _, p in used) for name in self.people}
        for gallery in (self.gallery, self.reader):
            assert {p.name: p.templates for p in gallery.people()} == counts
            people = len({name for _, name in used})
            assert gallery.count(SPACE.id) == (people, len(used))

    @invariant()
    def the_right_ones_are_found(self) -> None:
        used = self.used()
        everybody = {name for _, name in used}
        probes = Embeddings(
            np.concatenate([vector(i) for i in range(self.photos)])
            if self.photos
            else np.zeros((0, SPACE.dim), np.float32),
            SPACE,
            np.ones(self.photos, np.float32),
        )
        digests = [f"{i:064x}" for i in range(self.photos)]
        for gallery in (self.gallery, self.reader):
            for photo, found in enumerate(gallery.search(probes, k=9)):
                assert {f.person for f in found} == everybody
                owners = {f.person for f in found if f.score > 0.999}
                assert owners == {name for p, name in used if p == photo}
            for mode in TemplateMode:
                for photo, found in enumerate(
                    gallery.search(probes, k=9, mode=mode, photo_digest=digests)
                ):
                    barred = {n for n, photos in self.rejected.items() if photo in photos}
                    assert {f.person for f in found} == everybody - barred

    @invariant()
    def no_byte_of_the_gone_is_left(self) -> None:
        pieces = [vector(photo).tobytes() for photo in self.gone]
        files = [p for p in self.folder.iterdir() if p.name.startswith("g.db")]
        assert files_with(pieces, files) == ()


Model.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestModel = Model.TestCase


def test_a_template_that_was_set_aside_may_become_another_persons() -> None:
    """Ada's template of photo 0 was rejected and the photo enrolled for another; parted from Ada it
    is in use again, so that the photo is in use for two.
    """
    model = Model()
    other = "A much longer name, so that rows of it grow"
    for step in (
        lambda: model.enroll(name="Ada", again=False, pick=0),
        lambda: model.reject(who=0, pick=0),
        lambda: model.enroll(name="Ada", again=False, pick=0),
        lambda: model.enroll(name=other, again=True, pick=0),
        lambda: model.reject(who=0, pick=0),
        lambda: model.undo(),
        lambda: model.split(who=1, count=0, new="Bob"),
    ):
        step()
        model.the_lists_agree()
        model.the_right_ones_are_found()
        model.no_byte_of_the_gone_is_left()
    assert sorted(model.used()) == [(0, other), (0, "Bob"), (1, "Ada")]
    model.teardown()
