"""The public names: what ``facelign`` offers, its type stub and its errors agree."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import facelign
from facelign import errors

#: what users may build on: a change of this list is a change for them
PUBLIC = {
    "Analysis",
    "Calibration",
    "CandidateList",
    "ChainOptions",
    "Chips",
    "Decision",
    "Embeddings",
    "EnrollOptions",
    "Enrollment",
    "FacePolicy",
    "Faces",
    "Identification",
    "IdentifyOptions",
    "Image",
    "Landmarks",
    "Limits",
    "LiveAnswer",
    "LiveDecision",
    "LiveOptions",
    "PhotoGallery",
    "Recognizer",
    "Space",
    "Threshold",
    "draw",
    "models",
    "open_gallery",
    "read_image",
}
ERRORS = {
    "BadArray",
    "CompareError",
    "ConfigError",
    "DatasetError",
    "DatasetMalformed",
    "DatasetMissing",
    "DegenerateLandmarks",
    "DownloadFailed",
    "DuplicateTemplate",
    "ExtraMissing",
    "FacelignError",
    "GalleryBusy",
    "GalleryCorrupt",
    "GalleryError",
    "InputError",
    "LicenseRefused",
    "ModelError",
    "ModelMismatch",
    "NoCalibration",
    "NoFace",
    "ProviderMissing",
    "Refused",
    "SchemaTooNew",
    "SeveralFaces",
    "SinkError",
    "SpaceMismatch",
    "UnknownModel",
    "UnknownPerson",
    "UnreadableImage",
    "UnsupportedImage",
    "WeightsCorrupt",
    "WeightsMissing",
}


def test_the_names_are_those_that_users_build_on() -> None:
    assert set(facelign.__all__) == {"__version__", *PUBLIC, *ERRORS}
    assert len(facelign.__all__) == len(set(facelign.__all__))


def test_every_error_is_public_and_stands_in_the_tree_of_its_module() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.FacelignError)
    ]
    assert {c.__name__ for c in classes} == ERRORS == set(errors.PUBLIC)
    drawn = errors.__doc__ or ""
    for error in classes:
        assert getattr(facelign, error.__name__) is error
        assert issubclass(error, errors.FacelignError)
        assert error.__name__ in drawn


def test_the_stub_names_what_is_there() -> None:
    stub = Path(facelign.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    named = {}
    for node in ast.parse(stub).body:
        assert isinstance(node, ast.ImportFrom), "a stub of names only"
        for alias in node.names:
            assert alias.asname == alias.name, "what is not named again is private to type checkers"
            named[alias.name] = node.module or ""
    assert sorted(named) == sorted(facelign.__all__)
    for name, place in named.items():
        module = importlib.import_module(place)
        found = getattr(module, name, None) or importlib.import_module(f"{place}.{name}")
        assert found is getattr(facelign, name), name


def test_a_name_that_is_not_there_is_told_as_python_tells_it() -> None:
    with pytest.raises(AttributeError, match="recogniser"):
        facelign.recogniser  # type: ignore[attr-defined]  # noqa: B018
