"""Results as plain records, one shape each: what a command line prints, a service answers, and a
report reads. ``wire.values`` reads them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facelign.types.liveness import NEVER_ALONE

if TYPE_CHECKING:
    from facelign.recognition.judging import LiveCheck
    from facelign.recognition.results import Comparison, Enrollment, Identification, IdentifiedFace
    from facelign.types.analysis import Analysis
    from facelign.types.decisions import SearchThreshold, Threshold
    from facelign.types.events import Event
    from facelign.types.faces import Face
    from facelign.types.liveness import LiveAnswer
    from facelign.types.templates import TemplateInfo

Record = dict[str, Any]


def number(value: float, digits: int = 6) -> float:
    """Return a float that prints short."""
    return round(float(value), digits)


def _number(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else number(value, digits)


def plain(value: object) -> Any:
    """Return a frozen record and what it holds as what JSON knows; paths become text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return str(value) if isinstance(value, Path | StrEnum) else value


def some(value: object, *names: str) -> Record:
    """Return some fields of a value, as they are."""
    return {name: getattr(value, name) for name in names}


def failure(source: str, reason: object) -> Record:
    """Return the record of a photo that could not be used."""
    return {"image": source, "width": None, "height": None, "faces": [], "error": str(reason)}


def face_record(face: Face) -> Record:
    """Return box, score and points of one face, px of the upright file."""
    points = [] if face.points is None else [[number(v, 2) for v in p] for p in face.points]
    box = face.box
    return {
        "box": [number(v, 2) for v in (box.x1, box.y1, box.x2, box.y2)],
        "score": number(face.score, 4),
        "landmarks": points,
        "height": number(box.height, 1),
    }


def live_record(answer: LiveAnswer) -> Record:
    """Return whether a face is a living person's; the score is null where it was not checked."""
    record: Record = {"score": _number(answer.score, 4), "decision": str(answer.decision)}
    return record | ({"reason": answer.reason} if answer.reason else {})


def liveness_record(check: LiveCheck) -> Record:
    """Return by what living faces were told, what stands behind it, and what it is not."""
    limit = check.threshold
    told = {"score": number(limit.score), "source": limit.source}
    return {"model": check.model, "threshold": told, "note": NEVER_ALONE}


def photo_record(analysis: Analysis) -> Record:
    """Return what detect prints for one photo."""
    if analysis.error is not None:
        return failure(analysis.photo.source, analysis.error)
    width, height = analysis.photo.size
    record: Record = {"image": analysis.photo.source, "width": width, "height": height}
    record["faces"] = [face_record(face) for face in analysis.faces]
    for face, answer in zip(record["faces"], analysis.live, strict=False):
        face["live"] = live_record(answer)
    record["error"] = None
    if analysis.attempts:
        record["attempts"] = list(analysis.attempts)
    return record


def with_quality(record: Record, numbers: Iterable[float]) -> Record:
    """Return the record of a photo with the quality of each of its faces."""
    for face, quality in zip(record["faces"], numbers, strict=True):
        face["quality"] = number(quality, 3)
    return record


def with_pose(record: Record, angles: Iterable[Iterable[float]]) -> Record:
    """Return the record of a photo with yaw, pitch and roll of each of its faces, degrees."""
    for face, three in zip(record["faces"], angles, strict=True):
        names = ("yaw", "pitch", "roll")
        face["pose"] = {name: number(a, 1) for name, a in zip(names, three, strict=True)}
    return record


def embed_record(analysis: Analysis, space: str) -> Record:
    """Return what embed prints for one photo."""
    record = photo_record(analysis)
    record["space"] = space
    for index, face in enumerate(record["faces"]):
        vector = analysis.vector_of(index)
        if vector is None:
            face["embedding"], face["reason"] = None, analysis.reason_of(index)
        else:
            face["embedding"] = [float(v) for v in vector.vectors[0]]
            face["norm"] = number(vector.norms[0])
    return record


def template_record(template: TemplateInfo) -> Record:
    """Return everything that is kept with a template, except its vector."""
    face, photo = template.face, template.photo
    record: Record = {"template": template.id, "person": template.person}
    record |= {"photo": photo.reference, "digest": photo.digest, "space": template.space}
    record["box"] = None if face.box is None else [round(v, 2) for v in face.box]
    record |= some(face, "score", "height")
    return record | some(template, "created", "consent", "rejected")


