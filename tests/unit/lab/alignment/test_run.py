"""The alignment study: cuts that differ in one thing only, figures that follow from vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelign import models as models
from facelign.align.layouts.eyes import Eyes
from facelign.align.layouts.five_points import FivePoints
from facelign.align.layouts.square import Square
from facelign.compare.pairs import Failures
from facelign.datasets.records import PeopleFolder, Photo
from facelign.errors import ConfigError, WeightsMissing
from facelign.gallery.cache import VectorCache
from facelign.geometry.transforms import apply
from facelign.lab.alignment import figures as study
from facelign.lab.alignment.run import Arm, Bench, Vectors
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import PairedOptions
from facelign.models.weights.store import Store
from facelign.types.embeddings import Metric, Space
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE
from facelign.types.specs import Task


def face(tilt: float = 0.0) -> Faces:
    turn = np.radians(tilt)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = np.array([[-20.0, -15], [20, -15], [0, 5], [-16, 25], [16, 25]]) @ spin.T + 150
    box = np.array([[100.0, 90, 200, 210]], np.float32)
    return Faces(
        box,
        np.ones(1, np.float32),
        Landmarks(points[None].astype(np.float32), FIVE),
        "x",
        (300, 300),
    )


def test_all_weights_that_a_study_lacks_are_named_at_once(tmp_path: Path) -> None:
    """A detector without points, its landmarker, the reference, and a model with its own points."""
    with pytest.raises(WeightsMissing) as told:
        Bench(["dlib-resnet", "sface"], ["ssd-res10", "yunet"], ["native"], store=Store(tmp_path))
    pulled = str(told.value).partition("facelign models pull ")[2]
    names = {"yunet", "ssd-res10", "dlib-68", "dlib-resnet", "dlib-5", "sface"}
    assert names == set(pulled.split(";")[0].split())


def test_square_is_eyes_without_the_turn() -> None:
    np.testing.assert_allclose(Square(112).fit(face()), Eyes(size=112).fit(face()), atol=1e-5)
    turned = Eyes(size=112).fit(face(30))[0]
    plain = Square(112).fit(face(30))[0]
    center = np.array([[150.0, 150.0]])
    np.testing.assert_allclose(apply(turned, center), apply(plain, center), atol=1e-6)
    assert abs(np.degrees(np.arctan2(turned[1, 0], turned[0, 0]))) == pytest.approx(30, abs=0.01)


def test_five_points_of_112_are_those_of_arcface_and_scale_with_the_chip() -> None:
    native = models.default().layout("arcface-112")
    np.testing.assert_allclose(FivePoints(112).fit(face(20)), native.fit(face(20)), atol=1e-9)
    small, large = FivePoints(96).fit(face(20))[0], FivePoints(192).fit(face(20))[0]
    points = np.random.default_rng(0).uniform(50, 250, (9, 2))
    np.testing.assert_allclose(
        (apply(large, points) + 0.5) / 2, apply(small, points) + 0.5, atol=1e-9
    )


def test_conditions_are_a_star_or_all() -> None:
    star = study.conditions((0, 15), ("none", "blur"))
    assert [c.id for c in star] == ["none|lean=0", "none|lean=15", "blur=0.02|lean=0"]
    assert len(study.conditions((0, 15), ("none", "blur"), cross=True)) == 4
    with pytest.raises(ConfigError):
        study.conditions((120,), ())


def people(count: int = 12, photos: int = 4) -> Trials:
    made = tuple(
        Photo(Path("set") / f"p{p:02d}" / f"{k}.jpg", f"p{p:02d}")
        for p in range(count)
        for k in range(photos)
    )
    return Trials.all_pairs(PeopleFolder(Path("set"), made))


def made_up(trials: Trials, lost: int = 5) -> dict[Arm, Vectors]:
    condition = study.conditions((0.0,), ("none",))[0]
    space = Space("m/study/study", 12, Metric.COSINE, unit=True)
    draws = np.random.default_rng(6)
    centers = draws.normal(0, 1, (len(trials.people), 12))
    place = {name: k for k, name in enumerate(trials.people)}
    rows = [place[p.person] for p in trials.photos]
    arms: dict[Arm, Vectors] = {}
    for layout, noise in (("none", 2.0), ("square", 1.3), ("eyes", 1.1), ("five", 0.4)):
        detector = "-" if layout == "none" else "yunet"
        held = centers[rows] + draws.normal(0, noise, (len(rows), 12))
        reasons = {} if layout == "none" else dict.fromkeys(range(lost), "No face was found.")
        held[list(reasons)] = 0
        arms[Arm(condition, detector, layout, "m")] = Vectors(space, held, reasons)
    return arms


def test_figures_follow_from_the_vectors_and_failures_are_counted_three_ways() -> None:
    trials = people()
    arms = made_up(trials)
    found = study.summarize(trials, arms, PairedOptions(draws=60))
    five = found.find(layout="five")[0]
    held = next(v for a, v in arms.items() if a.layout == "five")
    scores = trials.scores(held.vectors, Metric.COSINE)
    touched = (trials.a < 5) | (trials.b < 5)
    assert five.failed_photos == 5
    assert five.failed_pairs == int(touched.sum())
    left = roc_auc_score(trials.same[~touched], scores[~touched])
    assert five.ways[Failures.LEFT_OUT].auc == pytest.approx(left)
    assert five.ways[Failures.LEFT_OUT].pairs == int((~touched).sum())
    lowest = np.where(touched, -9, scores)
    assert five.main.auc == pytest.approx(roc_auc_score(trials.same, lowest))
    raw = next(v for a, v in arms.items() if a.layout == "none").vectors
    filled = held.vectors.copy()
    filled[:5] = raw[:5]
    mixed = trials.scores(filled, Metric.COSINE)
    assert five.ways[Failures.RAW].auc == pytest.approx(roc_auc_score(trials.same, mixed))


def test_steps_add_up_and_the_verdict_says_by_how_much() -> None:
    trials = people()
    found = study.summarize(trials, made_up(trials), PairedOptions(draws=80))
    steps = {s.name: s.difference.figures["auc"].value for s in found.steps}
    parts = sum(value for name, value in steps.items() if name != "all of it")
    assert parts == pytest.approx(steps["all of it"])
    raw, aligned = found.best
    assert (raw.arm.layout, aligned.arm.layout) == ("none", "five")
    assert aligned.gain is not None
    assert "helps" in found.verdict
    assert "5 of 48" in found.verdict
    told = found.to_dict()
    assert told["trained"]["status"].startswith("not measured")
    assert [a["layout"] for a in told["arms"]] == ["none", "square", "eyes", "five"]


def test_no_effect_is_said_to_be_none() -> None:
    trials = people()
    arms = made_up(trials, lost=0)
    none = next(a for a in arms if a.layout == "none")
    for arm in arms:
        arms[arm] = arms[none]
    assert "cannot tell" in study.summarize(trials, arms, PairedOptions(draws=60)).verdict


@pytest.mark.weights
def test_a_bench_gives_the_vectors_of_the_product_and_reads_them_back(
    portrait, pulled, tmp_path
) -> None:
    from facelign.imaging.write import write
    from facelign.recognition.recognizer import Recognizer

    known = models.default()
    store = pulled(known.spec(Task.DETECT, "yunet"), known.spec(Task.EMBED, "sface-int8"))
    photo, empty = tmp_path / "portrait.png", tmp_path / "empty.png"
    write(photo, portrait.pixels)
    write(empty, np.full((120, 120, 3), 90, np.uint8))
    cache = VectorCache(tmp_path / "vectors.db")
    conditions = study.conditions((0.0, 30.0), ("none",))
    bench = Bench(
        ["sface-int8"], ["yunet"], ["none", "eyes", "five", "native"], store=store, cache=cache
    )
    found = bench.run([photo, empty], conditions)
    by_layout = {(a.layout, a.condition.lean_deg): v for a, v in found.items()}
    # asked without "five", the points of the model are not left out, though they are five
    alone = Bench(["sface-int8"], ["yunet"], ["none", "native"], store=store, cache=cache)
    arms = {a.layout: v for a, v in alone.run([photo, empty], conditions[:1]).items()}
    assert set(arms) == {"none", "native"}
    np.testing.assert_allclose(arms["native"].vectors, by_layout["five", 0.0].vectors, atol=1e-5)
    assert set(by_layout) == {(n, d) for n in ("none", "eyes", "five") for d in (0.0, 30.0)}
    product = Recognizer(store=store).analyze(photo).embeddings
    assert product is not None
    np.testing.assert_allclose(by_layout["five", 0.0].vectors[0], product.vectors[0], atol=1e-5)
    # leaning by 30 degrees is undone by the points, not without them
    straight, leant = (by_layout["five", d].vectors[0] for d in (0.0, 30.0))
    raw = [by_layout["none", d].vectors[0] for d in (0.0, 30.0)]
    assert straight @ leant > 0.8
    assert straight @ leant > raw[0] @ raw[1]
    assert by_layout["five", 0.0].reasons.keys() == {1}
    assert not by_layout["five", 0.0].vectors[1].any()
    assert by_layout["none", 0.0].reasons == {}

    again = Bench(["sface-int8"], ["yunet"], ["none", "eyes", "five"], store=store, cache=cache)
    again._condition = None  # type: ignore[assignment] # everything must come from the cache
    for arm, vectors in again.run([photo, empty], conditions).items():
        np.testing.assert_allclose(vectors.vectors, found[arm].vectors, atol=1e-6)
        assert vectors.reasons == found[arm].reasons


@pytest.mark.weights
def test_what_an_arm_sees_is_what_it_is_measured_by(portrait, pulled, tmp_path) -> None:
    from facelign.errors import FacelignError
    from facelign.imaging.write import write
    from facelign.lab.alignment import report as page
    from facelign.report import html

    known = models.default()
    store = pulled(known.spec(Task.DETECT, "yunet"), known.spec(Task.EMBED, "sface"))
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    write(photos[0], portrait.pixels)
    write(photos[1], portrait.pixels[:400, 40:440])
    bench = Bench(["sface"], ["yunet"], ["none", "eyes", "five"], store=store)
    shown = bench.shown(photos, "sface", "yunet")
    assert list(shown) == ["none", "eyes", "five"]
    for arm, found in bench.run(photos, study.conditions((0.0,), ("none",))).items():
        np.testing.assert_allclose(shown[arm.layout][1], found.vectors, atol=1e-5)
        assert all(cut.shape == (112, 112, 3) for cut in shown[arm.layout][0])
    drawn = page.pathways_of([read_pixels(path) for path in photos], shown, "sface")
    assert [plot.name for plot in drawn] == [
        *("pathway-unaligned", "pathway-eyes-level", "pathway-five-points")
    ]
    assert all(plot.photos for plot in drawn)
    steps = [dict(zip(*map(plot.numbers.get, ("step", "what")), strict=True)) for plot in drawn]
    assert "not as in training" in str(drawn[0].numbers["what"])
    assert " as in training" in str(drawn[2].numbers["what"])
    assert "not as in training" not in str(drawn[2].numbers["what"])
    assert all(step["loss"].startswith("one person: nearer") for step in steps)
    report = page.report(
        study.summarize(people(), made_up(people()), PairedOptions(draws=60)), {}, drawn=drawn
    )
    assert "The arms, step by step" in html.render(report)
    assert html.render(report).count('src="data:image') - 3 == html.render(
        report, photos=False
    ).count('src="data:image')
    write(photos[1], np.full((120, 120, 3), 90, np.uint8))
    with pytest.raises(FacelignError):
        bench.shown(photos, "sface", "yunet")


def read_pixels(path: Path) -> np.ndarray:
    from facelign.imaging.read import read

    return read(path).full().pixels


@pytest.mark.parametrize(
    ("layouts", "works"),
    [
        ("none,five", True),
        ("none,crop", True),
        ("none,native", True),
        ("five,eyes", False),
        ("none", False),
    ],
)
def test_layouts_without_a_verdict_are_refused_before_anything_runs(
    layouts: str, works: bool
) -> None:
    from facelign.errors import ConfigError

    if works:
        study.check_layouts(layouts.split(","))
    else:
        with pytest.raises(ConfigError, match="unaligned arm with an aligned one"):
            study.check_layouts(layouts.split(","))


def test_a_layout_that_is_none_is_an_unknown_name() -> None:
    from facelign.errors import UnknownModel

    with pytest.raises(UnknownModel, match="no layout 'foo'"):
        study.check_layouts(["none", "foo"])


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.slow
def test_the_size_of_the_effect_on_real_photos(pulled, recognition, facelign_home) -> None:
    """Without alignment TAR at FMR 1e-3 falls from about 0.98 to 0.75 at best."""
    from facelign.datasets.folder import read_folder

    known = models.default()
    store = pulled(known.spec(Task.DETECT, "yunet"), known.spec(Task.EMBED, "dlib-resnet"))
    trials = Trials.all_pairs(read_folder(recognition / "lfw_100" / "images"))
    bench = Bench(
        ["dlib-resnet"],
        ["yunet"],
        ["none", "crop", "square", "five"],
        store=store,
        cache=VectorCache(facelign_home / "cache" / "study.db"),
    )
    vectors = bench.run([p.path for p in trials.photos], study.conditions((0.0,), ("none",)))
    found = study.summarize(trials, vectors, PairedOptions(draws=100))
    tar = {r.arm.layout: r.main.tar for r in found.results}
    assert tar["five"] >= 0.95
    assert max(tar["none"], tar["crop"], tar["square"]) <= 0.75
    assert found.find(layout="five")[0].gain.figures["tar"].low > 0.2


def test_spread_is_measured_by_the_distance_of_the_eyes() -> None:
    from facelign.lab.alignment.report import Theory

    base = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
    shifts = np.array([[3.0, 4], [-3, -4]])
    before = base[None] + shifts[:, None]
    blank = np.zeros((2, 112, 112, 3), np.uint8)
    theory = Theory(blank, blank, before, before / 2)
    assert theory.spreads == pytest.approx((5 / 40, 5 / 40))  # half the size, the same spread
