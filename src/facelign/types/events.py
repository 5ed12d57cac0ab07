"""What a camera has to tell: who appeared, who it is, who left. No vector is in here, ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b


class EventKind(StrEnum):
    """What happened.

    appeared: somebody is in view, for long enough to count. recognized: that one's name is sure.
    unknown: enough looks say that it is nobody enrolled. revoked: later looks contradict the name
    that was told. left: out of view for long enough. spoof: no living face by the judgment of a
    liveness model. camera-lost: no picture comes any more. camera-back: pictures come again.
    """

    APPEARED = "appeared"
    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    LEFT = "left"
    SPOOF = "spoof"
    CAMERA_LOST = "camera-lost"
    CAMERA_BACK = "camera-back"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened before a camera.

    id: 32 hexadecimal digits, the same however often the event is told: who receives it twice
    knows it by that. camera: its public name. time: when the frame was taken that decided, UTC.
    visit: the number of the visit of somebody, counted from 1 for each start of the program; None
    for what concerns the camera. person: whose name is told, or was. score, threshold: of the
    decision, in the gallery's space. looks: how many views of the face voted. height: of the face,
    px. zone: where it stood, "" for none. snapshot: the file of its best view. reason: why there is
    no name, or what went wrong, in words. live: 0 to 1, larger is more likely a living face; None
    where that was not checked. delay_s: from the frame to the telling. last_seen: of who left, UTC.
    """

    id: str
    kind: EventKind
    camera: str
    time: datetime
    visit: int | None = None
    person: str | None = None
    score: float | None = None
    threshold: float | None = None
    looks: int | None = None
    height: float | None = None
    zone: str = ""
    snapshot: str | None = None
    reason: str = ""
    live: float | None = None
    delay_s: float | None = None
    last_seen: datetime | None = None

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("the time of an event says no time zone")
        object.__setattr__(self, "time", self.time.astimezone(UTC))
        if self.last_seen is not None:
            object.__setattr__(self, "last_seen", self.last_seen.astimezone(UTC))


def event_id(camera: str, time: datetime, kind: EventKind, visit: int | None = None) -> str:
    """Return the id of what happened: 32 hexadecimal digits, the same for the same event.

    No name goes into it: the id of an event tells nothing about a person that was forgotten.
    """
    moment = time.astimezone(UTC).isoformat(timespec="microseconds")
    told = "\n".join((camera, moment, kind, "" if visit is None else str(visit)))
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
