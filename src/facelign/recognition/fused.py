"""Verification by a fitted ensemble: several models on one walk, their scores as one.

A record (JSON, made by ``facelign evaluate ensemble --save``) holds the models, the fitted rule
and the threshold that other people gave it. The walk is that of a joint space; its vectors are
split again into the cosine of each model, so that galleries and caches need nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.compare import fusion
from facelign.compare.fusion import Scorer
from facelign.compare.scores import pair_scores
from facelign.errors import ConfigError, InputError, ModelMismatch, Remedy
from facelign.files.home import expanded
from facelign.recognition.presets import Part, Preset
from facelign.recognition.recognizer import Photo, Recognizer, vector_of
from facelign.recognition.selection import choose
from facelign.types.arrays import Float64Array, FloatArray
from facelign.types.decisions import Threshold
from facelign.types.embeddings import Metric, Space
from facelign.types.policies import FacePolicy
from facelign.types.reading import record

FORMAT = "facelign-ensemble-1"
#: what is saved of a threshold; an ensemble has no interval and no calibration
_SAVED = ("score", "fmr", "source", "subjects", "mated", "non_mated")


def preset_of(models: Sequence[str], detector: str, *, flip: bool = False) -> Preset:
    """Return the chain whose joint vectors hold all models with equal weights, unit length each."""
    named = tuple(dict.fromkeys(models))
    if len(named) < 2:
        raise ConfigError("An ensemble needs at least two models.", Remedy.TWO_MODELS)
    parts = tuple(Part(model, flip=flip, unit=True) for model in named)
    return Preset("ensemble", "models of an ensemble", detector, parts)


def spaces_of(recognizer: Recognizer) -> tuple[str, ...]:
    """Return the space of each model of an ensemble's recognizer."""
    return tuple(space.id for space in _parts(recognizer))


def split(recognizer: Recognizer, vectors: FloatArray) -> list[Float64Array]:
    """Return the unit vectors (n, d) of each model out of joint vectors (n, sum of d).

    Rows of zeros (photos without a face) stay zeros.
    """
    found, start = [], 0
    for space in _parts(recognizer):
        piece = np.asarray(vectors[:, start : start + space.dim], np.float64)
        lengths = np.linalg.norm(piece, axis=1, keepdims=True)
        found.append(np.divide(piece, lengths, out=np.zeros_like(piece), where=lengths > 0))
        start += space.dim
    return found


def _parts(recognizer: Recognizer) -> tuple[Space, ...]:
    parts = recognizer.chain.embedder.parts
    if len(parts) < 2:
        raise ConfigError("This chain has one model only.", "An ensemble needs several.")
    return parts


