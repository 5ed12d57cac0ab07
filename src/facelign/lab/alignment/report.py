"""The alignment study as a report: what it is worth, told apart, with the faces that it moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare.pairs import Failures
from facelign.lab.alignment.figures import STEPS, ArmResult, Study
from facelign.lab.alignment.run import LAYOUTS, Condition
from facelign.lab.statistics.rates import tar_label
from facelign.lab.statistics.resampling import Interval
from facelign.report.page import Fact, Mood, Report, Section, Table
from facelign.report.plot import Plot, Series
from facelign.report.plots import arms, average_faces, intervals, pathways, roc
from facelign.types.arrays import ByteArray, Float64Array

#: the order of the article's figure: blue, then orange
_NAMES = {
    "none": "unaligned (whole photo)",
    "crop": "box and margin",
    "square": "square box",
    "eyes": "eyes level",
    "five": "five points",
    "native": "native",
}


_CUTS = {
    "none": "squeezed, no face looked for",
    "crop": "box and margin, stretched",
    "square": "square box",
    "eyes": "square box, eyes level",
    "five": "five points on their places",
    "native": "the model's own points",
}


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
        found = []
        for points in (self.points_before, self.points_after):
            eyes = float(np.linalg.norm(points[:, 1] - points[:, 0], axis=1).mean())
            gaps = np.linalg.norm(points - points.mean(axis=0), axis=2)
            found.append(float(np.sqrt((gaps**2).mean())) / eyes)
        return found[0], found[1]

    def drawn(self) -> Plot:
        """Return the average faces and all landmarks, before and after."""
        return average_faces.draw(self.before, self.after, self.points_before, self.points_after)


def roc_pair(study: Study) -> Plot:
    """Return both ROC curves of the article in one figure: unaligned blue, aligned orange."""
    raw, aligned = study.best
    lines = [_line(raw, "unaligned"), _line(aligned, f"aligned ({_NAMES[aligned.arm.layout]})")]
    who = f"{aligned.arm.model}, {aligned.arm.detector}"
    return roc.draw(lines, lowest=_lowest(study), title=f"What alignment is worth ({who})")


def roc_layouts(study: Study) -> Plot:
    """Return the ROC of every layout of the first model and the best detector."""
    _, aligned = study.best
    shown = [
        r
        for r in study.find(condition=aligned.arm.condition, model=aligned.arm.model)
        if r.arm.detector in ("-", aligned.arm.detector)
    ]
    lines = [_line(r, _NAMES[r.arm.layout]) for r in shown]
    return roc.draw(lines, lowest=_lowest(study), title="Every layout")


def over_conditions(study: Study, *, leans: bool) -> Plot | None:
    """Return TAR of every layout over leans (or degradations); None where there are none."""
    _, aligned = study.best
    conditions = [c for c in _conditions(study) if _is_star(c, leans=leans)]
    if len(conditions) < 2:
        return None
    names = [
        f"{c.lean_deg:g} deg" if leans else c.degradation.name.replace("none", "as they are")
        for c in conditions
    ]
    lines = []
    for layout in LAYOUTS:
        places, values = [], []
        for place, condition in enumerate(conditions):
            found = study.find(condition=condition, model=aligned.arm.model, layout=layout)
            mine = [r for r in found if r.arm.detector in ("-", aligned.arm.detector)]
            if mine and mine[0].main.tar is not None:
                places.append(float(place))
                values.append(mine[0].main.tar)
        if places:
            lines.append(Series(_NAMES[layout], np.array(places), np.array(values)))
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
    raw, aligned = study.best
    gain = aligned.gain.figures if aligned.gain else {}
    trials = study.trials
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
    figure = tar_label(study.rate)
    headline = [
        Fact(f"{figure}, unaligned", _number(raw.main.tar), note=LAYOUTS["none"]),
        Fact(
            f"{figure}, {_NAMES[aligned.arm.layout]}",
            _number(aligned.main.tar),
            note=f"{aligned.arm.model}, {aligned.arm.detector}",
        ),
        Fact("Difference", _signed(gain.get("tar")), _spread(gain.get("tar")), "same photos"),
        Fact(
            "AUC",
            f"{_number(raw.main.auc, 4)} \u2192 {_number(aligned.main.auc, 4)}",
            _spread(gain.get("auc")),
        ),
        Fact(
            "Accuracy",
            f"{_number(raw.main.accuracy, 4)} \u2192 {_number(aligned.main.accuracy, 4)}",
            _spread(gain.get("accuracy")),
            "threshold from other folds",
        ),
        Fact(
            "Faces not found",
            f"{aligned.failed_photos} of {len(trials.photos)}",
            note=f"by {aligned.arm.detector}",
        ),
    ]
    spread = gain.get("tar") or gain.get("auc")
    mood = Mood.GOOD if spread and spread.low > 0 else Mood.PLAIN
    scope = (
        f"{trials.name}: {len(trials.photos):,} photos of {trials.subjects:,} people, "
        f"{int(trials.same.sum()):,} mated and {int((~trials.same).sum()):,} non-mated pairs"
    )
    return Report(
        "What alignment is worth",
        study.verdict,
        headline,
        sections,
        dict(provenance),
        scope,
        Mood.BAD if spread and spread.high < 0 else mood,
        tuple(caveats),
    )


def pathways_of(
    photos: Sequence[ByteArray],
    shown: Mapping[str, tuple[Sequence[ByteArray], Float64Array]],
    model: str,
) -> list[Plot]:
    """Return one drawing an arm: training above, testing below (A0-17).

    photos: two, (h, w, 3) uint8. shown: ``Bench.shown`` of the same two photos.
    """
    own = next((name for name in ("native", "five") if name in shown), None)
    training = (_CUTS[own], *shown[own]) if own else None
    return [
        pathways.draw(
            _NAMES[layout],
            _CUTS[layout],
            photos,
            chips,
            vectors,
            model=model,
            training=training,
        )
        for layout, (chips, vectors) in shown.items()
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
        "The theory of the first article: aligned, each part of the face falls onto the same spot "
        "in every photo, so that the average is a face and the points lie on heaps. Before: the "
        "whole photo as the unaligned arm sees it."
    )
    before, after = theory.spreads
    told = (
        f"Measured by the distance of the eyes, points lie {before:.3f} from their mean place "
        f"before and {after:.3f} after."
    )
    return [Section("The theory, seen", (text, told), figures=[theory.drawn()])]


def _condition_sections(study: Study) -> list[Section]:
    figures = [over_conditions(study, leans=True), over_conditions(study, leans=False)]
    shown = [figure for figure in figures if figure is not None]
    changes = dict.fromkeys(c.degradation for c in _conditions(study))
    changed = [c for c in changes if c.name != "none"]
    if not shown:
        return []
    told = [f"{change.name}: photos {change.words}." for change in changed]
    text = (
        "People who do not cooperate: leaning heads, photos from afar, out of focus, in poor "
        "light, with dark glasses. All of it is made from the same photos, so it is a stand-in: "
        "real ones differ in more than one respect.",
        *told,
    )
    return [Section("When people do not cooperate", text, figures=shown)]


def _step_figures(study: Study) -> list[Plot]:
    _, aligned = study.best
    mine = [
        step
        for step in study.steps
        if (step.model, step.detector) == (aligned.arm.model, aligned.arm.detector)
        and _is_star(step.condition, leans=True)
    ]
    rows = [(step, _first(step.difference.figures, "tar", "auc")) for step in mine]
    held = [(step, spread) for step, spread in rows if spread is not None]
    if not held:
        return []
    return [
        intervals.draw(
            [f"{step.name}, {step.condition.lean_deg:g} deg" for step, _ in held],
            [spread.value for _, spread in held],
            [spread.low for _, spread in held],
            [spread.high for _, spread in held],
            axis=f"Gain in {tar_label(study.rate)}",
            title=f"{aligned.arm.model}, {aligned.arm.detector}",
            target=0.0,
        )
    ]


def _layout_table(study: Study, condition: Condition) -> Table:
    columns = ("model", "detector", "layout", "accuracy", "AUC", "TAR", "TAR gain", "95 %", "lost")
    rows = []
    for r in study.find(condition=condition):
        tar = r.gain.figures.get("tar") if r.gain else None
        main = r.main
        rows.append(
            (
                r.arm.model,
                r.arm.detector,
                _NAMES[r.arm.layout],
                _number(main.accuracy, 4),
                _number(main.auc, 4),
                _number(main.tar),
                _signed(tar),
                _spread(tar),
                str(r.failed_photos),
            )
        )
    note = f"{tar_label(study.rate)}; gain over the unaligned arm; lost: photos without a face."
    return Table("Layouts, untouched photos", columns, rows, note)


def _step_table(study: Study) -> Table:
    columns = ("step", "model", "detector", "photos", "accuracy", "95 %", "TAR", "95 %")
    rows = []
    for step in study.steps:
        accuracy, tar = (step.difference.figures.get(name) for name in ("accuracy", "tar"))
        rows.append(
            (
                step.name,
                step.model,
                step.detector,
                step.condition.words,
                _signed(accuracy, 4),
                _spread(accuracy, 4),
                _signed(tar),
                _spread(tar),
            )
        )
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
                r.arm.model,
                r.arm.detector,
                _NAMES[r.arm.layout],
                r.arm.condition.words,
                str(r.failed_photos),
                *(_number(w.tar if w else None) for w in ways),
                _number(r.main.accuracy, 4),
                _number(r.main.auc, 4),
            )
        )
    return Table("All arms", columns, rows, f"{tar_label(study.rate)}.")


def _conditions(study: Study) -> list[Condition]:
    return list(dict.fromkeys(r.arm.condition for r in study.results))


def _is_star(condition: Condition, *, leans: bool) -> bool:
    return condition.degradation.name == "none" if leans else condition.lean_deg == 0


def _line(result: ArmResult, name: str) -> Series:
    curve = result.curve
    auc = result.main.auc
    note = f"AUC {auc:.4f}" if auc is not None else ""
    return Series(name, curve.fmr[::-1], curve.tar[::-1], note=note)


def _lowest(study: Study) -> float:
    return 1 / max(int((~study.trials.same).sum()), 10)


def _first(figures: Mapping[str, Interval], *names: str) -> Interval | None:
    return next((figures[name] for name in names if name in figures), None)


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _signed(found: Interval | None, digits: int = 3) -> str:
    return "-" if found is None else f"{found.value:+.{digits}f}"


def _spread(found: Interval | None, digits: int = 3) -> str:
    return "" if found is None else f"{found.low:+.{digits}f} to {found.high:+.{digits}f}"
