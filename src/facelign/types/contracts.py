"""What a stage must do to take part: the ports of the house; the laws are tests/contracts.

An implementation inherits its port, and with it the defaults of the traits that it does not name;
nothing asks whether an attribute is there.

A model class is constructed by the registry as ``Class(spec, files, options, engine)``:
``files`` maps a WeightFile's name to the path that is ready for the engine, ``options`` is the
model's frozen options dataclass, ``engine`` is ``runtime.onnx.OnnxOptions``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from facelign.types.arrays import Float32Array, Float64Array, IntArray
from facelign.types.changes import Change, Enroll, Entry, Erased, PersonRef
from facelign.types.chips import Chips
from facelign.types.closing import Closing
from facelign.types.embeddings import Embeddings, Space
from facelign.types.events import Event
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import Scheme
from facelign.types.specs import ModelSpec
from facelign.types.templates import (
    Checkup,
    EnrolledPhoto,
    Holder,
    Person,
    Removal,
    Row,
    SpaceCount,
    State,
    TemplateInfo,
    TemplateVectors,
)

WeightPaths = Mapping[str, Path]


class Detector(Protocol):
    """Finds faces. Laws: deterministic; input unchanged; a mirrored photo gives mirrored faces;
    a blank photo gives n = 0; boxes and points are in the plane of ``image.size``.

    wants_px: the long side that it needs, px: larger photos may be decoded reduced to it, those
    longer than 2:1 to as many pixels as 4:3 has.
    score_floor: the smallest score that it calls a face. sure_score: above it a face is believed
    even in a photo that was turned to find it. upright_score: below it the best face of a photo may
    be one that is not upright.
    """

    spec: ModelSpec
    wants_px: int | None = None
    score_floor: float = 0.0
    sure_score: float | None = None
    upright_score: float | None = None

    @abstractmethod
    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        ...

    def glance(self, image: Image) -> Faces:
        """Return the same faces sooner, with points that may be less exact: for what is followed
        from frame to frame. ``closer`` makes them exact.
        """
        return self.detect(image)

    def closer(self, image: Image, faces: Faces) -> Faces:
        """Return faces that ``glance`` gave, or some of them, with the points of ``detect``."""
        return faces


class Explanation(Protocol):
    """What a detector saw on its way to an answer."""

    def record(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        ...

    def lines(self) -> list[str]:
        """Return it as lines for people."""
        ...


@runtime_checkable
class StagedDetector(Protocol):
    """A detector that can tell what each of its stages found."""

    def stages(self, image: Image) -> Explanation:
        """Return what every stage found in ``image``."""
        ...


class Landmarker(Protocol):
    """Places landmarks. Laws: same n, boxes and order; a shifted photo gives shifted points."""

    spec: ModelSpec
    scheme: Scheme

    @abstractmethod
    def locate(self, image: Image, faces: Faces) -> Faces:
        """Return the same faces with points of ``scheme``, in the plane of ``image.size``."""
        ...


class Layout(Protocol):
    """Pure geometry, no weights. Laws: template points map onto themselves; a rotated photo gives
    (nearly) the same chip when aligned by points; impossible points raise, never NaN.

    size: (width, height) of the chip. needs: "box" or scheme ids it can align by, best first.
    sampling: part of a layout, because it moves vectors. "warp": bilinear (OpenCV), black outside,
    area reduction first when shrinking. "dlib": dlib's own chip extraction, byte for byte.
    scaled_by: what says how large a face is: its points, or its box where points only turn.
    """

    id: str
    size: tuple[int, int]
    needs: tuple[str, ...]
    sampling: Literal["warp", "dlib"] = "warp"
    scaled_by: Literal["points", "box"] = "points"

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        ...


class Embedder(Protocol):
    """Turns chips into vectors. Laws: refuses a foreign layout; batch = singles; order kept;
    unit length exactly when ``space.unit``.

    layouts: ids of the layouts whose chips it reads; a joint of several models may read several.
    """

    space: Space
    layouts: tuple[str, ...]

    @property
    def parts(self) -> tuple[Space, ...]:
        """The spaces whose vectors lie end to end in its own: itself, unless it is a joint."""
        return (self.space,)

    def prepare(self) -> None:
        """Open what the first chips would have to wait for."""

    @abstractmethod
    def embed(self, *chips: Chips) -> Embeddings:
        """Return the vectors of n faces, in their order; n = 0 gives the empty set.

        chips: the n faces once in every layout of ``layouts``. Raises ModelMismatch for chips of
        another layout, size or kind of points.
        """
        ...


class Quality(Protocol):
    """Measures what explains a refusal. Laws: one finite number a face and name, in the order of
    the faces; deterministic; input unchanged; measures of points are left out where there are none.

    names: every measure that it can give.
    """

    names: tuple[str, ...]

    @abstractmethod
    def measure(
        self, image: Image, faces: Faces, chips: Chips | None = None
    ) -> Mapping[str, Float32Array]:
        """Return the numbers (n,) of n faces by name; chips: the same faces aligned."""
        ...


class Liveness(Protocol):
    """Tells bona fide presentations from attacks. Laws: one score in [0, 1] a face, in their order;
    deterministic; input unchanged; no face gives no score.

    threshold: the score from which on a presentation is taken for bona fide. smallest_px: height
    of the smallest face that it can judge. least_reach: how many times the sides of a face's box
    the photo must hold, for what is around it to be seen. widest_yaw_deg: how far a head may be
    turned aside, or None.
    """

    id: str
    threshold: float = 0.5
    smallest_px: float = 0.0
    least_reach: float = 1.0
    widest_yaw_deg: float | None = None

    @abstractmethod
    def judge(self, image: Image, faces: Faces) -> Float32Array:
        """Return (n,) float32: larger is more likely a person before the camera."""
        ...


class HeadPose(Protocol):
    """Tells which way heads look. Laws: three finite angles a face, in their order; a mirrored
    photo gives yaw and roll of the other sign; deterministic; input unchanged.
    """

    spec: ModelSpec

    @abstractmethod
    def estimate(self, image: Image, faces: Faces) -> Float32Array:
        """Return yaw, pitch and roll (n, 3), degrees, zero when frontal.

        Yaw > 0: the subject looks to its own left; pitch > 0: down; roll > 0: the head leans to its
        own right shoulder. Raises ModelMismatch for faces whose points it cannot use.
        """
        ...


class Segmenter(Protocol):
    """Tells people from what is behind them. Laws: one share in [0, 1] a pixel; a mirrored photo
    gives (nearly) the mirrored mask; deterministic; input unchanged.
    """

    spec: ModelSpec

    @abstractmethod
    def segment(self, image: Image) -> Float32Array:
        """Return (h, w) float32, for each pixel of ``image.pixels`` how much of it is a person."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a film or camera. number: counts from 0. time_s: since the first, rising."""

    image: Image
    number: int
    time_s: float