@dataclass(frozen=True, slots=True)
class EnsembleRecord:
    """A fitted ensemble as it is saved. threshold: a fused score, with what it rests on."""

    models: tuple[str, ...]
    detector: str
    flip: bool
    rule: str
    scorer: Scorer
    threshold: Threshold

    def to_json(self) -> str:
        """Return the record as JSON text."""
        table = {"format": FORMAT, **asdict(self), "fusion": json.loads(self.scorer.to_json())}
        del table["scorer"]
        table["threshold"] = {name: getattr(self.threshold, name) for name in _SAVED}
        return json.dumps(table, allow_nan=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> EnsembleRecord:
        """Return the record in ``text``; raises ConfigError."""
        try:
            table = json.loads(text)
            if table["format"] != FORMAT:
                raise ValueError("another format")
            if not isinstance(table["flip"], bool):
                raise ValueError("flip is neither true nor false")
            scorer = fusion.from_json(json.dumps(table["fusion"]))
            found = record(cls, table, scorer=scorer, threshold=_threshold(table["threshold"]))
            fusion.each_once("models", found.models)
            if len(found.models) != len(scorer.spaces):
                raise ValueError(f"{len(found.models)} models, and a rule for {len(scorer.spaces)}")
        except (ConfigError, *fusion.DAMAGE) as error:
            said = error.message if isinstance(error, ConfigError) else f"{fusion.told(error)}."
            raise ConfigError(
                f"This is no saved ensemble: {said}",
                "Make and save one with: facelign evaluate ensemble",
            ) from error
        return found


def _threshold(table: Mapping[str, Any]) -> Threshold:
    """Return the threshold of a record; raises ValueError, TypeError, KeyError."""
    for name in ("subjects", "mated", "non_mated"):
        if type(table[name]) is not int or table[name] < 0:
            raise ValueError(f"{name} is no count")
    found = record(Threshold, table, "threshold", interval=None, calibration=None)
    if found.fmr is not None and not 0 < found.fmr < 1:
        raise ValueError("fmr lies between 0 and 1")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class FusedDecision:
    """The answer of an ensemble. score: fused; scores: the cosine of each model's space."""

    score: float
    threshold: Threshold
    is_match: bool
    scores: Mapping[str, float]
    rule: str


class Ensemble:
    """Verifies with a fitted ensemble; safe to share by threads.

    Example:
        >>> ensemble = Ensemble.load("ensemble.json")  # doctest: +SKIP
        >>> ensemble.verify("a.jpg", "b.jpg").is_match  # doctest: +SKIP
        True
    """

    def __init__(self, fitted: EnsembleRecord, **options: Any) -> None:
        """Build the chain of the record; options as those of ``Recognizer``.

        Raises ModelMismatch when the models of this machine live in other spaces than the record's.
        """
        self.record = fitted
        chain = preset_of(fitted.models, fitted.detector, flip=fitted.flip)
        self.recognizer = Recognizer(chain, **options)
        spaces = spaces_of(self.recognizer)
        if spaces != fitted.scorer.spaces:
            raise ModelMismatch(
                f"The ensemble was fitted on {', '.join(fitted.scorer.spaces)}, "
                f"and the models here give {', '.join(spaces)}.",
                "Fit it again with: facelign evaluate ensemble",
            )

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Ensemble:
        """Return the ensemble of a file that ``evaluate ensemble --save`` wrote."""
        source = expanded(path)
        try:
            text = source.read_bytes()
        except OSError as error:
            raise InputError(
                f"{source} cannot be read: {error.strerror}.", "Check the path."
            ) from error
        return cls(EnsembleRecord.from_json(text), **options)

    def verify(
        self, a: Photo, b: Photo, *, policy: FacePolicy = FacePolicy.LARGEST
    ) -> FusedDecision:
        """Return whether two photos show one person; raises NoFace, InputError."""
        first, second = (split(self.recognizer, self._vector(photo, policy)) for photo in (a, b))
        pairs = zip(first, second, strict=True)
        cosines = [float(pair_scores(one, other, Metric.COSINE)[0]) for one, other in pairs]
        score = float(self.record.scorer.fused([cosines])[0])
        limit = self.record.threshold
        told = dict(zip(self.record.scorer.spaces, cosines, strict=True))
        return FusedDecision(score, limit, score >= limit.score, told, self.record.rule)

    def _vector(self, photo: Photo, policy: FacePolicy) -> FloatArray:
        analysis = self.recognizer.analyze_one(photo)
        face = choose(analysis.faces, policy, analysis.photo.source)
        return vector_of(analysis, face).vectors


def evidence(score: float, fmr: float, set_name: str, counts: Mapping[str, int]) -> Threshold:
    """Return the threshold of a fused score with what it rests on, for a record."""
    return Threshold(
        score=score,
        fmr=fmr,
        source=(
            f"FMR {fmr:.2g} on {set_name}: {counts['non_mated']:,} non-mated and "
            f"{counts['mated']:,} mated comparisons of {counts['subjects']:,} people, each "
            "scored by the rule fitted on others"
        ),
        subjects=counts["subjects"],
        mated=counts["mated"],
        non_mated=counts["non_mated"],
    )
