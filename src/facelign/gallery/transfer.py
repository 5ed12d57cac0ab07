"""Templates out of a gallery and into it, as plain arrays: nothing is pickled, nothing executed.

Forms that are read:

- our own ``.npz`` (see ``export``);
- ``.npy`` with one vector a row and a label list beside it (``.pickle``, ``.json`` or ``.txt``), as
  the articles on dlib galleries keep them (A4-09);
- encodings of face_recognition, or of deepface, with their names, in one ``.pickle``, ``.json`` or
  ``.npz``: a mapping with ``encodings`` (or known_face_encodings, ...) and ``names``, a list of
  (name, vector) pairs or of records, or a mapping of name to vectors.

Those vectors have no space of their own. Without a word about it they are taken for what
face_recognition makes, dlib's descriptor on its own chips and five points, compared by plain
distance, and only where they can be nothing else (``descriptors``).
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import (
    ConfigError,
    DatasetMalformed,
    DatasetMissing,
    FacelignError,
    GalleryError,
    InputError,
    Remedy,
)
from facelign.files.disk import overwrite
from facelign.files.home import expanded
from facelign.files.npz import read_array, read_arrays, write_private
from facelign.files.pickles import read_plain
from facelign.gallery.descriptors import DLIB_SPACE, refuse_others
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.changes import PersonRef
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef, Row, TemplateInfo, person_name

FORMAT = "facelign-templates-1"
#: bounds of what is read: two million vectors of 128 numbers take a gigabyte
MAX_BYTES = 2 << 30
_MAX_PICKLE_BYTES = 512 << 20
_VECTORS = ("encodings", "known_encodings", "known_face_encodings", "embeddings", "vectors")
_NAMES = ("names", "known_names", "known_face_names", "labels", "persons")
_NAME = ("name", "label", "identity")
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?|gif|heic|pgm)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The templates of a file, and their space."""

    space: Space
    rows: tuple[Row, ...]


# -- out -----------------------------------------------------------------------------------------


def export(store: TemplateStore, path: Path, space_id: str | None) -> int:
    """Write the templates of a space to an .npz, readable by its owner only; returns how many.

    vectors: (n, d) float32; persons, photos, digests, created, consents, schemes: (n,) text; norms,
    scores, heights: (n,) float32; boxes: (n, 4) float32 px; points: (n, k, 2) float32 px, the first
    ``point_counts`` of which count; has_face: (n,) bool, whether box, score and height are known;
    space, metric, unit, format: what the vectors are.
    """
    if path.suffix != ".npz":
        raise ConfigError(f"{path}: an export is an .npz file.", "Name it FILE.npz.")
    space = _chosen(store, space_id)
    vectors, known = in_use(store, space)
    faces = [info.face for info in known]
    points = [np.zeros((0, 2), np.float32) if f.points is None else f.points for f in faces]
    padded = np.zeros((len(known), max(map(len, points), default=0), 2), np.float32)
    for i, found in enumerate(points):
        padded[i, : len(found)] = found
    arrays: dict[str, Any] = {
        "vectors": vectors.astype("<f4"),
        "persons": _text(info.person for info in known),
        "photos": _text(info.photo.reference for info in known),
        "digests": _text(info.photo.digest for info in known),
        "created": _text(info.created for info in known),
        "consents": _text(info.consent or "" for info in known),
        "norms": np.array([info.norm for info in known], "<f4"),
        "has_face": np.array([f.box is not None for f in faces], np.bool_),
        "boxes": np.array([f.box or (0, 0, 0, 0) for f in faces], "<f4"),
        "scores": np.array([f.score or 0 for f in faces], "<f4"),
        "heights": np.array([f.height or 0 for f in faces], "<f4"),
        "schemes": _text(f.scheme or "" for f in faces),
        "points": padded,
        "point_counts": np.array([len(p) for p in points], "<i8"),
        "space": np.array(space.id),
        "metric": np.array(space.metric.value),
        "unit": np.array(space.unit),
        "format": np.array(FORMAT),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_private(path, arrays)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}.", "Name another place."
        ) from error
    return len(known)


