"""What models do. No arrays are in here: a command's help tells these names too."""

from __future__ import annotations

from enum import StrEnum


class Task(StrEnum):
    """What a model does; ids are unique within a task."""

    DETECT = "detect"
    LANDMARK = "landmark"
    EMBED = "embed"
    QUALITY = "quality"
    LIVENESS = "liveness"
    POSE = "pose"
    SEGMENT = "segment"
