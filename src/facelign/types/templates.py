"""What goes into a gallery and what comes out of it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from facelign.errors import ConfigError
from facelign.types.arrays import Arrays, Float32Array, IntArray, check
from facelign.types.embeddings import Space
from facelign.types.faces import Face

#: a name is shown in tables and becomes a folder; longer ones are a mistake
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class PhotoRef:
    """Which photo: where it was read from, and the SHA-256 of its bytes ("" when not known).

    reference: as ``spelled`` writes it.
    """

    reference: str
    digest: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", spelled(self.reference))


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord(Arrays):
    """Where in its photo an enrolled face was; every field None when that is not known.

    box: (x1, y1, x2, y2), px of the upright file. points: (k, 2) float32 px, in ``scheme``.
    score: of the detector. height: of the box, px.
    """

    box: tuple[float, float, float, float] | None = None
    points: Float32Array | None = None
    scheme: str | None = None
    score: float | None = None
    height: float | None = None

    def __post_init__(self) -> None:
        check(self, np.float32, points=(None, 2))

    @classmethod
    def of(cls, face: Face) -> FaceRecord:
        """Return the record of a detected face."""
        box = (face.box.x1, face.box.y1, face.box.x2, face.box.y2)
        scheme = None if face.landmarks is None else face.landmarks.scheme.id
        return cls(box, face.points, scheme, face.score, face.box.height)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One template of a bulk enrollment. vector: (d,) float32; norm: length of the raw output."""

    person: str
    vector: Float32Array = field(repr=False)
    photo: PhotoRef
    norm: float = 1.0
    face: FaceRecord = field(default_factory=FaceRecord)
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class EnrolledPhoto:
    """A template in use of a photo: whose, and the box of the face where that is known."""

    digest: str
    person: str
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class Bulk:
    """What a bulk enrollment did. skipped: (index of the row, reason) of the others."""

    enrolled: int
    skipped: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the gallery. templates: those in use (of rejected photos: not). created: UTC."""

    id: int
    name: str
    templates: int
    spaces: tuple[str, ...]
    created: str


@dataclass(frozen=True, slots=True, eq=False)
class TemplateInfo:
    """Everything that is kept with a template, except its vector. created: ISO 8601, UTC."""

    id: int
    person: str
    photo: PhotoRef
    space: str
    face: FaceRecord
    norm: float
    created: str
    consent: str | None
    rejected: bool


@dataclass(frozen=True, slots=True)
class SpaceCount:
    """A space of the gallery, and how many people and templates live in it."""

    space: Space
    people: int
    templates: int

    @property
    def id(self) -> str:
        """The id of the space."""
        return self.space.id


@dataclass(frozen=True, slots=True)
class State:
    """Where a gallery stands. revision: grows with every committed change; reshaped: the last
    revision that was more than an addition of templates.
    """

    revision: int
    reshaped: int


@dataclass(frozen=True, slots=True, eq=False)
class TemplateVectors:
    """Templates of one space in use: ids (n,) rising, persons (n,) ids, vectors (n, d) float32."""

    ids: IntArray
    persons: IntArray
    vectors: Float32Array = field(repr=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of a gallery found.

    check: its name. state: "sound", "note" (nothing is damaged), "damaged", or "not checked"
    where the file could not be read so far. found: a sentence each. mend: what to do, "" where
    nothing was found.
    """

    check: str
    state: str
    found: tuple[str, ...] = ()
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What all checks of a gallery found. sound: whether nothing is damaged."""

    gallery: Path | None
    findings: tuple[Finding, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no check found damage."""
        return all(one.state != "damaged" for one in self.findings)


@dataclass(frozen=True, slots=True)
class Holder:
    """A file outside of the gallery that holds vectors or names of its people.

    path: absolute. kind: classifier, export, backup or cache. digest: SHA-256 of its bytes when it
    was written, "" while it is, and for a cache. state: what a removal did to it: "erased", "gone"
    (it is not there any more), "changed" (another file is), "busy"; "" before.
    """

    path: Path
    kind: str
    digest: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a gallery keeps of a removal: enough to finish it and to prove it again.

    who: digest of salt and name. digests: of the photos, until every holder is erased. prints: see
    ``gallery.traces``. worker: the process that is at it, "" for none. verified: None until then.
    """

    id: str
    time: str
    salt: bytes = field(repr=False)
    who: bytes = field(repr=False)
    templates: int
    photos: int
    prints: bytes = field(repr=False)
    digests: tuple[str, ...] = ()
    cached: int = 0
    holders: tuple[Holder, ...] = ()
    worker: str = ""
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of a removal.

    templates: how many were removed, of all spaces. photos: of how many photos. cached: entries
    of the vector cache that went with them. verified: no window of 32 bytes of a removed vector
    was found in ``files``, which were all searched; ``found`` names those where one was.
    note: what lies outside the reach of this proof. holders: what became of every other file that
    the gallery knows to hold vectors. id: by which the proof can be asked again; person: "" where
    nobody said who it was.
    """

    person: str
    templates: int
    photos: int
    cached: int
    verified: bool
    files: tuple[Path, ...]
    found: tuple[Path, ...]
    time: str
    note: str
    holders: tuple[Holder, ...] = ()
    id: str = ""


def person_name(text: str) -> str:
    """Return a name in Unicode NFC, without white space and invisible marks around it.

    Raises ConfigError for a name that is empty, longer than 200 characters, no text, or holds
    controls.
    """
    if text.isascii() and text.isprintable() and text == text.strip() and 0 < len(text) <= MAX_NAME:
        return text  # nothing to do, for most names; bulk enrollment asks often
    try:
        plain = text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise ConfigError(
            f"The name {spelled(text)} is no UTF-8 text.",
            "Rename the folder, or give the name in another way.",
        ) from None
    name = unicodedata.normalize("NFC", plain)
    while name and (name[0].isspace() or unicodedata.category(name[0]) == "Cf"):
        name = name[1:]
    while name and (name[-1].isspace() or unicodedata.category(name[-1]) == "Cf"):
        name = name[:-1]
    if not name:
        raise ConfigError("A person needs a name.", "Give one that is not empty.")
    if len(name) > MAX_NAME:
        raise ConfigError(f"The name has {len(name)} characters.", f"Use at most {MAX_NAME}.")
    if any(unicodedata.category(c) == "Cc" for c in name):
        raise ConfigError("The name holds control characters.", "Use letters, digits and spaces.")
    return name


def spelled(text: str) -> str:
    r"""Return a text that any file can keep: bytes of a file's name that are no UTF-8 as ``\xe9``.

    Python hands such bytes on as lone surrogates (PEP 383), in the locale C also those that are
    UTF-8, which become the characters that they are.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "backslashreplace").decode()


def now() -> str:
    """Return the time as ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
