"""``facelign evaluate ensemble``: several models alone and together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from facelign.cli import building, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.cli.flags import JsonFlag, command, only
from facelign.cli.output import line, note, progress
from facelign.errors import ConfigError
from facelign.files import disk
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.options import Option, OptionSet
from facelign.wire.options import ChainFlags

if TYPE_CHECKING:
    from facelign.lab.ensemble.run import EnsembleRun
    from facelign.lab.material.trials import Trials
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report


@dataclass(frozen=True, slots=True)
class EnsembleFlags(OptionSet):
    """Which models walk together, and what becomes of the rule."""

    models: Annotated[str, Option("Embedding models, by id; two or more.")] = (
        "sface,dlib-resnet,mobilefacenet"
    )
    detector: Annotated[str, Option("Detector, by id.")] = DEFAULT_DETECTOR
    flip: Annotated[bool, Option("Average each vector with the mirrored face's.")] = False
    save: Annotated[Path | None, Option("Write the fitted rule (JSON) for verify --fusion.")] = None
    rule: Annotated[
        str,
        Option(
            "The rule of the verdict and of --save: weighted, mean, z-norm, logistic, boosting, "
            "or best (on these very people).",
        ),
    ] = "weighted"


@command
def ensemble(
    images: trials.ImagesFolder,
    listed: trials.PairFlags,
    asked: EnsembleFlags,
    paired: trials.PairedFlags,
    pages: inputs.PageFlags,
    output: JsonFlag,
    chain: Annotated[ChainFlags, only("workers")],
) -> int:
    """Say whether models together beat the best of them, on people they were not fitted on.

    Weighted cosine, mean, z-norm, logistic regression and gradient boosting over the scores.
    """
    pages.check()
    from facelign.lab.ensemble.run import WEIGHTED, EnsembleOptions, run
    from facelign.recognition.fused import preset_of
    from facelign.recognition.recognizer import Recognizer

    if asked.save is not None:
        _spare(asked.save)
    rule = WEIGHTED if asked.rule == "weighted" else asked.rule
    options = EnsembleOptions(paired.fmr, paired.draws, paired.seed, rule)
    compared = trials.trials(images, listed.pairs, listed.all_pairs)
    names = trials.words(asked.models)
    preset = preset_of(names, asked.detector, flip=asked.flip)
    recognizer = Recognizer(preset, cache=building.cache(), workers=chain.workers)
    with progress("embedding", len(compared.photos)) as done:
        times = _times(compared, names, asked, paired.timed)
        measured = run(compared, recognizer, options, done=done, times=times)
    if asked.save is not None:
        _save(asked.save, measured, names, asked)
    page = partial(_report, measured, compared.digest(), recognizer)
    pages.finish(page, measured.to_dict, partial(_say, measured), json=output.json)
    return Exit.DONE


def _times(
    compared: Trials, names: list[str], asked: EnsembleFlags, count: int
) -> dict[str, float]:
    """Return ms of a photo by model and together, measured in turns without the cache."""
    from facelign.lab.material.timing import medians
    from facelign.recognition.fused import preset_of
    from facelign.recognition.presets import Part, Preset
    from facelign.recognition.recognizer import Recognizer

    if not count:
        return {}
    presets = {
        name: Preset(name, "", asked.detector, (Part(name, flip=asked.flip, unit=True),))
        for name in names
    }
    presets["together"] = preset_of(names, asked.detector, flip=asked.flip)
    chains = [Recognizer(preset, workers=1) for preset in presets.values()]
    paths = [photo.path for photo in compared.photos]
    return dict(zip(presets, medians(chains, paths, count), strict=True))


def _spare(path: Path) -> None:
    """Raise ConfigError where the rule would be written over a file that is no saved rule."""
    from facelign.recognition.fused import EnsembleRecord

    if not path.is_file():
        return
    try:
        EnsembleRecord.from_json(path.read_bytes())
    except ConfigError:
        raise ConfigError(
            f"{path} is no saved ensemble, and is not replaced.", "Name another file."
        ) from None


def _save(path: Path, measured: EnsembleRun, names: list[str], asked: EnsembleFlags) -> None:
    from facelign.lab.ensemble.run import threshold_of
    from facelign.recognition.fused import EnsembleRecord

    rule = measured.named.name
    limit = threshold_of(measured, rule)
    record = EnsembleRecord(
        tuple(names), asked.detector, asked.flip, rule, measured.fitted[rule], limit
    )
    disk.write(path, record.to_json().encode())
    note(f"saved: {path} ({rule})")


def _report(found: EnsembleRun, digest: str, recognizer: Recognizer) -> Report:
    from facelign.lab.ensemble.report import report

    more = {
        "set": found.trials.name,
        "digest of the set": digest,
        "protocol": found.parts,
        "spaces": "; ".join(found.spaces),
        "draws, seed": f"{found.options.draws}, {found.options.seed}",
    }
    return report(found, inputs.provenance(None, more, recognizer.chain.preset.models))


def _say(found: EnsembleRun) -> None:
    from facelign.lab.statistics.rates import percent, tar_label

    line(
        f"{'system':16} {'precision':>9} {'recall':>8} {'F1':>7} {'accuracy':>9} {'AUC':>8} "
        f"{'TAR':>8} {'accuracy gained (95 %)':>32} {'ms':>5}"
    )
    for one in found.judged:
        gain = one.gain.figures.get("accuracy") if one.gain else None
        told = gain.points if gain else ""
        ms = "-" if one.ms is None else f"{one.ms:.0f}"
        line(
            f"{one.name:16} {percent(one.precision):>9} {percent(one.recall):>8} {one.f1:7.4f} "
            f"{percent(one.accuracy):>9} {one.auc:8.5f} {percent(one.tar):>8} {told:>32} {ms:>5}"
        )
    line(
        f"{tar_label(found.rate)}. Gained: over {found.best_single.name}, the most accurate model "
        f"alone. People are parted: {found.parts}."
    )
    judged = len(found.pairs[found.best_single.name])
    if judged < len(found.trials):
        line(
            f"{judged:,} of {len(found.trials):,} pairs are judged; the others join people of two "
            "parts, or their part lacks one kind of pairs."
        )
    for name, duel in found.named.gains.items():
        spread = duel.figures.get("accuracy")
        if spread:
            line(f"{found.named.name} against {name}: accuracy {spread.points}: {duel.verdict}")
    line("")
    line(found.verdict)