def threshold_record(threshold: Threshold, distance: float) -> Record:
    """Return a threshold with its evidence."""
    record: Record = {"score": number(threshold.score), "distance": number(distance)}
    record |= some(threshold, "fmr", "source")
    if threshold.calibration:
        record["interval"] = list(threshold.interval) if threshold.interval else None
        record |= some(threshold, "subjects", "mated", "non_mated", "calibration")
    return record


def verify_record(comparison: Comparison, threshold_distance: float) -> Record:
    """Return what verify prints."""
    decision = comparison.decision

    def chosen(analysis: Analysis, face: int) -> Record:
        record = {"face": face, "faces": len(analysis.faces)} | face_record(analysis.faces[face])
        return record | ({"live": live_record(analysis.live[face])} if analysis.live else {})

    refused = {"reason": comparison.refusal} if comparison.refusal else {}
    return {
        "a": comparison.a.photo.source,
        "b": comparison.b.photo.source,
        "same": comparison.same,
        **refused,
        "score": number(decision.score),
        "distance": number(decision.distance),
        "metric": decision.metric,
        "threshold": threshold_record(decision.threshold, threshold_distance),
        "model": decision.space.id,
        "log_likelihood_ratio": _number(decision.log_likelihood_ratio, 3),
        "face_a": chosen(comparison.a, comparison.face_a),
        "face_b": chosen(comparison.b, comparison.face_b),
    }


def enroll_record(result: Enrollment) -> Record:
    """Return what enroll prints for one file."""
    record = some(result, "image", "person", "enrolled", "reason", "held")
    if result.face_height is not None:
        record["height"] = number(result.face_height, 1)
    if result.quality is not None:
        record["quality"] = number(result.quality, 3)
    return record


def search_record(threshold: SearchThreshold) -> Record:
    """Return the threshold of a search with its evidence."""
    limit = threshold.threshold
    record = {"score": number(limit.score), "fmr": limit.fmr}
    record |= some(threshold, "fpir", "templates", "limited")
    return record | {"source": limit.source, "note": threshold.note}


def _named(found: IdentifiedFace) -> Record:
    answer = found.answer
    limit = answer.threshold
    best = answer.candidates[0] if answer.candidates else None
    record = face_record(found.face)
    record["detector_score"] = record.pop("score")
    record |= {
        "person": answer.person,
        "reason": answer.reason,
        "score": best and number(best.score),
        "distance": best and number(best.distance),
        "threshold": limit and number(limit.threshold.score),
        "margin": _number(answer.margin),
        "candidates": [
            {"person": c.person, "score": number(c.score), "distance": number(c.distance)}
            for c in answer.candidates
        ],
    }
    return record | ({} if found.live is None else {"live": live_record(found.live)})


def identify_record(result: Identification) -> Record:
    """Return what identify prints for one photo."""
    record = photo_record(result.analysis)
    if result.error is not None:  # the photo was read, and shows not the one face that is wanted
        record["error"] = str(result.error)
    record["faces"] = [_named(face) for face in result.faces]
    first = next((f.answer for f in result.faces if f.answer.threshold is not None), None)
    if first is not None and first.threshold is not None:
        record["search"] = search_record(first.threshold)
        record["gallery_size"] = first.gallery_size
    record["people_elsewhere"] = result.people_elsewhere
    return record


def event_record(event: Event) -> Record:
    """Return an event; its time is ISO 8601, UTC, in milliseconds."""
    record: Record = {"event": event.kind.value, "camera": event.camera}
    record["time"] = event.time.isoformat(timespec="milliseconds")
    record |= {"visit": event.visit, "person": event.person}
    record |= {"score": _number(event.score), "threshold": _number(event.threshold)}
    record |= {"looks": event.looks, "height": _number(event.height, 1), "zone": event.zone}
    record |= some(event, "snapshot", "reason")
    seen = event.last_seen and event.last_seen.isoformat(timespec="milliseconds")
    record |= {"live": _number(event.live, 3), "last_seen": seen}
    return record | {"delay_s": _number(event.delay_s, 3), "id": event.id}