def without(path: Path, removed: Callable[[Sequence[bytes]], Collection[int]]) -> None:
    """Take those templates out of an export whose vectors were removed, and overwrite the old file.

    removed: says which of some vectors were, by their places. Raises ValueError, KeyError and
    BadZipFile for a file that is no export, and OSError.
    """
    arrays = read_arrays(path)
    if str(arrays["format"]) != FORMAT:
        raise ValueError(f"{path} is no export")
    left = np.ones(len(arrays["vectors"]), np.bool_)
    left[list(removed([row.tobytes() for row in arrays["vectors"]]))] = False
    if left.all():
        return
    kept = {name: a[left] if a.ndim else a for name, a in arrays.items()}
    with path.open("r+b") as old:
        write_private(path, kept)
        overwrite(old)


def in_use(store: TemplateStore, space: Space) -> tuple[Float32Array, list[TemplateInfo]]:
    """Return the vectors (n, d) of a space that are in use, and what is kept with each."""
    with store.reading():
        parts = list(store.vectors(space.id))
        people = [PersonRef(number, name) for number, name in store.names().items()]
        infos = {info.id: info for person in people for info in store.templates(person)}
    known = [infos[int(i)] for part in parts for i in part.ids]
    nothing = np.zeros((0, space.dim), np.float32)
    return np.concatenate([nothing, *(part.vectors for part in parts)]), known


def _chosen(store: TemplateStore, space_id: str | None) -> Space:
    spaces = store.spaces()
    if not spaces:
        raise GalleryError(f"{store.name} holds no templates.", "Enroll somebody first.")
    if space_id is None and len(spaces) > 1:
        several = ", ".join(f"'{s.id}'" for s in spaces)
        raise GalleryError(
            f"{store.name} holds templates of several spaces: {several}.",
            Remedy.SPACE,
        )
    for count in spaces:
        if space_id in (None, count.id):
            return count.space
    raise GalleryError(
        f"{store.name} holds no templates of space '{space_id}'.",
        f"It holds: {', '.join(s.id for s in spaces)}.",
    )


def _text(values: Any) -> AnyArray:
    return np.array(list(values), np.str_)


# -- in ------------------------------------------------------------------------------------------


def read(path: Path, labels: Path | None = None, space: Space | None = None) -> Batch:
    """Return the templates in a file (see the module for the forms).

    labels: the file of names that belongs to an ``.npy``. space: of the vectors, where the file
    does not say it, such as ``facelign.models.space("sface")``; they are brought to length 1 where
    its vectors are. None: only descriptors of dlib are taken. Raises DatasetMissing and
    DatasetMalformed, the latter also for vectors that are not of that space.
    """
    path, labels = expanded(path), labels and expanded(labels)
    for file in (path, *((labels,) if labels else ())):
        if not file.is_file():
            raise DatasetMissing(f"There is no file {file}.", "Check the name.")
        if file.stat().st_size > MAX_BYTES:
            raise DatasetMalformed(f"{file.name} is larger than 2 GB.", "Split it.")
    try:
        return _named(_read(path, labels, space), path)
    except FacelignError:
        raise
    except RecursionError as error:
        raise DatasetMalformed(
            f"{path.name} is nested too deeply.", "Copy it again from where it came."
        ) from error
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetMalformed(
            f"{path.name} cannot be read: {error}.", "Copy it again from where it came."
        ) from error


def _named(batch: Batch, path: Path) -> Batch:
    """Return the batch when every name can be kept, else say which cannot."""
    for place, row in enumerate(batch.rows, start=1):
        try:
            person_name(row.person)
        except ConfigError as error:
            raise DatasetMalformed(
                f"{path.name}, template {place}: {error.message}", error.hint
            ) from error
    return batch


def _read(path: Path, labels: Path | None, space: Space | None) -> Batch:
    kind = path.suffix.lower()
    if kind == ".npz":
        arrays = read_arrays(path)
        if "format" not in arrays:
            return _foreign(arrays, path, space)
        batch = _own(arrays, path)
        _same(batch.space.id, space or batch.space, path)
        return batch
    if kind == ".npy":
        if labels is None:
            raise DatasetMalformed(
                f"{path.name} holds vectors without names.",
                Remedy.LABELS,
            )
        with path.open("rb") as file:
            vectors = read_array(file, path.stat().st_size, path.name)
        return _batch(path, _plain(labels), vectors, space)
    return _foreign(_plain(path), path, space)


