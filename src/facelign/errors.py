"""Every error that facelign raises on purpose.

FacelignError(message, hint)              every one ends with what to do next
├─ InputError
│   ├─ UnreadableImage                    the bytes are no picture, or a damaged one
│   ├─ UnsupportedImage                   a picture of a kind or size that is refused
│   ├─ BadArray (also ValueError)         an array of the wrong shape, dtype or range
│   ├─ NoFace                             a face was needed and none was found
│   ├─ SeveralFaces                       one face was needed and several were found
│   └─ DegenerateLandmarks(indices)       points that no face can have
├─ ModelError
│   ├─ UnknownModel                       no model, layout or preset of that name
│   ├─ WeightsMissing                     the weights are not on this machine yet
│   ├─ WeightsCorrupt                     the bytes are not the ones that were promised
│   ├─ LicenseRefused                     the license guard does not allow these weights
│   ├─ DownloadFailed                     no source gave the file
│   ├─ ProviderMissing                    the execution provider asked for is not there
│   ├─ ExtraMissing                       an optional dependency is not installed
│   └─ ModelMismatch                      two stages do not fit together
├─ CompareError
│   ├─ SpaceMismatch                      vectors of two spaces must not be compared
│   └─ NoCalibration                      no threshold with evidence exists
├─ GalleryError
│   ├─ UnknownPerson
│   ├─ DuplicateTemplate
│   ├─ SchemaTooNew                       the file was written by a newer facelign
│   ├─ GalleryCorrupt                     the file is no gallery, or a damaged one
│   └─ GalleryBusy                        another process holds the lock
├─ DatasetError
│   ├─ DatasetMissing
│   └─ DatasetMalformed
├─ SinkError                              events cannot be kept or passed on now
├─ Refused                                a question that the data cannot answer (calibrate)
└─ ConfigError                            settings or options that cannot be meant
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class FacelignError(Exception):
    """Base of all errors: ``message`` says what is wrong, ``hint`` what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Remedy(StrEnum):
    """Hints of what a program says in words of its own, such as the flags of a command line."""

    LARGEST_FACE = "Take the largest face, or crop the photo."
    OTHER_POINTS = (
        "Choose a detector with five points (yunet, mtcnn), add a landmarker (mesh-468, "
        "face-api-68), or use the layout crop."
    )
    THRESHOLD = "Give a threshold, or make one by calibration."
    OTHER_GALLERY = "Name another gallery, or put a back-up in its place."
    REPLACE_FILE = "Name another file, or allow that it is replaced."
    SPACE = "Name one of the spaces."
    WHOSE = (
        "Name the model whose vectors they are, if facelign has it (facelign models list); else "
        "enroll the photos again."
    )
    REPLACE = "Say that it shall be replaced, remove it first, or give this one another id."
    LABELS = "Name the file of the labels."
    PIXELS = "Make it smaller, or allow it: Recognizer(limits=Limits(pixels=...))."
    RUN = "Save the record of a verification run."
    PAIR_SCORES = "Save both with the scores of their pairs."
    TRUST = "Say that what first comes is trusted, and recorded for ever after."
    PERSON = "say who it is"
    LOOSE = "name the person, or say that the files are called as the people are"
    PEOPLE = "Give a folder that holds one folder a person, or name the person."
    TWO_MODELS = "Name two models or more, such as sface and dlib-resnet."


class InputError(FacelignError):
    """What the user handed in cannot be used."""


class UnreadableImage(InputError):
    """The bytes are no picture, or a damaged one."""


class UnsupportedImage(InputError):
    """A picture of a kind or a size that is refused."""


class BadArray(InputError, ValueError):
    """An array of the wrong shape, dtype or range; the message gives wanted and got."""


class NoFace(InputError):
    """A face was needed and none was found."""


class SeveralFaces(InputError):
    """One face was needed and several were found."""


class DegenerateLandmarks(InputError):
    """Points that no face can have; ``indices`` names the faces."""

    def __init__(self, message: str, hint: str = "", indices: Sequence[int] = ()) -> None:
        super().__init__(message, hint)
        self.indices = tuple(indices)


class ModelError(FacelignError):
    """A model cannot be had or cannot be used so."""


class UnknownModel(ModelError):
    """No model, layout or preset of that name."""


class WeightsMissing(ModelError):
    """The weights are not on this machine; the hint is the command that brings them."""


class WeightsCorrupt(ModelError):
    """The bytes on this machine are not the ones that the record promises."""


class LicenseRefused(ModelError):
    """The license guard (FACELIGN_LICENSE) does not allow these weights."""


class DownloadFailed(ModelError):
    """No source gave the file; the message names what was tried."""


class ProviderMissing(ModelError):
    """The execution provider that was asked for is not available."""


class ExtraMissing(ModelError):
    """An optional dependency is not installed; the hint is the install command."""


class ModelMismatch(ModelError):
    """Two stages do not fit together, such as a layout without the points it needs."""


class CompareError(FacelignError):
    """A comparison that would mean nothing."""


class SpaceMismatch(CompareError):
    """Vectors of two spaces were about to be compared."""


class NoCalibration(CompareError):
    """No threshold with evidence exists for this space."""


class GalleryError(FacelignError):
    """The gallery cannot do this."""


class UnknownPerson(GalleryError):
    """No person of that name is enrolled."""


class DuplicateTemplate(GalleryError):
    """The template is enrolled already."""


class SchemaTooNew(GalleryError):
    """The gallery was written by a newer facelign."""


class GalleryCorrupt(GalleryError):
    """The file is no gallery, or a damaged one."""


class GalleryBusy(GalleryError):
    """Another process holds the lock; the message names it."""


class DatasetError(FacelignError):
    """A data set cannot be read."""


class DatasetMissing(DatasetError):
    """A folder or file of a data set is not there."""


class DatasetMalformed(DatasetError):
    """A file of a data set has not the form it should have; the message names the line."""


class SinkError(FacelignError):
    """A sink could not take events; none is lost that is given to it again. ``again``: whether
    giving it the same ones again makes sense.
    """

    def __init__(self, message: str, hint: str = "", *, again: bool = True) -> None:
        super().__init__(message, hint)
        self.again = again


class Refused(FacelignError):
    """A question that the data at hand cannot answer, such as a rate below their reach."""


class ConfigError(FacelignError):
    """Settings or options that cannot be meant."""


#: every error, as ``facelign`` offers them
PUBLIC = tuple(
    name
    for name, value in sorted(globals().items())
    if isinstance(value, type) and issubclass(value, FacelignError)
)