class FrameSource(Closing, Protocol):
    """Gives frames. Laws: numbers and times rise; after ``close`` there are none; closing twice
    does no harm.

    live: whether frames that nobody takes in time are lost, as those of a camera. fps: frames a
    second, where the source says so. duration_s: its length, where it says so. broke: after the
    last frame, where pictures are missing that should be there, in a sentence; None where all came.
    """

    live: bool = False
    fps: float | None = None
    duration_s: float | None = None
    broke: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Let the film or camera go."""


class Tracker(Protocol):
    """Follows faces from frame to frame. Laws: the same faces in the same order come back, each
    with an id of its own in ``track_ids``; a face that stays keeps its id; a new one gets an id
    that was never used, below 0 where it is too weak to be followed; ``reset`` forgets all tracks.

    patience_s: how long a face may be out of sight and keep its id.
    """

    patience_s: float = 0.0

    @abstractmethod
    def update(self, faces: Faces, time_s: float) -> Faces:
        """Return the faces of the next frame with ``track_ids``."""
        ...

    @abstractmethod
    def reset(self) -> None:
        """Forget every track, as at the cut of a film."""
        ...


class EventSink(Closing, Protocol):
    """Takes events. Laws: an event that is put twice (by its id) is taken once; order is kept; no
    events are ordinary; after SinkError the same events can be put again and none is lost, none
    taken twice; closing twice does no harm.

    name: for people, without any password. durable: whether what ``put`` has returned for is there
    after the process was killed.
    """

    name: str
    durable: bool = False

    @abstractmethod
    def put(self, events: Sequence[Event]) -> None:
        """Take events, oldest first; returns when they are kept, or where they should be.

        Raises SinkError, which says in one sentence why they could not be taken.
        """
        ...

    def forget(self, person: str) -> int:
        """Take a person out of what is kept; returns how many events that were.

        Events that bear the name are deleted; of others the reason goes where it tells the name.
        Raises SinkError. Nothing is done where nothing is kept.
        """
        return 0

    def close(self) -> None:
        """Let the file or connection go."""


class EventLog(EventSink, Protocol):
    """A durable sink that can be read. Laws: those of sinks; what was put comes back as it was, to
    the digits of its record.
    """

    durable: bool = True

    @abstractmethod
    def newest(self) -> Iterator[Event]:
        """Yield what is kept, the last that was put first."""
        ...

    @abstractmethod
    def drop_before(self, time: datetime) -> int:
        """Delete the events from before a moment; returns how many. Raises SinkError."""
        ...

    def between(
        self, start: datetime | None = None, end: datetime | None = None, person: str | None = None
    ) -> list[Event]:
        """Return the events from ``start`` to before ``end``, those that bear a name or all, by
        their time.
        """
        kept = [
            event
            for event in self.newest()
            if (start is None or event.time >= start)
            and (end is None or event.time < end)
            and person in (None, event.person)
        ]
        kept.reverse()
        return sorted(kept, key=lambda event: event.time)


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Array form of search results: ids (m, k) int64 (-1 = none), scores (m, k) float32
    (larger is more alike), counts (m,) int64.
    """

    ids: IntArray
    scores: Float32Array
    counts: IntArray

    def __post_init__(self) -> None:
        if self.ids.shape != self.scores.shape or self.ids.dtype != np.int64:
            raise ValueError("hits: ids and scores disagree")