def _plain(path: Path) -> Any:
    """Return the plain data of a .json, .txt or pickle file."""
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv", ".db"):
        raise DatasetMalformed(
            f"{path.name}: {kind} files are not imported.",
            "Wanted: .npz, .npy with labels, .pickle or .json, with vectors and names.",
        )
    if kind == ".json":
        return json.loads(path.read_text(encoding="utf-8-sig"))
    if kind == ".txt":
        return path.read_text(encoding="utf-8-sig").splitlines()
    if path.stat().st_size > _MAX_PICKLE_BYTES:
        raise DatasetMalformed(f"{path.name} is larger than 512 MB.", "Split it.")
    data = path.read_bytes()
    if data[:1] != b"\x80":
        # Protocol 0 is text, and Python 2 on Windows wrote it in text mode: "\r\n".
        data = data.replace(b"\r\n", b"\n")
    try:
        return read_plain(data)
    except DatasetMalformed as error:
        raise DatasetMalformed(f"{path.name}: {error.message}", error.hint) from error


def _own(arrays: Mapping[str, AnyArray], path: Path) -> Batch:
    if str(arrays["format"]) != FORMAT:
        raise DatasetMalformed(
            f"{path.name} has the form '{str(arrays['format'])[:40]}'.", "Upgrade facelign."
        )
    vectors = np.asarray(arrays["vectors"], np.float32)
    if vectors.ndim != 2:
        raise DatasetMalformed(f"{path.name}: wanted (n, d) vectors, got {vectors.shape}.")
    n = len(vectors)
    for key in ("persons", "photos", "digests", "consents", "norms", "has_face", "boxes", "points"):
        if len(arrays[key]) != n:
            raise DatasetMalformed(f"{path.name}: {len(arrays[key])} {key} for {n} vectors.")
    space = Space(
        str(arrays["space"]),
        vectors.shape[1],
        Metric(str(arrays["metric"])),
        bool(arrays["unit"]),
    )
    norms = np.asarray(arrays["norms"], np.float32)
    persons, references, digests, consents = (
        [str(value) for value in arrays[key]]
        for key in ("persons", "photos", "digests", "consents")
    )
    rows = [
        Row(
            persons[i],
            vectors[i],
            PhotoRef(references[i], digests[i]),
            float(norms[i]),
            _own_face(arrays, i),
            consents[i] or None,
        )
        for i in range(n)
    ]
    return Batch(space, tuple(rows))


def _own_face(arrays: Mapping[str, AnyArray], i: int) -> FaceRecord:
    if not arrays["has_face"][i]:
        return FaceRecord()
    x1, y1, x2, y2 = (float(v) for v in arrays["boxes"][i])
    count = int(arrays["point_counts"][i])
    points = np.asarray(arrays["points"][i, :count], np.float32) if count else None
    scheme = str(arrays["schemes"][i]) or None
    score, height = float(arrays["scores"][i]), float(arrays["heights"][i])
    return FaceRecord((x1, y1, x2, y2), points, scheme, score, height)


def _foreign(data: Any, path: Path, space: Space | None) -> Batch:
    """Return the templates in the shapes that other programs write."""
    if isinstance(data, Mapping):
        keys = {str(_decoded(key)).lower(): value for key, value in data.items()}
        vectors = next((keys[key] for key in _VECTORS if key in keys), None)
        names = next((keys[key] for key in _NAMES if key in keys), None)
        if vectors is not None and names is not None:
            if "space" in keys:
                _same(str(_decoded(keys["space"])), space or DLIB_SPACE, path)
            return _batch(path, names, vectors, space)
        pairs = [(name, vector) for name, value in data.items() for vector in _several(value, path)]
        return _batch(path, [name for name, _ in pairs], [vector for _, vector in pairs], space)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) == 2:
        first, second = data
        if len(first) == len(second) and len(first) != 2:  # (encodings, names), either way round
            named = isinstance(_decoded(first[0]), str) if len(first) else True
            names, vectors = (first, second) if named else (second, first)
            return _batch(path, names, vectors, space)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        names, vectors = [], []
        for item in data:
            if isinstance(item, Mapping):
                keys = {str(_decoded(key)).lower(): value for key, value in item.items()}
                names.append(next((keys[key] for key in _NAME if key in keys), None))
                vectors.append(keys.get("encoding", keys.get("embedding", keys.get("vector"))))
            elif isinstance(item, str | bytes) or not hasattr(item, "__len__") or len(item) != 2:
                break
            else:
                first, second = item
                named = isinstance(_decoded(first), str)
                names.append(first if named else second)
                vectors.append(second if named else first)
        else:
            return _batch(path, names, vectors, space)
    raise DatasetMalformed(
        f"{path.name} has no vectors with names.",
        "Wanted: a mapping with 'encodings' and 'names', or pairs of name and vector.",
    )


