"""The walk from file to name as a user takes it, on the portrait."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageOps

from .conftest import Run

pytestmark = pytest.mark.weights


@pytest.fixture
def gallery(facelign: Run, portraits: Path, tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    done = facelign("enroll", portraits / "people", "--gallery", path, "--json")
    assert done.code == 0, done.err
    assert done.rows[-1]["summary"] == {
        "files": 2,
        "enrolled": 2,
        "skipped": 0,
        "failed": 0,
        "people": 1,
        "held": 0,
        "missing": [],
    }
    return path


def test_detect_gives_boxes_and_points_in_the_files_pixels(facelign: Run, portraits: Path) -> None:
    rows = facelign("detect", portraits / "people" / "Eileen" / "one.png", "--json").rows
    (face,) = rows[0]["faces"]
    x1, y1, x2, y2 = face["box"]
    assert (rows[0]["width"], rows[0]["height"]) == (512, 512)
    assert 160 < x1 < 200 < x2 < 300
    assert 40 < y1 < 90 < y2 < 200
    assert np.array(face["landmarks"]).shape == (5, 2)


def test_a_sideways_photo_is_found_by_turning_and_said_so(facelign: Run, portraits: Path) -> None:
    photo = portraits / "probes" / "sideways.jpg"
    rows = facelign("detect", photo, "--json").rows
    (face,) = rows[0]["faces"]
    right_eye, left_eye = face["landmarks"][0], face["landmarks"][1]
    # the photo was turned anticlockwise: the subject's left eye lies above the right one
    assert left_eye[1] < right_eye[1] - 20
    assert "turned-90" in rows[0]["attempts"]
    plain = facelign("detect", photo, "--json", "--no-rotate", "--no-padded", "--detector", "haar")
    assert plain.code == 0
    assert plain.rows[0]["faces"] == []


def test_changed_copies_are_named_and_the_cat_is_not(
    facelign: Run, portraits: Path, gallery: Path
) -> None:
    rows = facelign("identify", portraits / "probes", "--gallery", gallery, "--json").rows
    names = {Path(r["image"]).name: [f["person"] for f in r["faces"]] for r in rows}
    for probe in ("mirrored.jpg", "dark.jpg", "tilted.jpg", "sideways.jpg"):
        assert names[probe] == ["Eileen"], probe
    assert "Eileen" not in names["cat.jpg"]
    known = [f for r in rows for f in r["faces"] if f["person"]]
    assert all(f["candidates"][0]["score"] == f["score"] for f in known)
    assert all(f["threshold"] <= f["score"] for f in known)
    assert all(
        {"fpir", "templates", "score", "source"} <= r["search"].keys()
        for r in rows
        if "search" in r
    )


def test_exit_codes_say_known_unknown_and_failed(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    probes = portraits / "probes"
    assert facelign("identify", probes / "dark.jpg", "--gallery", gallery).code == 0
    assert facelign("identify", probes / "cat.jpg", "--gallery", gallery).code == 1
    both = facelign("identify", probes / "dark.jpg", bad, "--gallery", gallery)
    assert both.code == 3
    assert "bad.jpg" in both.err
    assert facelign("identify", "--no-such-flag").code == 2
    # a photo without the one face that --face wants fails by itself, and the rest is named
    two = Pillow.new("RGB", (1024, 512))
    for left in (0, 512):
        two.paste(Pillow.open(portraits / "people" / "Eileen" / "one.png"), (left, 0))
    two.save(tmp_path / "two.png")
    words = (tmp_path / "two.png", probes / "dark.jpg", "--gallery", gallery, "--face", "only")
    only = facelign("identify", *words, "--json")
    assert only.code == 3
    assert "2 faces were found" in only.rows[0]["error"]
    assert only.rows[1]["faces"][0]["person"] == "Eileen"
    assert facelign("identify", bad, "--gallery", tmp_path / "none.db").code == 5


def test_verify_answers_with_its_evidence(facelign: Run, portraits: Path) -> None:
    people, probes = portraits / "people" / "Eileen", portraits / "probes"
    done = facelign("verify", people / "one.png", probes / "dark.jpg", "--json")
    assert done.code == 0
    record = done.rows[-1]
    assert record["same"] is True
    assert record["threshold"]["fmr"] == pytest.approx(1e-3)
    assert record["threshold"]["non_mated"] > 100_000
    assert record["distance"] == pytest.approx(1 - record["score"], abs=1e-5)
    identical = facelign("verify", people / "one.png", people / "one.png", "--json").rows[-1]
    assert identical["distance"] == 0
    nobody = facelign("verify", people / "one.png", probes / "cat.jpg")
    assert nobody.code in (1, 3)


def test_enrolling_twice_skips_and_says_so(facelign: Run, portraits: Path, gallery: Path) -> None:
    done = facelign("enroll", portraits / "people", "--gallery", gallery, "--json")
    assert done.code == 0
    assert [r["reason"] for r in done.rows[:-1]] == ["already enrolled"] * 2
    assert done.rows[-1]["summary"]["skipped"] == 2


def test_a_face_that_looks_like_another_person_is_held_back(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    photo = portraits / "probes" / "mirrored.jpg"
    held = facelign("enroll", photo, "--name", "Someone Else", "--gallery", gallery, "--json")
    assert held.code == 3
    assert held.rows[0]["enrolled"] is False
    assert held.rows[0]["held"] is True
    assert held.rows[0]["reason"].startswith("looks like Eileen (")
    assert held.rows[-1]["summary"]["missing"] == ["Someone Else"]
    table = tmp_path / "enrolled.csv"
    told = facelign("enroll", photo, "--name", "Sam", "--gallery", gallery, "--out", table)
    assert "NOT ENROLLED: Sam (looks like Eileen (" in told.out
    assert "mirrored.jpg" in (tmp_path / "enrolled.failures.csv").read_text(encoding="utf-8")
    forced = facelign(
        "enroll", photo, "--name", "Someone Else", "--gallery", gallery, "--json", "--force"
    )
    assert forced.rows[0]["enrolled"] is True


def test_a_misfiled_photo_is_named_and_the_next_person_is_enrolled(
    facelign: Run, portraits: Path, tmp_path: Path
) -> None:
    with Pillow.open(portraits / "people" / "Eileen" / "one.png") as picture:
        portrait = picture.convert("RGB")
    other = ImageOps.invert(portrait)  # its cosine to the portrait is about 0
    for person, picture, count in (("Anna", portrait, 2), ("Bob", other, 3)):
        (tmp_path / "people" / person).mkdir(parents=True)
        for number in range(count):
            made = ImageEnhance.Brightness(picture).enhance(0.85 + 0.06 * number)
            made.save(tmp_path / "people" / person / f"{number}.png")
    other.save(tmp_path / "people" / "Anna" / "misfiled.png")
    words = ("enroll", tmp_path / "people", "--gallery", tmp_path / "h.db", "--json")
    done = facelign(*words)
    assert done.code == 3
    held = [row for row in done.rows[:-1] if not row["enrolled"]]
    assert [Path(row["image"]).name for row in held] == ["misfiled.png"]
    assert held[0]["reason"] == "unlike the other photos of Anna"
    assert done.rows[-1]["summary"] | {"held": 1, "enrolled": 5} == done.rows[-1]["summary"]
    again = facelign(*words)
    assert again.code == 3
    assert again.rows[-1]["summary"]["skipped"] == 5
    assert "looks like Bob (" in next(r["reason"] for r in again.rows if r["held"])


def test_one_face_of_a_photo_is_rejected(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    both = Pillow.new("RGB", (1024, 512))
    with Pillow.open(portraits / "people" / "Eileen" / "one.png") as picture:
        both.paste(picture, (0, 0))
        both.paste(ImageEnhance.Brightness(picture.convert("RGB")).enhance(0.9), (512, 0))
    photo = tmp_path / "both.png"
    both.save(photo)

    def names() -> list[str | None]:
        row = facelign("identify", photo, "--gallery", gallery, "--json").rows[0]
        return [face["person"] for face in row["faces"]]

    hers = names().index("Eileen")
    words = ("people", "reject", "Eileen", photo, "--gallery", gallery, "--json")
    done = facelign(*words, "--face", hers)
    assert done.rows[0]["rejected"] | {"face": hers, "templates": 0} == done.rows[0]["rejected"]
    assert [name == "Eileen" for name in names()] == [place != hers for place in range(2)]
    assert facelign(*words, "--face", 2).code == 2
    assert facelign(*words).code == 0  # the whole photo
    assert names() == [None, None]


@pytest.mark.shared
def test_a_folder_of_years_enrolls_nobody(facelign: Run, recognition: Path, tmp_path: Path) -> None:
    people = sorted(p for p in (recognition / "lfw_100" / "images").iterdir() if p.is_dir())
    for number, person in enumerate(people[:5]):
        for photo in sorted(person.iterdir())[:3]:
            (tmp_path / "2019").mkdir(exist_ok=True)
            (tmp_path / "2019" / f"IMG_{number}{photo.name}").write_bytes(photo.read_bytes())
    words = ("--gallery", tmp_path / "h.db", "--largest", "--json")
    done = facelign("enroll", tmp_path / "2019", "--name", "2019", *words)
    assert done.code == 3
    assert {row["reason"] for row in done.rows[:-1]} == {"the photos of 2019 look like 5 people"}
    assert done.rows[-1]["summary"]["enrolled"] == 0


def test_removal_leaves_no_bytes(facelign: Run, portraits: Path, gallery: Path) -> None:
    archive = gallery.parent / "export.npz"
    assert facelign("people", "export", archive, "--gallery", gallery).code == 0
    with np.load(archive, allow_pickle=False) as saved:
        vectors = next(
            saved[n] for n in saved.files if saved[n].ndim == 2 and saved[n].shape[1] >= 64
        )
    before = b"".join(p.read_bytes() for p in sorted(gallery.parent.glob("g.db*")))
    assert vectors[0].tobytes()[:32] in before  # the search would find them
    receipt = facelign("people", "remove", "Eileen", "--yes", "--gallery", gallery, "--json")
    assert receipt.rows[-1]["receipt"]["verified"] is True
    after = b"\0".join(p.read_bytes() for p in sorted(gallery.parent.glob("g.db*")))
    for row in vectors:
        data = row.tobytes()
        assert not any(data[i : i + 32] in after for i in range(0, len(data) - 31, 4))


def test_tables_and_failures_are_written(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    table = tmp_path / "names.csv"
    probe = portraits / "probes" / "dark.jpg"
    facelign("identify", probe, bad, "--gallery", gallery, "--out", table)
    with table.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["person"] == "Eileen"
    with (tmp_path / "names.failures.csv").open(encoding="utf-8-sig") as file:
        failures = list(csv.DictReader(file))
    assert [Path(f["image"]).name for f in failures] == ["broken.png"]
    assert failures[0]["reason"]


def test_drawn_pictures_show_something(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    photo = portraits / "probes" / "dark.jpg"
    out = tmp_path / "drawn.png"
    facelign("identify", photo, "--gallery", gallery, "--draw", out)
    with Pillow.open(out) as picture, Pillow.open(photo) as original:
        drawn, plain = np.asarray(picture), np.asarray(original)
    assert drawn.shape == plain.shape
    assert (np.abs(drawn.astype(int) - plain) > 60).any(axis=2).sum() > 300


def test_sorting_goes_on_where_it_stopped(
    facelign: Run, portraits: Path, gallery: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sorted"
    first = facelign("sort", portraits / "probes", out, "--gallery", gallery, "--json")
    assert first.code == 0
    assert {p.name for p in (out / "Eileen").iterdir()} >= {"dark.jpg", "mirrored.jpg"}
    assert not (out / "Eileen" / "cat.jpg").exists()
    again = facelign("sort", portraits / "probes", out, "--gallery", gallery, "--json")
    assert again.rows == []
    assert "sorted before" in again.err


def test_aligning_a_tree_mirrors_it_and_skips_what_is_done(
    facelign: Run, portraits: Path, tmp_path: Path
) -> None:
    out = tmp_path / "aligned"
    words = ("align", portraits / "people", out, "--layout", "crop", "--size", 160, "--margin", 32)
    assert facelign(*words).code == 0
    made = sorted(p.relative_to(out) for p in out.rglob("*.png"))
    assert made == [Path("Eileen/one.png"), Path("Eileen/two.png")]
    with Pillow.open(out / made[0]) as picture:
        assert picture.size == (160, 160)
    again = facelign(*words)
    assert "2 photos were aligned before" in again.err


def test_a_demo_needs_no_photo_of_ones_own(facelign: Run, tmp_path: Path) -> None:
    done = facelign("demo", "--out", tmp_path / "demo")
    assert done.code == 0, done.err
    page = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 10
    assert "facelign identify" in page
    assert "7 got a name and 2 stayed unknown; 1 of the photos shows no face." in page
    assert "read; no face to mark" in page
    assert "facelign people list" in page
    last = done.out.splitlines()[-1]
    assert last == f"page: {(tmp_path / 'demo' / 'index.html').as_uri()}"
    named = {line.split(": ")[0].rpartition("/")[2]: line.split(": ")[1]
             for line in done.out.replace("\\", "/").splitlines()[:-1]}  # fmt: skip
    assert named.pop("stranger.jpg") == "Unknown"
    assert named.pop("nobody.jpg") == "no face"
    assert named.pop("together.jpg") == "Eileen Collins, Unknown"
    assert set(named.values()) == {"Eileen Collins"}


def test_debug_shows_the_traceback_and_nothing_else_does(facelign: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    plain = facelign("identify", tmp_path, "--gallery", missing)
    assert "facelign" in plain.err
    record = json.dumps(plain.err)
    assert 'File \\"' not in record


def test_results_do_not_depend_on_workers(facelign: Run, portraits: Path) -> None:
    one = facelign("embed", portraits / "probes", "--json", "--workers", 1).rows
    four = facelign("embed", portraits / "probes", "--json", "--workers", 4).rows
    assert [r["image"] for r in one] == [r["image"] for r in four]
    for left, right in zip(one, four, strict=True):
        for a, b in zip(left["faces"], right["faces"], strict=True):
            np.testing.assert_allclose(a["embedding"], b["embedding"], atol=1e-5)
