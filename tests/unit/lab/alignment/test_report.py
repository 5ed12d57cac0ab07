"""The page of the alignment study: what it shows follows from the vectors of the arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.datasets.records import PeopleFolder, Photo
from facelign.errors import BadArray, ConfigError, UnknownModel
from facelign.lab.alignment import figures
from facelign.lab.alignment import report as page
from facelign.lab.alignment.figures import Study
from facelign.lab.alignment.run import Arm, Bench, Condition, Vectors
from facelign.lab.defaults import LAYOUTS
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import PairedOptions
from facelign.report import html
from facelign.report.page import Mood
from facelign.types.embeddings import Metric, Space
from told_figures import odd_cells

SPACE = Space("m/study/study", 12, Metric.COSINE, unit=True)
#: how far photos of one person lie apart, by layout
NOISE = {"none": 2.0, "square": 1.3, "eyes": 1.1, "five": 0.4}


@pytest.fixture(scope="module")
def trials() -> Trials:
    photos = tuple(
        Photo(Path("set") / f"p{p:02d}" / f"{k}.jpg", f"p{p:02d}")
        for p in range(10)
        for k in range(4)
    )
    return Trials.all_pairs(PeopleFolder(Path("set"), photos))


def vectors(trials: Trials, noise: float, lost: int, seed: int = 6) -> Vectors:
    """Return vectors of all photos around those of their people; the first ``lost`` gave none."""
    draws = np.random.default_rng(seed)
    centers = draws.normal(0, 1, (len(trials.people), 12))
    rows = [trials.people.index(photo.person) for photo in trials.photos]
    table = centers[rows] + draws.normal(0, noise, (len(rows), 12))
    table[:lost] = 0
    return Vectors(SPACE, table, dict.fromkeys(range(lost), "No face was found."))


def study_of(trials: Trials, conditions: tuple[Condition, ...], noise: dict[str, float]) -> Study:
    arms = {}
    for number, condition in enumerate(conditions):
        for layout, spread in noise.items():
            whole = layout == "none"
            arm = Arm(condition, "-" if whole else "yunet", layout, "m")
            arms[arm] = vectors(trials, spread * (1 + number / 2), 0 if whole else 2 + number)
    return figures.summarize(trials, arms, PairedOptions(draws=60))


@pytest.fixture(scope="module")
def study(trials: Trials) -> Study:
    return study_of(trials, figures.conditions((0.0, 30.0), ("none", "blur")), NOISE)


def test_the_headline_is_of_untouched_photos_and_says_who_was_lost(study: Study) -> None:
    built = page.report(study, {"set": "made"})
    facts = {fact.label: fact for fact in built.headline}
    raw, aligned = study.best
    assert (raw.arm.layout, aligned.arm.layout) == ("none", "five")
    assert raw.arm.condition.words == "as they are"
    assert facts["Faces not found"].value == "2 of 40"
    assert facts["AUC"].value == f"{raw.main.auc:.4f} \u2192 {aligned.main.auc:.4f}"
    assert aligned.gain is not None
    gain = aligned.gain.figures["tar"]
    assert facts["Difference, points"].value == f"{100 * gain.value:+.2f}"
    assert f"{100 * aligned.main.tar:.2f} %: {gain.points}; faces not found" in study.verdict
    assert odd_cells(built) == []
    steps = built.sections[1].figures[0]
    assert steps.alt.count("(") <= 5  # a caption is a sentence, not a table
    assert built.mood is Mood.GOOD
    assert built.verdict == study.verdict
    assert "alignment" in html.render(built).lower()


def test_every_arm_has_a_row_and_untouched_photos_a_table_of_their_own(study: Study) -> None:
    built = page.report(study, {})
    tables = {table.title: table for section in built.sections for table in section.tables}
    assert len(tables["All arms"].rows) == len(study.results) == 12
    assert len(tables["Layouts, untouched photos"].rows) == 4
    assert {row[3] for row in tables["All arms"].rows} == {"as they are", "30 deg", "blur=0.02"}
    assert [row[4] for row in tables["All arms"].rows[:4]] == ["0", "2", "2", "2"]
    steps = tables["Steps"].rows
    assert [row[0] for row in steps[:4]] == list(figures.STEPS)
    assert len(steps) == 12  # four steps in three conditions
    text = " ".join(line for section in built.sections for line in section.text)
    assert "trained on unaligned ones is measured" in text
    assert "issue" not in text


def test_lines_over_leans_and_over_degradations(study: Study) -> None:
    leans = page.over_conditions(study, leans=True)
    changes = page.over_conditions(study, leans=False)
    assert leans is not None
    assert changes is not None
    assert leans.numbers["condition"] == ["0 deg", "30 deg"]
    assert changes.numbers["condition"] == ["as they are", "blur"]
    for layout, name in (("none", "unaligned (whole photo)"), ("five", "five points")):
        want = [
            study.find(layout=layout, condition=condition)[0].main.tar
            for condition in (study.results[0].arm.condition, study.results[4].arm.condition)
        ]
        drawn = leans.numbers[name]
        assert drawn == pytest.approx(want)


def test_one_condition_has_nothing_to_be_drawn_over(trials: Trials) -> None:
    alone = study_of(trials, figures.conditions((0.0,), ("none",)), NOISE)
    assert page.over_conditions(alone, leans=True) is None
    assert page.over_conditions(alone, leans=False) is None
    titles = [section.title for section in page.report(alone, {}).sections]
    assert "When people do not cooperate" not in titles
    assert "The theory, seen" not in titles


def test_the_curves_are_those_of_the_arms(study: Study) -> None:
    pair = page.roc_pair(study)
    raw, aligned = study.best
    assert f"AUC {raw.main.auc:.4f}" in pair.alt
    assert f"AUC {aligned.main.auc:.4f}" in pair.alt
    np.testing.assert_array_equal(pair.numbers["unaligned: TAR"], raw.curve.tar[::-1])
    colors = [line.get_color() for line in pair.figure.axes[0].get_lines()[:2]]
    assert colors == ["#0072B2", "#E69F00"]  # the article's blue and orange
    assert page.roc_layouts(study).alt.count("AUC") == 4


def test_a_harm_and_a_draw_are_said_as_such(trials: Trials) -> None:
    plain = figures.conditions((0.0,), ("none",))
    worse = study_of(trials, plain, {"none": 0.3, "five": 3.0})
    assert "harms here" in worse.verdict
    assert page.report(worse, {}).mood is Mood.BAD
    equal = study_of(trials, plain, {"none": 1.0, "square": 1.0})
    assert "by the box" in equal.verdict


def test_without_a_pair_of_arms_there_is_no_verdict(trials: Trials) -> None:
    plain = figures.conditions((0.0,), ("none",))
    alone = study_of(trials, plain, {"five": 0.4})
    assert alone.results[0].gain is None
    with pytest.raises(ConfigError, match="none and five"):
        _ = alone.verdict
    with pytest.raises(BadArray, match="no arms"):
        figures.summarize(trials, {})


def test_the_theory_measures_how_far_points_lie_from_their_places(study: Study) -> None:
    base = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
    blank = np.zeros((2, 112, 112, 3), np.uint8)
    before = base[None] + np.array([[6.0, 8], [-6, -8]])[:, None]
    theory = page.Theory(blank, blank, before, np.stack([base, base]))
    assert theory.spreads == pytest.approx((10 / 40, 0))
    (section,) = [
        s for s in page.report(study, {}, theory).sections if s.title == "The theory, seen"
    ]
    assert section.figures[0].photos  # an average of few faces is a face
    assert "points lie 0.250 from their mean place before and 0.000 after" in section.text[1]


@pytest.mark.parametrize("layouts", [["none", "five"], list(LAYOUTS)])
def test_a_bench_knows_its_layouts_before_it_loads_anything(layouts: list[str]) -> None:
    with pytest.raises(UnknownModel, match="no layout 'oval'"):
        Bench(["sface"], ["yunet"], [*layouts, "oval"])
    with pytest.raises(ConfigError, match="-90 to 90"):
        figures.conditions((91.0,), ())
