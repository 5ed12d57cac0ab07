"""The alignment study as a report: what it is worth, told apart, with the faces that it moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from facelign.compare.pairs import Failures
from facelign.lab.alignment.figures import STEPS, ArmResult, Study
from facelign.lab.alignment.run import Condition
from facelign.lab.defaults import LAYOUTS
from facelign.lab.material.drawing import CHANGES, change_cells, difference_cells, scope, spreads
from facelign.lab.statistics.paired import verdict_of
from facelign.lab.statistics.rates import number, percent, tar_label
from facelign.lab.statistics.resampling import Interval
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import arms, average_faces, pathways, roc
from facelign.types.arrays import ByteArray, Float64Array

#: layouts by name and by what is done to a photo, blue (unaligned) first
_SHOWN = {
    "none": ("unaligned (whole photo)", "squeezed, no face looked for"),
    "crop": ("box and margin", "box and margin, stretched"),
    "square": ("square box", "square box"),
    "eyes": ("eyes level", "square box, eyes level"),
    "five": ("five points", "five points on their places"),
    "native": ("native", "the model's own points"),
}
_NAMES = {layout: name for layout, (name, _) in _SHOWN.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Theory:
    """Faces before and after alignment, (n, h, w, 3) uint8, and their points, (n, 5, 2) px."""

    before: ByteArray
    after: ByteArray
    points_before: Float64Array
    points_after: Float64Array

    @property
    def spreads(self) -> tuple[float, float]:
        """How far points lie from their mean place, over the eyes' distance: before, after.

        By that distance, because a face is smaller in the whole photo than in its chip.
        """
        return _spread(self.points_before), _spread(self.points_after)


def _spread(points: Float64Array) -> float:
    eyes = float(np.linalg.norm(points[:, 1] - points[:, 0], axis=1).mean())
    gaps = np.linalg.norm(points - points.mean(axis=0), axis=2)
    return float(np.sqrt((gaps**2).mean())) / eyes


def roc_pair(study: Study) -> Plot:
    """Return both ROC curves in one figure: unaligned blue, aligned orange."""
    raw, aligned = study.best
    lines = [_line(raw, "unaligned"), _line(aligned, f"aligned ({_NAMES[aligned.arm.layout]})")]
    who = f"{aligned.arm.model}, {aligned.arm.detector}"
    return roc.draw(lines, lowest=_lowest(study), title=f"What alignment is worth ({who})")


def roc_layouts(study: Study) -> Plot:
    """Return the ROC of every layout of the first model and the best detector."""
    condition = study.best[1].arm.condition
    lines = [_line(r, _NAMES[r.arm.layout]) for r in _beside_best(study, condition=condition)]
    return roc.draw(lines, lowest=_lowest(study), title="Every layout")


def over_conditions(study: Study, *, leans: bool) -> Plot | None:
    """Return TAR of every layout over leans (or degradations); None where there are none."""
    _, aligned = study.best
    conditions = [c for c in study.conditions if _is_star(c, leans=leans)]
    if len(conditions) < 2:
        return None
    names = [
        f"{c.lean_deg:g} deg" if leans else c.degradation.name.replace("none", "as they are")
        for c in conditions
    ]
    lines = []
    for layout, name in _NAMES.items():
        places = {
            float(conditions.index(r.arm.condition)): r.main.tar
            for r in _beside_best(study, layout=layout)
            if r.arm.condition in conditions and r.main.tar is not None
        }
        if places:
            lines.append(Series(name, np.array(list(places)), np.array(list(places.values()))))
    if not lines:
        return None
    return arms.draw(
        lines,
        names,
        axis=tar_label(study.rate),
        title=f"{aligned.arm.model}, {aligned.arm.detector}; faces not found count as errors",
        x="Lean of the head, to either side" if leans else "",
    )


def report(
    study: Study,
    provenance: Mapping[str, str],
    theory: Theory | None = None,
    caveats: Sequence[str] = (),
    drawn: Sequence[Plot] = (),
) -> Report:
    """Return the report of a study."""
    _, aligned = study.best
    gain = aligned.gain.figures if aligned.gain else {}
    sections = [
        Section(
            "With and without alignment",
            (
                "The same photos and the same model; only the cut differs. A photo in which no "
                "face was found counts as an error of its arm: all its pairs are called different.",
            ),
            figures=[roc_pair(study), roc_layouts(study)],
            tables=[_layout_table(study, aligned.arm.condition)],
        ),
        Section(
            "Cropping and rotating told apart",
            (
                "Cropping: the upright square box against the whole photo. Rotating: the same "
                "square turned until the eyes are level, against it unturned. Scaling and placing: "
                "all five points on their places, against the turn alone.",
            ),
            figures=_step_figures(study),
            tables=[_step_table(study)],
        ),
        *_pathway_section(drawn),
        *_theory_section(theory),
        *_condition_sections(study),
        Section(
            "Every arm",
            (
                "Failures three ways: an error (the pair is called different), left out (kind to "
                "a detector that gives up), and the raw photo in place of the face.",
                "All models were trained by others on aligned photos; none that was trained on "
                "unaligned ones is measured.",
            ),
            tables=[_arm_table(study)],
        ),
    ]
    gap = gain.get("tar") or gain.get("auc")
    moods = {"better": Mood.GOOD, "worse": Mood.BAD, "same": Mood.PLAIN}
    return Report(
        "What alignment is worth",
        study.verdict,
        _headline(study, gain),
        sections,
        dict(provenance),
        scope(study.trials),
        moods[verdict_of(gap)] if gap else Mood.PLAIN,
        tuple(caveats),
    )


def _headline(study: Study, gain: Mapping[str, Interval]) -> list[Fact]:
    raw, aligned = study.best
    figure, who = tar_label(study.rate), f"{aligned.arm.model}, {aligned.arm.detector}"
    ends = {
        name: gap.ends(3, "+") if name == "auc" else f"{gap.percent.ends(2, '+')} points"
        for name, gap in gain.items()
    }
    moved = [
        f"{told(before)} \u2192 {told(after)}"
        for told, before, after in (
            (number, raw.main.auc, aligned.main.auc),
            (percent, raw.main.accuracy, aligned.main.accuracy),
        )
    ]
    return [
        Fact(f"{figure}, unaligned", percent(raw.main.tar), note=LAYOUTS["none"]),
        Fact(f"{figure}, {_NAMES[aligned.arm.layout]}", percent(aligned.main.tar), note=who),
        Fact("Difference, points", *change_cells(gain.get("tar")), "same photos"),
        Fact("AUC", moved[0], ends.get("auc", "")),
        Fact("Accuracy", moved[1], ends.get("accuracy", ""), "threshold from other folds"),
        Fact(
            "Faces not found",
            f"{aligned.failed_photos} of {len(study.trials.photos)}",
            note=f"by {aligned.arm.detector}",
        ),
    ]


def pathways_of(
    photos: Sequence[ByteArray],
    shown: Mapping[str, tuple[Sequence[ByteArray], Float64Array]],
    model: str,
    thresholds: Mapping[str, float | None] = MappingProxyType({}),
) -> list[Plot]:
    """Return one drawing an arm: training above, testing below (A0-17).

    photos: two, (h, w, 3) uint8. shown: ``Bench.shown`` of the same two photos. thresholds: by
    layout, the score at which other people's photos of that arm are told apart.
    """
    own = next((name for name in ("native", "five") if name in shown), None)
    training = (_SHOWN[own][1], *shown[own]) if own else None
    return [
        pathways.draw(
            *_SHOWN[layout],
            photos,
            *seen,
            model=model,
            training=training,
            threshold=thresholds.get(layout),
        )
        for layout, seen in shown.items()
    ]


def _pathway_section(drawn: Sequence[Plot]) -> list[Section]:
    if not drawn:
        return []
    text = (
        "Two photos of the set, through each arm. The network of all arms is the same and was "
        "trained by others on aligned faces; training on unaligned photos is not measured."
    )
    return [Section("The arms, step by step", (text,), figures=drawn)]


def _theory_section(theory: Theory | None) -> list[Section]:
    if theory is None:
        return []
    text = (
        "The theory of alignment: each part of the face falls onto the same spot "
        "in every photo, so that the average is a face and the points lie on heaps. Before: the "
        "whole photo as the unaligned arm sees it."
    )
    before, after = theory.spreads
    told = (
        f"Measured by the distance of the eyes, points lie {before:.3f} from their mean place "
        f"before and {after:.3f} after."
    )
    figure = average_faces.draw(
        theory.before, theory.after, theory.points_before, theory.points_after
    )
    return [Section("The theory, seen", (text, told), figures=[figure])]


def _condition_sections(study: Study) -> list[Section]:
    figures = [over_conditions(study, leans=True), over_conditions(study, leans=False)]
    shown = [figure for figure in figures if figure is not None]
    if not shown:
        return []
    changes = dict.fromkeys(c.degradation for c in study.conditions)
    text = (
        "People who do not cooperate: leaning heads, photos from afar, out of focus, in poor "
        "light, with dark glasses. All of it is made from the same photos, so it is a stand-in: "
        "real ones differ in more than one respect.",
        *(f"{change.name}: {change.words}." for change in changes if change.name != "none"),
    )
    return [Section("When people do not cooperate", text, figures=shown)]


def _step_figures(study: Study) -> list[Plot]:
    best = study.best[1].arm
    gaps = {
        f"{step.name}, {step.arm.condition.lean_deg:g} deg": (
            known.percent
            if (known := step.difference.figures.get("tar"))
            else step.difference.figures.get("auc")
        )
        for step in study.steps
        if (step.arm.model, step.arm.detector) == (best.model, best.detector)
        and _is_star(step.arm.condition, leans=True)
    }
    axis, title = f"Gain in {tar_label(study.rate)}, points", f"{best.model}, {best.detector}"
    figure = spreads(gaps, axis=axis, title=title, target=0.0)
    return [figure] if figure else []


def _layout_table(study: Study, condition: Condition) -> Table:
    columns = (
        *("model", "detector", "layout", "accuracy", "AUC"),
        *("TAR", "TAR gain, points", "95 %", "lost"),
    )
    rows = [
        (
            *(r.arm.model, r.arm.detector, _NAMES[r.arm.layout]),
            *(percent(r.main.accuracy), number(r.main.auc), percent(r.main.tar)),
            *change_cells(r.gain.figures.get("tar") if r.gain else None),
            str(r.failed_photos),
        )
        for r in study.find(condition=condition)
    ]
    note = f"{tar_label(study.rate)}; gain over the unaligned arm; lost: photos without a face."
    return Table("Layouts, untouched photos", columns, rows, note)


def _step_table(study: Study) -> Table:
    columns = ("step", "model", "detector", "photos", *CHANGES)
    rows = [
        (
            *(step.name, step.arm.model, step.arm.detector, step.arm.condition.words),
            *difference_cells(step.difference),
        )
        for step in study.steps
    ]
    told = "; ".join(f"{name}: {b} against {a}" for name, (a, b) in STEPS.items())
    return Table("Steps", columns, rows, f"{told}. Differences on the same pairs.")


def _arm_table(study: Study) -> Table:
    columns = (
        *("model", "detector", "layout", "photos", "lost"),
        *("TAR, errors", "TAR, left out", "TAR, raw", "accuracy", "AUC"),
    )
    rows = []
    for r in study.results:
        ways = [r.ways.get(w) for w in (Failures.DIFFERENT, Failures.LEFT_OUT, Failures.RAW)]
        rows.append(
            (
                *(r.arm.model, r.arm.detector, _NAMES[r.arm.layout], r.arm.condition.words),
                str(r.failed_photos),
                *(percent(w.tar if w else None) for w in ways),
                *(percent(r.main.accuracy), number(r.main.auc)),
            )
        )
    return Table("All arms", columns, rows, f"{tar_label(study.rate)}.")


def _beside_best(study: Study, **wanted: object) -> list[ArmResult]:
    """Return the results of the model and the detector of the verdict."""
    best = study.best[1].arm
    results = study.find(model=best.model, **wanted)
    return [r for r in results if r.arm.detector in ("-", best.detector)]


def _is_star(condition: Condition, *, leans: bool) -> bool:
    return condition.degradation.name == "none" if leans else condition.lean_deg == 0


def _line(result: ArmResult, name: str) -> Series:
    curve = result.curve
    note = f"AUC {number(result.main.auc)}"
    return Series(name, curve.fmr[::-1], curve.tar[::-1], note=note)


def _lowest(study: Study) -> float:
    return 1 / max(int((~study.trials.same).sum()), 10)