def _several(value: Any, path: Path) -> list[Any]:
    array = np.asarray(value)
    if array.dtype == object or array.ndim not in (1, 2):
        raise DatasetMalformed(f"{path.name}: a value that is no vector.")
    return [array] if array.ndim == 1 else list(array)


def _same(said: str, meant: Space, path: Path) -> None:
    """Raise DatasetMalformed when a file says another space than the one that is meant."""
    if said != meant.id:
        raise DatasetMalformed(
            f"{path.name} holds vectors of space '{said}', not of '{meant.id}'.", Remedy.WHOSE
        )


def _batch(path: Path, names: Any, vectors: Any, space: Space | None) -> Batch:
    """Return n named vectors of a space, or of dlib's descriptor, or say what does not fit."""
    meant = space or DLIB_SPACE
    names = names.tolist() if isinstance(names, np.ndarray) else names
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise DatasetMalformed(f"{path.name}: the names are no list.")
    persons = tuple(_label(name, path) for name in names)
    try:
        array = np.asarray(vectors, np.float64)
    except (ValueError, TypeError) as error:
        raise DatasetMalformed(f"{path.name}: the vectors have several lengths.") from error
    if array.ndim == 3 and 1 in array.shape[1:]:  # (n, 1, 128): one row a photo, kept as a matrix
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or array.shape[1] != meant.dim or len(array) != len(persons):
        raise DatasetMalformed(
            f"{path.name}: {len(persons)} names and vectors of shape {array.shape}; "
            f"wanted ({len(persons)}, {meant.dim}) of space '{meant.id}'.",
            Remedy.WHOSE,
        )
    if not np.isfinite(array).all():
        raise DatasetMalformed(f"{path.name}: a vector holds NaN or infinity.")
    with np.errstate(over="ignore"):
        small = np.ascontiguousarray(array, "<f4")
    if not np.isfinite(small).all():
        raise DatasetMalformed(f"{path.name}: a vector holds numbers too large for float32.")
    if space is None:
        refuse_others(small, path.name)
    norms = np.linalg.norm(small, axis=1)
    if meant.unit:
        if not norms.all():
            raise DatasetMalformed(f"{path.name}: a vector holds nothing but zeros.")
        small = small / norms[:, None]
    rows = [
        # The photo is not known. The digest of the vector stands for it, so that importing the
        # same file twice adds nothing.
        Row(
            person,
            vector,
            PhotoRef(f"{path.name}#{i}", f"vector:{hashlib.sha256(vector).hexdigest()}"),
            float(norm),
        )
        for i, (person, vector, norm) in enumerate(zip(persons, small, norms, strict=True))
    ]
    return Batch(meant, tuple(rows))


def _label(value: Any, path: Path) -> str:
    """Return a person's name from a label, which in some galleries is the path of a photo."""
    text = _decoded(value)
    if isinstance(text, int | np.integer) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise DatasetMalformed(f"{path.name}: a name that is no text.")
    parts = [part for part in re.split(r"[\\/]+", text) if part]
    if len(parts) > 1 and _PICTURE.search(parts[-1]):
        parts.pop()
    return parts[-1] if parts else text


def _decoded(value: Any) -> Any:
    """Return text for bytes: Python 2 wrote UTF-8 on some systems, Latin-1 on others."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
