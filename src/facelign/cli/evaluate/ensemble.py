"""``facelign evaluate ensemble``: several models alone and together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import options, trials
from facelign.cli.evaluate import inputs
from facelign.cli.exits import Exit
from facelign.lab.defaults import PAIRED_DRAWS, SEED

if TYPE_CHECKING:
    from facelign.lab.ensemble.run import EnsembleRun
    from facelign.lab.material.trials import Trials
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report

Models = Annotated[str, typer.Option("--models", help="Embedding models, by id; two or more.")]
Save = Annotated[
    Path | None,
    typer.Option("--save", help="Write the fitted rule (JSON) for verify --fusion."),
]
RuleName = Annotated[
    str,
    typer.Option(
        "--rule",
        help="The rule of the verdict and of --save: weighted, mean, z-norm, logistic, boosting, "
        "or best (on these very people).",
    ),
]
Timed = Annotated[int, typer.Option("--timed", min=0, help="Photos that are timed; 0 for none.")]


def ensemble(
    images: trials.ImagesFolder,
    pairs: trials.PairsFile = None,
    all_pairs: trials.AllPairs = False,
    models: Models = "sface,dlib-resnet,mobilefacenet",
    detector: Annotated[str, typer.Option("--detector", help="Detector, by id.")] = "yunet",
    flip: Annotated[
        bool, typer.Option("--flip", help="Average each vector with the mirrored face's.")
    ] = False,
    save: Save = None,
    rule: RuleName = "weighted",
    fmr: Annotated[float, typer.Option("--fmr", help="FMR at which TAR is told.")] = 1e-3,
    timed: Timed = 15,
    draws: trials.Draws = PAIRED_DRAWS,
    seed: trials.Seed = SEED,
    report: inputs.ReportFile = None,
    no_photos: inputs.NoPhotos = False,
    figures: inputs.Figures = None,
    csv: inputs.Csv = None,
    json: options.Json = False,
    workers: options.Workers = None,
) -> int:
    """Say whether models together beat the best of them, on people they were not fitted on.

    Weighted cosine, mean, z-norm, logistic regression and gradient boosting over the scores.
    """
    trials.needs("evaluate", "sklearn scipy")
    if report or figures or csv:
        trials.needs("report", "matplotlib")
    from facelign.cli.output import emit, progress
    from facelign.lab.ensemble import run as measuring
    from facelign.recognition.fused import preset_of
    from facelign.recognition.recognizer import Recognizer

    rule = {"weighted": "weighted cosine"}.get(rule, rule)
    options = measuring.EnsembleOptions(fmr, draws, seed, rule)
    compared = trials.trials(images, pairs, all_pairs)
    names = trials.words(models)
    chain = preset_of(names, detector, flip=flip)
    recognizer = Recognizer(chain, cache=trials.cache(), workers=workers)
    with progress("embedding", len(compared.photos)) as done:
        found = measuring.run(
            compared,
            recognizer,
            options,
            done=done,
            times=_times(compared, names, detector, flip, timed),
        )
    if save is not None:
        _save(save, found, names, detector, flip)
    if report or figures or csv:
        built = _report(found, compared.digest(), recognizer)
        inputs.write(built, report, figures, csv, photos=not no_photos)
    if json:
        emit(found.to_dict())
    else:
        _say(found)
    return Exit.DONE


def _times(
    compared: Trials, names: list[str], detector: str, flip: bool, count: int
) -> dict[str, float]:
    """Return ms of a photo by model and together, measured in turns without the cache."""
    from facelign.lab.material.timing import medians
    from facelign.recognition.fused import preset_of
    from facelign.recognition.presets import Part, Preset
    from facelign.recognition.recognizer import Recognizer

    if not count:
        return {}
    chains = {
        name: Recognizer(Preset(name, "", detector, (Part(name, flip=flip, unit=True),)), workers=1)
        for name in names
    }
    chains["together"] = Recognizer(preset_of(names, detector, flip=flip), workers=1)
    paths = [photo.path for photo in compared.photos]
    return dict(zip(chains, medians(list(chains.values()), paths, count), strict=True))


def _save(path: Path, found: EnsembleRun, names: list[str], detector: str, flip: bool) -> None:
    from facelign.cli.output import note
    from facelign.lab.ensemble.run import threshold_of
    from facelign.recognition.fused import EnsembleRecord

    chosen = found.named.name
    record = EnsembleRecord(
        tuple(names), detector, flip, chosen, found.fitted[chosen], threshold_of(found, chosen)
    )
    path.write_text(record.to_json(), encoding="utf-8")
    note(f"saved: {path} ({chosen})")


def _report(found: EnsembleRun, digest: str, recognizer: Recognizer) -> Report:
    from facelign.lab.ensemble import report as page

    more = {
        "set": found.trials.name,
        "digest of the set": digest,
        "protocol": found.parts,
        "spaces": "; ".join(found.spaces),
        "draws, seed": f"{found.options.draws}, {found.options.seed}",
    }
    return page.report(found, inputs.provenance(None, more, recognizer.chain.preset.models))


def _say(found: EnsembleRun) -> None:
    from facelign.cli.output import line
    from facelign.lab.statistics.rates import tar_label

    line(
        f"{'system':16} {'precision':>9} {'recall':>7} {'F1':>7} {'accuracy':>9} {'AUC':>8} "
        f"{'TAR':>6} {'accuracy gained (95 %)':>31} {'ms':>5}"
    )
    for one in found.judged:
        gain = one.gain.figures.get("accuracy") if one.gain else None
        told = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" if gain else ""
        accuracy = "-" if one.accuracy is None else f"{one.accuracy:.4f}"
        tar = "-" if one.tar is None else f"{one.tar:.3f}"
        ms = "-" if one.ms is None else f"{one.ms:.0f}"
        line(
            f"{one.name:16} {one.precision:9.4f} {one.recall:7.4f} {one.f1:7.4f} {accuracy:>9} "
            f"{one.auc:8.5f} {tar:>6} {told:>31} {ms:>5}"
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
            line(
                f"{found.named.name} against {name}: accuracy {spread.value:+.4f} "
                f"({spread.low:+.4f} to {spread.high:+.4f}): {duel.verdict}"
            )
    line("")
    line(found.verdict)
