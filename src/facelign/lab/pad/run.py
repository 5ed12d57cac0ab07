"""Presentations through the product's own walk: find, judge, count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facelign.datasets.presentations import Presentation, Presentations
from facelign.errors import Refused
from facelign.files import disk
from facelign.lab.defaults import DRAWS, SEED
from facelign.lab.pad import figures
from facelign.lab.pad.figures import Answers, At, Rate
from facelign.lab.plain import plain
from facelign.liveness.records import LiveCalibration, SpeciesRate
from facelign.recognition.judging import LiveCheck
from facelign.recognition.recognizer import Recognizer, Stage
from facelign.recognition.selection import choose
from facelign.types.analysis import Analysis
from facelign.types.liveness import NEVER_ALONE
from facelign.types.policies import FacePolicy

NO_FACE = "no face was found"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Presentations with their answers. silent: why some got none, by reason. unread: by path."""

    name: str
    model: str
    detector: str
    shown: tuple[Presentation, ...]
    answers: Answers
    silent: dict[str, int]
    unread: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 that names the presentations: bytes, species, subject and device of each."""
        lines = sorted(
            f"{disk.digest(p.path)}\t{p.species}\t{p.subject}\t{p.device}" for p in self.shown
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class PadRun:
    """Every figure at one threshold.

    attacks: by species, the one that passes most often first. at_bpcer, at_apcer: operating points
    by rate. target: an APCER that is to be shown, or None; lacking: what the data lacks for it.
    """

    judged: Judged
    threshold: float
    source: str
    attacks: tuple[Rate, ...]
    bona_fide: Rate | None
    at_bpcer: dict[str, At | None]
    at_apcer: dict[str, At | None]
    target: float | None = None
    lacking: tuple[str, ...] = field(default=())

    @property
    def worst(self) -> Rate | None:
        """The species that passes most often."""
        return self.attacks[0] if self.attacks else None

    @property
    def acer(self) -> float | None:
        """The mean of the largest APCER and the BPCER."""
        if self.worst is None or self.bona_fide is None:
            return None
        return (self.worst.rate.value + self.bona_fide.rate.value) / 2

    @property
    def shown(self) -> bool | None:
        """Whether the target is shown: no species may exceed it by the upper end of its interval.

        None where nobody asked, or where the data cannot carry an answer.
        """
        if self.target is None or self.lacking:
            return None
        return all(one.upper <= self.target for one in self.attacks)

    @property
    def caveats(self) -> list[str]:
        """Return what the reader must know before believing."""
        told = [
            "The rates hold for these instruments, devices and people. Another camera, another "
            "paper or another display has other rates."
        ]
        kinds = [*self.attacks, *([self.bona_fide] if self.bona_fide else [])]
        people = min((kind.people for kind in kinds), default=0)
        if people < figures.LEAST_PEOPLE:
            told.append(
                f"{people} people behind a kind of presentation: their interval says next to "
                "nothing of others."
            )
        if max((kind.devices for kind in kinds), default=0) < 2:
            told.append("One device: nothing follows for another.")
        if len(self.attacks) < figures.LEAST_SPECIES:
            told.append(f"{len(self.attacks)} species of attack: an attacker may choose another.")
        return [*told, NEVER_ALONE]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        judged, worst = self.judged, self.worst
        return {
            "set": judged.name,
            "model": judged.model,
            "detector": judged.detector,
            "threshold": {"score": self.threshold, "source": self.source},
            "presentations": len(judged.answers.scores),
            "worst_species": worst and worst.name,
            "apcer": worst and worst.rate.value,
            "bpcer": self.bona_fide and self.bona_fide.rate.value,
            "acer": self.acer,
            "attacks": [one.to_dict() | {"apnrr": one.silence} for one in self.attacks],
            "bona_fide": self.bona_fide
            and self.bona_fide.to_dict() | {"bpnrr": self.bona_fide.silence},
            "apcer_at_bpcer": plain(self.at_bpcer),
            "bpcer_at_apcer": plain(self.at_apcer),
            "not_checked": judged.silent,
            "claim": None
            if self.target is None
            else {"apcer": self.target, "shown": self.shown, "lacking": list(self.lacking)},
            "caveats": self.caveats,
            "unread": judged.unread,
        }


def judge(
    recognizer: Recognizer,
    presentations: Presentations,
    check: LiveCheck,
    done: Callable[[int], None] | None = None,
) -> Judged:
    """Return the answer to each presentation: that of its largest face.

    Raises Refused where no photo could be read.
    """
    shown, scores = [], []
    silent: dict[str, int] = {}
    unread = {str(path): why for path, why in presentations.skipped if why == "is not there"}
    photos = [one.path for one in presentations.shown]
    looked = recognizer.stream(photos, until=Stage.DETECT, live=check, done=done)
    for one, analysis in zip(presentations.shown, looked, strict=True):
        if analysis.error is not None:
            unread[str(one.path)] = analysis.error.message
            continue
        score, why = _score(analysis)
        if why:
            silent[why] = silent.get(why, 0) + 1
        shown.append(one)
        scores.append(score)
    if not shown:
        first = next(iter(unread.values()), "there are none")
        raise Refused(
            f"None of the photos of {presentations.name} could be read: {first}",
            "Check the folder of the photos.",
        )
    names = sorted({one.species for one in shown if one.species})
    answers = Answers(
        np.array([0.0 if score is None else score for score in scores], np.float64),
        np.array([score is not None for score in scores], bool),
        np.array([names.index(p.species) if p.species else -1 for p in shown], np.int64),
        _numbered([one.subject for one in shown]),
        _numbered([one.device for one in shown]),
        tuple(names),
    )
    detector = recognizer.chain.preset.detector
    return Judged(presentations.name, check.model, detector, tuple(shown), answers, silent, unread)


def _score(analysis: Analysis) -> tuple[float | None, str]:
    """Return the score of the largest face, or None and the kind of reason why there is none."""
    if not len(analysis.faces):
        return None, NO_FACE
    answer = analysis.live[choose(analysis.faces, FacePolicy.LARGEST, analysis.photo.source)]
    if answer.score is None:
        return None, answer.reason.partition(":")[0]  # without its numbers
    return answer.score, ""


def _numbered(words: Sequence[str]) -> Any:
    return np.unique(np.array(words, object).astype(str), return_inverse=True)[1].astype(np.int64)


def measure(
    judged: Judged,
    threshold: float,
    source: str,
    *,
    target: float | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> PadRun:
    """Return every figure at a threshold. source: what stands behind it. target: see ``PadRun``."""
    answers = judged.answers

    def rate(species: int) -> Rate | None:
        return figures.rate_of(answers, species, threshold, draws=draws, seed=seed)

    rates = [rate(k) for k in range(len(answers.names))]
    attacks = sorted(
        (one for one in rates if one is not None), key=lambda one: (-one.rate.value, one.name)
    )
    bona_fide = rate(-1)
    lacking: tuple[str, ...] = ()
    if target is not None:
        lacking = tuple(figures.missing(attacks, bona_fide, target, figures.needed(target)))
    return PadRun(
        judged,
        threshold,
        source,
        tuple(attacks),
        bona_fide,
        figures.points(answers, figures.threshold_at_bpcer),
        figures.points(answers, figures.threshold_at_apcer),
        target,
        lacking,
    )


def calibrate(
    judged: Judged, target: float, *, date: str, draws: int = DRAWS, seed: int = SEED
) -> LiveCalibration:
    """Return the record of the lowest threshold at which no species' APCER exceeds ``target``.

    Raises Refused, with what is missing, where the presentations cannot carry it, and where the
    threshold would refuse every bona fide presentation.
    """
    at = figures.threshold_at_apcer(judged.answers, target)
    run = measure(judged, 0.5 if at is None else at, "", draws=draws, seed=seed)
    lacking = figures.missing(run.attacks, run.bona_fide, target)
    if lacking or at is None or run.bona_fide is None:
        raise Refused(
            f"An APCER of {target:g} needs more than {judged.name} has (3 over the presentations "
            "of a species must not exceed it).",
            f"Add {'; '.join(lacking)}.",
        )
    if not 0 < at < 1 or run.bona_fide.rate.value == 1:
        raise Refused(
            f"No threshold keeps every species of {judged.name} at an APCER of {target:g} and lets "
            "a bona fide presentation pass.",
            "Try another model, or allow a larger APCER.",
        )
    answers = judged.answers
    silent = sum(judged.silent.values())
    return LiveCalibration(
        id=f"{judged.model}-{judged.name}",
        model=judged.model,
        detector=judged.detector,
        set=judged.name,
        digest=judged.digest,
        date=date,
        target=target,
        threshold=at,
        subjects=len(np.unique(answers.subjects)),
        devices=len(np.unique(answers.devices)),
        not_checked=silent,
        bona_fide=_kept(run.bona_fide),
        attacks=tuple(_kept(one) for one in run.attacks),
        held_out=held_out(answers, target, seed),
    )


def _kept(rate: Rate) -> SpeciesRate:
    return SpeciesRate(rate.name, rate.answered, rate.wrong, rate.rate.low, rate.upper)


def held_out(answers: Answers, target: float, seed: int = SEED) -> float:
    """Return the largest APCER among people who did not choose the threshold.

    Half of the people choose, the other half is judged, each way; the larger of both.
    """
    people = np.unique(answers.subjects)
    half = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
    inside = np.isin(answers.subjects, half)
    found = 0.0
    for choosing, judged in ((inside, ~inside), (~inside, inside)):
        # fewer presentations show less: the smallest share that they can
        limit = figures.threshold_at_apcer(
            answers.where(choosing), _shown(answers, choosing, target)
        )
        value = figures.largest(answers.where(judged), 0.0 if limit is None else limit)[0]
        found = max(found, 1.0 if np.isnan(value) else value)
    return found


def _shown(answers: Answers, chosen: Any, target: float) -> float:
    some = answers.where(chosen)
    counts = [len(some.scores_of(k)) for k in range(len(some.names))]
    return max(target, 1 / max(min((n for n in counts if n), default=1), 1))
