"""facelign: from photo to name, with evidence.

Names are loaded when they are first used: importing this package loads the standard library only.
"""

from __future__ import annotations

import os
from importlib import import_module

from facelign import errors
from facelign._version import __version__

# ONNX Runtime writes a device id and looks for a server as soon as it is imported, whoever imports
# it, so it is told not to before anything of facelign can; a choice of the user's own stays.
if not os.environ.get("ORT_DISABLE_TELEMETRY"):
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_PUBLIC = {
    "Analysis": "facelign.types.analysis",
    "Calibration": "facelign.types.calibrations",
    "CandidateList": "facelign.types.decisions",
    "ChainOptions": "facelign.recognition.options",
    "Chips": "facelign.types.chips",
    "Decision": "facelign.types.decisions",
    "Embeddings": "facelign.types.embeddings",
    "EnrollOptions": "facelign.recognition.options",
    "Enrollment": "facelign.recognition.results",
    "FacePolicy": "facelign.types.policies",
    "Faces": "facelign.types.faces",
    "IdentifyOptions": "facelign.recognition.options",
    "Identification": "facelign.recognition.results",
    "Image": "facelign.types.image",
    "Landmarks": "facelign.types.landmarks",
    "LiveAnswer": "facelign.types.liveness",
    "LiveDecision": "facelign.types.liveness",
    "LiveOptions": "facelign.recognition.options",
    "Limits": "facelign.imaging.read",
    "PhotoGallery": "facelign.recognition.photo_gallery",
    "Recognizer": "facelign.recognition.recognizer",
    "Space": "facelign.types.embeddings",
    "Threshold": "facelign.types.decisions",
    "draw": "facelign.recognition.drawing",
    "models": "",  # the module itself
    "open_gallery": "facelign.recognition.photo_gallery",
    "read_image": "facelign.imaging.read",
    **dict.fromkeys(errors.PUBLIC, "facelign.errors"),
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        place = _PUBLIC[name]
        return getattr(import_module(place), name) if place else import_module(f"facelign.{name}")
    raise AttributeError(f"module 'facelign' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