class Index(Protocol):
    """A disposable accelerator over (id, vector). Laws: what was added is found first; what was
    removed is never found; recall against exact search is stated; a search may run while vectors
    are added and removed.

    It is made with a space. exact: whether every vector is looked at, so that nobody can be missed.
    recall: the share of the k nearest that it finds at least.
    """

    space: Space
    exact: bool = True
    recall: float = 1.0

    def __len__(self) -> int: ...

    def add(self, ids: IntArray, vectors: Float32Array) -> None:
        """Add n vectors (n, d); their ids must rise and be larger than every id before."""
        ...

    def remove(self, ids: IntArray) -> int:
        """Take vectors out; returns how many of the ids there were."""
        ...

    def search(self, vectors: Float32Array, k: int) -> Hits:
        """Return the k vectors most like each of m probes (m, d), best first."""
        ...

    def vectors(self, ids: IntArray) -> Float32Array:
        """Return (m, d): the vectors of ids that are in it, of unit length in a cosine space."""
        ...


class TemplateStore(Protocol):
    """The truth about people, templates and what was done. ``Gallery`` holds the rules: a store is
    asked for what makes sense only, and keeps it.

    Laws: vectors come back bit for bit; a failed transaction leaves no trace, an inner one that is
    caught neither; every inverse leads back; ids rise and are never used again; removed means gone.

    It is made with a path: of its file, or a mere name. name: for people. location: the file,
    beside which others of the gallery may lie, or None; places: it and the link to it, if any.
    readonly: whether nothing may be changed. backs_up: whether ``back_up`` copies it to a file.
    """

    name: str
    location: Path | None = None
    places: tuple[Path, ...] = ()
    readonly: bool = False
    backs_up: bool = False

    def state(self) -> State:
        """Return where the gallery stands now, whoever brought it there."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what is done inside as one revision, or leave no trace of it. Inside of another,
        a failure takes back the inner part only. Raises GalleryBusy when others write too long.
        """
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Give several reads one and the same state."""
        ...

    def close(self) -> None:
        """Let everything go."""
        ...

    # -- what is kept ----------------------------------------------------------------------------

    def person(self, name: str) -> PersonRef | None:
        """Return the person of a name."""
        ...

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        ...

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        ...

    def spaces(self) -> list[SpaceCount]:
        """Return the spaces that hold templates in use, most templates first."""
        ...

    def templates(self, person: PersonRef) -> list[TemplateInfo]:
        """Return what is kept with each template of a person, by rising id."""
        ...

    def photos(self, digests: Sequence[str], space_id: str) -> list[EnrolledPhoto]:
        """Return the templates in use of some photos in a space."""
        ...

    def rejections(self, digests: Sequence[str] | None = None) -> dict[str, frozenset[int]]:
        """Return, by digest (of some photos, or all), the ids of people it does not show."""
        ...

    def rejected(self, person: PersonRef) -> dict[str, str]:
        """Return where each photo lay that was rejected as a person's, by digest; "" if unknown."""
        ...

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        ...

    def vectors(self, space_id: str, after: int = 0) -> Iterator[TemplateVectors]:
        """Yield the templates in use with an id over ``after``, by rising id, in parts."""
        ...

    # -- changes ---------------------------------------------------------------------------------

    def enroll(self, rows: Sequence[Row], space: Space) -> Enroll:
        """Keep templates; people who are new are made. Raises SpaceMismatch for another space of
        the same id.
        """
        ...

    def apply(self, change: Change) -> Change | None:
        """Do a change and return its inverse, or None when nothing changed or nothing leads back.

        Raises GalleryError for a name that is taken.
        """
        ...

    def remove(self, person: PersonRef, forget: Collection[int]) -> Erased:
        """Delete a person with templates, rejections and the entries numbered ``forget``."""
        ...

    def history(self) -> Iterator[Entry]:
        """Yield the history, newest first."""
        ...

    def record(self, entry: Entry) -> None:
        """Write down a new entry (number 0), or when one of the history was undone."""
        ...

    # -- calibrations ----------------------------------------------------------------------------

    def calibrations(self) -> dict[str, str]:
        """Return the calibrations that were made for the spaces, as JSON, by space."""
        ...

    def keep_calibration(self, space_id: str, record: str | None) -> None:
        """Keep the calibration of a space in the place of one before, or None; no revision."""
        ...

    # -- bytes -----------------------------------------------------------------------------------

    def kept(self, first: int, end: int) -> Erased:
        """Return what is kept as the templates with ids from ``first`` to before ``end``."""
        ...

    def every_vector(self) -> Iterator[Sequence[tuple[int, int, bytes]]]:
        """Yield (template, person, little-endian float32 vector) in parts, those that are set aside
        too: what a removal looks through in a back-up.
        """
        ...

    def holders(self) -> list[Holder]:
        """Return the files elsewhere that hold vectors of the gallery, by path."""
        ...

    def hold(self, holder: Holder) -> None:
        """Write down such a file, by its path; no revision comes of it."""
        ...

    def let_go(self, path: Path) -> None:
        """Forget such a file."""
        ...

    def removals(self) -> list[Removal]:
        """Return what is known of removals, newest first."""
        ...

    def keep(self, removal: Removal) -> None:
        """Write down how far a removal is, by its id; no revision comes of it."""
        ...

    def check(self) -> Checkup:
        """Look everything through that is kept, without changing it."""
        return Checkup(self.location)

    def back_up(self, target: Path, told: Callable[[int, int], None]) -> Checkup:
        """Write everything that is kept to a file that ``open_store`` opens, and check it; asked of
        a store that ``backs_up``. told: called with the bytes done and the bytes of all.
        """
        return Checkup(None)

    def files(self) -> list[Path]:
        """Return the files in which vectors may lie, for the proof of a removal."""
        return []

    def scrub(self, wait_s: float | None = None) -> None:
        """Overwrite what was deleted, so that no byte is left in the files.

        wait_s: how long a reader is waited for, instead of the store's own.
        """
        return

    def shared(self, vectors: Collection[bytes]) -> set[bytes]:
        """Return those vectors that a template holds now; asked where a trace was found."""
        ...
