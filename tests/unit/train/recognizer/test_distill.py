"""Students and teachers, and embedders that go on: on edits of the portrait and on patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pattern_people as patterns
import training

training.needed()

import torch

from facelign import Recognizer, models
from facelign.cli.app import run
from facelign.errors import ConfigError, InputError, UnknownModel
from facelign.models import default
from facelign.models.weights.store import Store
from facelign.train.config import of_table
from facelign.train.recognizer.config import (
    EmbeddingModelOptions,
    PeopleDataOptions,
    RecognizerConfig,
    TeacherOptions,
)
from facelign.train.recognizer.distill import DistillTask, Imitation
from facelign.train.recognizer.lessons import lessons
from facelign.train.recognizer.task import RecognizerTask
from facelign.train.task import task_of
from facelign.types.image import Image

SEEDED = np.random.default_rng(71)


def unit(*shape: int) -> np.ndarray:
    made = SEEDED.standard_normal(shape).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def test_the_losses_are_those_of_their_formulas() -> None:
    targets, raw = unit(5, 8), SEEDED.standard_normal((5, 8)).astype(np.float32)
    found = Imitation(0.7, 2.0)(torch.from_numpy(raw), torch.from_numpy(targets))
    vectors = [row / np.sqrt((row * row).sum()) for row in raw]
    apart = np.mean([1 - float(v @ t) for v, t in zip(vectors, targets, strict=True)])
    squares = [
        (float(vectors[i] @ vectors[j]) - float(targets[i] @ targets[j])) ** 2
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert float(found["to_teacher"]) == pytest.approx(apart, abs=1e-6)
    assert float(found["relation"]) == pytest.approx(np.mean(squares), abs=1e-6)
    assert float(found["loss"]) == pytest.approx(0.7 * apart + 2 * np.mean(squares), abs=1e-6)
    perfect = Imitation(1, 1)(torch.from_numpy(3 * targets), torch.from_numpy(targets))
    assert float(perfect["loss"]) == pytest.approx(0, abs=1e-6)
    one = Imitation(1, 1)(torch.from_numpy(raw[:1]), torch.from_numpy(targets[:1]))
    assert torch.isfinite(one["loss"])


def test_gradients_are_those_of_differences() -> None:
    raw = torch.from_numpy(SEEDED.standard_normal((3, 4))).requires_grad_()
    targets = torch.from_numpy(unit(3, 4).astype(np.float64))
    loss = Imitation(1.0, 1.5)
    assert torch.autograd.gradcheck(lambda v: loss(v, targets)["loss"], (raw,))


@pytest.fixture(scope="module")
def teacher(pulled: Callable[..., Store]) -> str:
    known = default()
    pulled(known.spec("detect", "yunet"), known.spec("embed", "sface"))
    return "sface"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, portrait: Image) -> Path:
    """Edits of one face, two in one photo, and a photo of nobody."""
    from PIL import Image as Pillow

    folder = tmp_path_factory.mktemp("photos")
    face = portrait.pixels[:300, 120:420]
    for i, light in enumerate((0.5, 0.7, 0.9, 1.0)):
        edited = (face * light).astype(np.uint8)[:, :: (-1) ** i]
        Pillow.fromarray(np.ascontiguousarray(edited)).save(folder / f"{i}.png")
    Pillow.fromarray(np.concatenate([face, face[:, ::-1]], 1)).save(folder / "two.png")
    Pillow.new("RGB", (120, 90), "green").save(folder / "nobody.png")
    return folder


def config(source: Path, **changes: object) -> RecognizerConfig:
    given = {
        "data": PeopleDataOptions(source=str(source), validation=0.2),
        "teacher": TeacherOptions(ids="sface"),
        "augment": patterns.PLAIN,
        "batch": 4,
    }
    return RecognizerConfig(kind="recognizer", **{**given, **changes})


@pytest.mark.weights
def test_lessons_are_the_faces_and_vectors_of_the_product(
    photos: Path, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lessons(photos, [teacher], "arcface-112", (112, 112))
    assert (len(found), found.without) == (6, 1)
    assert [found.names[n] for n in found.photos].count("two.png") == 2
    wanted = Recognizer(model=teacher, flip=True).analyze(photos / "0.png")
    first = found.targets[[found.names[n] for n in found.photos].index("0.png")]
    np.testing.assert_allclose(first, wanted.embeddings.vectors[0], atol=1e-5)
    np.testing.assert_array_equal(found.chips[0], wanted.chips[0].pixels[0])
    told = []
    again = lessons(photos, [teacher], "arcface-112", (112, 112), done=told.append)
    assert not told  # what was found is read, not found again
    np.testing.assert_array_equal(again.targets, found.targets)
    other = lessons(photos, [teacher], "arcface-112", (96, 96), limit=2)
    assert other.chips.shape[1:] == (96, 96, 3)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no photos in"):
        lessons(empty, [teacher], "arcface-112", (112, 112))
    (photos / "nobody.png").replace(empty / "nobody.png")
    try:
        with pytest.raises(InputError, match="No photo shows a face"):
            lessons(empty, [teacher], "arcface-112", (112, 112))
    finally:
        (empty / "nobody.png").replace(photos / "nobody.png")


@pytest.mark.weights
def test_a_student_comes_near_its_teacher(photos: Path, teacher: str) -> None:
    task = task_of(config(photos))
    assert isinstance(task, DistillTask)
    torch.manual_seed(1)
    network = task.network()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    seen = []
    for epoch in range(40):
        for batch in task.batches(epoch, 0):
            optimizer.zero_grad()
            told = task.loss(network.train(), batch)
            told["loss"].backward()
            optimizer.step()
            seen.append(float(told["to_teacher"].detach()))
    assert min(seen[-3:]) < 0.6 * seen[0]
    figures = task.test(network.eval())
    assert figures["to_teacher"] == pytest.approx(task.validate(network)["val_loss"])
    assert figures["to_teacher"] < 1  # nearer than any vector by chance
    said = " ".join(found.text for found in task.findings())
    assert "faces are too few" in said
    assert "goes on from" not in said
    assert "nobody is named" in said
    record = task.exported(network)
    assert record.sections["license"]["weights"] == "Apache-2.0 (sface)"
    assert record.sections["license"]["commercial"] == default().find("sface")[0].license.commercial
    assert "taught by sface" in record.record["title"]


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.parametrize(
    ("teachers", "told"),
    [
        ("sface", "warning: The student goes on from sface, which is its teacher too"),
        ("dlib-resnet", "note: The student goes on from sface (model.init) and learns the vectors"),
    ],
)
def test_a_student_that_goes_on_from_an_embedder_says_so(
    photos: Path, teacher: str, pulled: Callable[..., Store], teachers: str, told: str
) -> None:
    pulled(default().spec("embed", teachers))
    asked = config(
        photos, model=EmbeddingModelOptions(init=teacher), teacher=TeacherOptions(ids=teachers)
    )
    said = [f"{found.severity}: {found.text}" for found in DistillTask(asked).findings()]
    assert any(one.startswith(told) for one in said)


@pytest.mark.weights
def test_a_student_of_another_width_is_told(photos: Path, teacher: str) -> None:
    model = EmbeddingModelOptions(dim=64)
    with pytest.raises(ConfigError, match="teachers give 128 numbers, the network 64"):
        DistillTask(config(photos, model=model))


@pytest.mark.weights
def test_faces_of_a_photo_stay_on_one_side(photos: Path, teacher: str) -> None:
    task = DistillTask(config(photos))
    numbers = task.lessons.photos
    assert not set(numbers[task.train]) & set(numbers[task.validation])
    assert len(task.train) + len(task.validation) == 6
    resumed = list(DistillTask(config(photos)).batches(1, 0))
    for one, other in zip(task.batches(1, 0), resumed, strict=True):
        assert torch.equal(one["pixels"], other["pixels"])
        assert torch.equal(one["targets"], other["targets"])


@pytest.mark.weights
@pytest.mark.shared
def test_an_embedder_goes_on_and_is_held_against_itself(
    tmp_path: Path, pulled: Callable[..., Store]
) -> None:
    pulled(default().spec("embed", "mobilefacenet"))
    source = patterns.folder(tmp_path / "people", people=10, side=112)
    model = EmbeddingModelOptions(init="mobilefacenet", frozen=40)
    given = patterns.config(source, loss={"name": "arcface"}, data={"split": "person"})
    task = RecognizerTask(replace(given, model=model))
    network = task.network()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    optimizer = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], 0.01)
    batch = next(task.batches(0, 0))
    task.loss(network.train(), batch)["loss"].backward()
    optimizer.step()
    after = network.backbone.state_dict()
    changed = [name for name, value in after.items() if not torch.equal(value, before[name])]
    assert 0 < len(changed) < len(before) / 2
    figures = task.test(network.eval())
    assert {"before_auc", "gain_auc", "people"} <= set(figures)
    # two people tell nothing of others, so there is neither an interval nor a p
    assert figures["people"] == 2
    assert not [name for name in figures if name.endswith(("_low", "_high", "_p"))]
    assert any(told.text.startswith("2 people are tested, too few") for told in task.findings())
    before_it = models.embedder("mobilefacenet")
    assert task.errors(before_it) is None  # not "no error", which would replace any model
    more = {"split": "person", "test": 0.5}
    wider = RecognizerTask(replace(given, model=model, data=replace(given.data, **more)))
    wide = wider.test(wider.network().eval())
    assert {"auc_low", "auc_high", "gain_auc_low", "gain_auc_high", "gain_p"} <= set(wide)
    assert len(wider.errors(before_it)) == wide["pairs"]
    assert figures["gain_auc"] == pytest.approx(figures["auc"] - figures["before_auc"], abs=1e-6)
    made = task.exported(network)
    assert made.sections["license"]["note"].startswith("made of mobilefacenet")
    assert made.sections["output"]["dim"] == 128


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"model": {"init": "mobilefacenet", "dim": 64}}, "brings weights and length"),
        ({"model": {"frozen": 3}}, "goes on from an embedder"),
    ],
)
def test_what_contradicts_itself_is_refused(section: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        of_table({"kind": "recognizer", "data": {"source": "/people"}, **section})


@pytest.mark.parametrize("flag", ["--init", "--teacher"])
def test_an_unknown_embedder_is_told_with_the_near_name(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownModel, match="no embed model 'sfase'"):
        of_table(
            {"kind": "recognizer", "teacher": {"ids": "sface, sfase"}, "data": {"source": "x"}}
        )
    file = tmp_path / "c.toml"
    file.write_text('kind = "recognizer"\n[data]\nsource = "/people"\n', encoding="utf-8")
    arguments = ["train", "recognizer", str(file), "--out", str(tmp_path / "run"), flag, "sfase"]
    assert run(arguments) == 4
    assert "Did you mean sface" in " ".join(capsys.readouterr().err.split())
