"""Records read back: what ``wire.records`` wrote becomes values again, as far as records tell.

Numbers are as short as the records have them. What no record holds (pixels, digests, numbers of
templates) is absent: an empty text, or -1 for a template.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import numpy as np

from facelign.errors import DatasetMalformed, InputError
from facelign.recognition.results import Enrollment, Identification, IdentifiedFace
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.decisions import (
    Candidate,
    CandidateList,
    Decision,
    SearchThreshold,
    Threshold,
)
from facelign.types.embeddings import Embeddings, Space, same_space
from facelign.types.events import Event, EventKind
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, SCHEMES, Scheme
from facelign.wire.records import Record

T = TypeVar("T")


def analysis(record: Record, space: Space | None = None, *, five: Scheme = FIVE) -> Analysis:
    """Return what was found in a photo, from a record of detect, embed or identify.

    space: that of the vectors, which are read if it is said; raises SpaceMismatch for another one.
    five: what five points mean. Raises DatasetMalformed for a record that is none.
    """
    try:
        if record["width"] is None:
            return Analysis.failed(record["image"], InputError(record["error"]))
        size = (int(record["width"]), int(record["height"]))
        faces = record["faces"]
        found = Faces(
            _rows([face["box"] for face in faces], 4),
            np.array([face.get("detector_score", face["score"]) for face in faces], np.float32),
            _landmarks([face["landmarks"] for face in faces], five),
            "",
            size,
        )
        kept = [i for i, face in enumerate(faces) if face.get("embedding")]
        return Analysis(
            PhotoInfo(record["image"], "", size),
            found,
            np.array(kept, np.int64),
            None if space is None else _vectors(record, kept, space),
            tuple((i, face["reason"]) for i, face in enumerate(faces) if _dropped(face)),
            tuple(record.get("attempts", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed("a photo", error) from error


def enrollment(record: Record) -> Enrollment:
    """Return what enrolling one file did."""
    try:
        enrolled, reason, height = record["enrolled"], record["reason"], record.get("height")
        told = {"face_height": height, "quality": record.get("quality")}
        return _of(Enrollment, record, enrolled=bool(enrolled), reason=reason, **told)
    except (KeyError, TypeError) as error:
        raise _malformed("an enrollment", error) from error


def identification(record: Record) -> Identification:
    """Return the names of a photo's faces, each with its candidates and the reason."""
    found = analysis(record)
    if found.error is not None:
        return Identification(found, (), found.error)
    refusal = None if record["error"] is None else InputError(record["error"])
    limit = search_threshold(record["search"]) if "search" in record else None
    try:
        faces = tuple(
            IdentifiedFace(found.faces[i], _answer(face, limit, record.get("gallery_size", 0)))
            for i, face in enumerate(record["faces"])
        )
    except (KeyError, TypeError) as error:
        raise _malformed("an identification", error) from error
    return Identification(found, faces if refusal is None else (), refusal)


def decision(record: Record, space: Space) -> Decision:
    """Return the decision of a verification; raises SpaceMismatch for another space's."""
    try:
        same_space(space.id, record["model"], "the record")
        limit, ratio = threshold(record["threshold"]), record["log_likelihood_ratio"]
        same = bool(record["same"])
        scores = (record["score"], record["distance"], record["metric"])
        return Decision(*scores, limit, same, space, ratio)
    except (KeyError, TypeError) as error:
        raise _malformed("a verification", error) from error


def threshold(record: Record) -> Threshold:
    """Return a threshold with its evidence."""
    interval = record.get("interval")
    return _of(Threshold, record, interval=interval and (interval[0], interval[1]))


def search_threshold(record: Record) -> SearchThreshold:
    """Return the threshold of a search."""
    return _of(SearchThreshold, record, threshold=threshold(record), note=record["note"])


def event(record: Record) -> Event:
    """Return an event, from its record; raises DatasetMalformed for a record that is none."""
    try:
        kind, time = EventKind(record["event"]), datetime.fromisoformat(record["time"])
        seen = record.get("last_seen")
        seen = seen and datetime.fromisoformat(seen)
        return _of(Event, record, kind=kind, time=time, last_seen=seen)
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed("an event", error) from error


def _of(kind: Callable[..., T], record: Record, /, **given: object) -> T:
    """Return a dataclass whose fields the record tells by their names, but those ``given``."""
    names = _fields(kind)
    return kind(**{name: record[name] for name in names if name in record} | given)


@cache
def _fields(kind: Callable[..., object]) -> tuple[str, ...]:
    return tuple(inspect.signature(kind).parameters)


def _answer(face: Record, limit: SearchThreshold | None, size: int) -> CandidateList:
    candidates = tuple(
        Candidate(rank, c["person"], -1, c["score"], c["distance"])
        for rank, c in enumerate(face["candidates"], start=1)
    )
    known = None if face["threshold"] is None else limit
    return CandidateList(candidates, face["person"], face["reason"], known, size, face["margin"])


def _dropped(face: Record) -> bool:
    return "embedding" in face and face["embedding"] is None


def _rows(values: list[Any], width: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, np.float32).reshape(-1, width)


def _landmarks(points: list[list[list[float]]], five: Scheme) -> Landmarks | None:
    if not points or not points[0]:
        return None
    count = len(points[0])
    scheme = five if count == five.k else next(s for s in SCHEMES.values() if s.k == count)
    return Landmarks(np.array(points, np.float32), scheme)


def _vectors(record: Record, kept: list[int], space: Space) -> Embeddings:
    same_space(space.id, record["space"], "the record")
    faces = [record["faces"][i] for i in kept]
    vectors = _rows([face["embedding"] for face in faces], space.dim)
    return Embeddings(vectors, space, np.array([face["norm"] for face in faces], np.float32))


def _malformed(kind: str, error: Exception) -> DatasetMalformed:
    return DatasetMalformed(
        f"This is no record of {kind}: {error}.", "Give a record as it was written."
    )
