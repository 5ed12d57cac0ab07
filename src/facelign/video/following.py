"""A frame walks the same stairs as a photo: find, follow, look where it is worth it, name.

Films and cameras are followed by this one ``FaceFollower``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from facelign.quality.measure import assess
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.types.analysis import Analysis
from facelign.types.arrays import BoolArray, ByteArray
from facelign.types.contracts import Frame, Tracker
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Box, Faces
from facelign.video import evidence
from facelign.video.crops import crop
from facelign.video.evidence import NOBODY, TrackVerdict
from facelign.video.looks import Budget, Look, Sighting
from facelign.video.options import FollowOptions


class Track:
    """A face that is followed: when it was seen, its looks, who it is.

    alone: who it is by its own looks. verdict: the same, but without a name that another track of
    the same frames bears with better evidence. met: the tracks that were in a frame with it. scene:
    how many cuts there were before it. crop: the face of its best look so far, (h, w, 3) uint8 RGB,
    where that is kept.
    """

    def __init__(self, number: int, view: Sighting, options: FollowOptions, scene: int = 0) -> None:
        self.number = number
        self.scene = scene
        self.first = self.last = view
        self.frames = 0
        self.looks: list[Look] = []
        self.alone: TrackVerdict = NOBODY
        self.verdict: TrackVerdict = NOBODY
        self.met: set[Track] = set()
        self.crop: ByteArray | None = None
        self.budget = Budget(options.looks, options.naming.min_height)

    @property
    def box(self) -> Box:
        """Where it was seen last, px of the frame."""
        return self.last.box

    @property
    def best(self) -> Look | None:
        """The look that says most about who it is: among those for its name, if it has one."""
        person = self.verdict.person
        mine = [look for look in self.looks if look.answer.person == person]
        return max(mine or self.looks, key=lambda look: look.weight, default=None)


class FaceFollower:
    """Follows the faces of one film or camera and names their tracks.

    gallery: whose people they may be. tracker: a fresh one. ``update`` takes frames with rising
    times; ``ended`` gives the tracks that are over, once each. crops: whether the best view of each
    face is kept as a picture.
    """

    def __init__(
        self,
        gallery: PhotoGallery,
        tracker: Tracker,
        options: FollowOptions | None = None,
        *,
        crops: bool = False,
    ) -> None:
        self._crops = crops
        finder = gallery.recognizer.chain.finder
        tries = finder.options.attempts
        self._glances = finder.landmarker is None and not (tries.padded or tries.turned)
        self.gallery = gallery
        self.options = options or FollowOptions()
        self._naming = evidence.visit_naming(self.options.naming, self.options.looks.looks)
        self._tracker = tracker
        self._tracks: dict[int, Track] = {}
        self._over: list[Track] = []
        self._scene = 0
        self._revision = gallery.gallery.revision

    @property
    def active(self) -> int:
        """How many tracks there are, those out of sight for a moment among them."""
        return len(self._tracks)

    def find(self, frame: Frame) -> Analysis:
        """Return the faces of a frame; it may be called by several threads.

        Their points are those of a glance where nothing else needs better ones: only faces that are
        looked at get a closer one.
        """
        recognizer = self.gallery.recognizer
        return recognizer.glance(frame.image) if self._glances else recognizer.find(frame.image)

    def update(self, frame: Frame, found: Analysis | None = None) -> list[Track]:
        """Return the tracks that are in the frame, with what is known of them now.

        found: what ``find`` gave for the frame, where it was called already.
        """
        found = found or self.find(frame)
        faces = self._tracker.update(found.faces, frame.time_s)
        found = replace(found, faces=faces)
        ids = np.zeros(0, np.int64) if faces.track_ids is None else faces.track_ids
        views = list(_views(frame, faces))
        here = [self._seen(int(i), view) for i, view in zip(ids, views, strict=True)]
        for track in here:
            track.met.update(other for other in here if other is not track)
        asks = [t.budget.wants(view) for t, view in zip(here, views, strict=True)]
        looked = self._look(found, here, views, np.array(asks, bool))
        self._judge(looked | self._named_again())
        if self._crops and found.image is not None:
            for track in looked:
                if track.best is not None and track.best.view is track.last:
                    track.crop = crop(found.image, track.box)
        self._end(frame.time_s)
        return here

    def cut(self) -> None:
        """Say that another scene begins: every track ends."""
        self._scene += 1
        self._tracker.reset()
        for track in self._tracks.values():
            self._leave(track)
        self._tracks = {}

    def ended(self) -> list[Track]:
        """Return the tracks that ended since the last call."""
        over, self._over = self._over, []
        return over

    def _seen(self, number: int, view: Sighting) -> Track:
        track = self._tracks.get(number)
        if track is None:
            track = self._tracks[number] = Track(number, view, self.options, self._scene)
        track.last = view
        track.frames += 1
        return track

    def _look(
        self, found: Analysis, here: Sequence[Track], views: Sequence[Sighting], asks: BoolArray
    ) -> set[Track]:
        """Embed and search for the faces that are worth it; returns their tracks."""
        asked = [i for i in range(len(here)) if asks[i]]
        if not asked:
            return set()
        recognizer = self.gallery.recognizer
        chosen = replace(found, faces=found.faces[asks])
        embedded = recognizer.embed(recognizer.closer(chosen) if self._glances else chosen)
        for i in asked:
            here[i].budget.taken(views[i])
        placed = [asked[int(k)] for k in embedded.embedded]
        if embedded.embeddings is None or not placed:
            return set()
        heights = [views[i].box.height for i in placed]
        answers = self.gallery.name(embedded.embeddings, heights, self.options.naming)
        for k, (i, answer) in enumerate(zip(placed, answers, strict=True)):
            here[i].looks.append(Look(views[i], embedded.embeddings[k : k + 1], answer))
        return {here[i] for i in placed}

    def _named_again(self) -> set[Track]:
        """Search for all looks again when people came or went, so that who was removed is unknown
        at once; returns the tracks.
        """
        revision = self.gallery.gallery.revision
        if revision == self._revision:
            return set()
        self._revision = revision
        tracks = {track for track in self._tracks.values() if track.looks}
        for track in tracks:
            vectors = Embeddings.joined([look.vector for look in track.looks])
            heights = [look.view.box.height for look in track.looks]
            answers = self.gallery.name(vectors, heights, self.options.naming)
            track.looks = [
                replace(look, answer=answer)
                for look, answer in zip(track.looks, answers, strict=True)
            ]
        return tracks

    def _judge(self, tracks: Iterable[Track]) -> None:
        """Decide who the tracks are that were looked at, and who of them bears a name."""
        for track in tracks:
            together = evidence.together(track.looks)
            (answer,) = self.gallery.name(together, None, self._naming)
            track.alone = evidence.verdict(track.looks, answer, self.options)
        for track in self._tracks.values():
            if not track.looks:
                track.alone = evidence.unseen(track.budget.missing)
        _one_name_each(set(self._tracks.values()))

    def _end(self, now_s: float) -> None:
        for number, track in list(self._tracks.items()):
            if now_s - track.last.time_s > self._tracker.patience_s:
                self._leave(self._tracks.pop(number))

    def _leave(self, track: Track) -> None:
        track.met = set()  # else each would keep all that came before it
        if track.verdict.person is None:  # nor does one who stays keep those who bear no name
            for other in self._tracks.values():
                other.met.discard(track)
        self._over.append(track)


def _one_name_each(tracks: Collection[Track]) -> None:
    """Give the tracks their verdicts: of those that met, the best evidence keeps a name.

    What is sure goes before what is not. A track that is over keeps what was told of it, and with
    better evidence also the name.
    """
    claims = {track: track.alone for track in tracks}
    claims |= {other: other.verdict for t in tracks for other in t.met if other not in claims}
    order = sorted(claims, key=lambda t: (claims[t].sure, claims[t].score or 0.0), reverse=True)
    kept: dict[str, set[Track]] = {}
    for track in order:
        claim, person = claims[track], claims[track].person
        if person is not None and not track.met.isdisjoint(kept.get(person, ())):
            reason = f"another face of these frames is more like {person}"
            claim = replace(claim, person=None, reason=reason)
        elif person is not None:
            kept.setdefault(person, set()).add(track)
        if track in tracks:
            track.verdict = claim


def _views(frame: Frame, faces: Faces) -> Iterator[Sighting]:
    if not len(faces):
        return
    numbers = assess(frame.image, faces)
    for i, face in enumerate(faces):
        yaw = None if numbers.yaw_deg is None else abs(float(numbers.yaw_deg[i]))
        sharp, inside = float(numbers.sharpness[i]), float(numbers.inside[i])
        yield Sighting(frame.time_s, frame.number, face.box, face.score, sharp, yaw, inside)
