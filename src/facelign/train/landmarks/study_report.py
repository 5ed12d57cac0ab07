"""The report of a study of landmark models: table, curves, drawn predictions."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.lab.statistics.rates import percent
from facelign.report.page import Fact, Report, Section, Table, Thumbnail, Tile, Wall
from facelign.report.plot import Plot, Series
from facelign.report.plots import learning
from facelign.train.drawing import drawn
from facelign.train.landmarks.cascade import CASCADE
from facelign.train.landmarks.study import LandmarkResult, LandmarkStudy
from facelign.train.landmarks.task import bare
from facelign.types.arrays import ByteArray, Float64Array

#: faces that are drawn of each part, and their side, px
_DRAWN, _SIDE = 6, 180
_TRUE, _PLACED = (86, 180, 233), (230, 159, 0)
_COLUMNS = (
    *("model", "optimizer", "tried", "seed", "epochs", "best epoch"),
    *("training loss", "validation loss", "test loss"),
    *("NME", "95 % of it", "AUC@0.08", "above 8 %", "mirrored", "upside down", "seconds"),
    *("parameters", "that learn", "article: training / validation"),
)


def cells(result: LandmarkResult) -> tuple[str, ...]:
    """Return the row of an arm."""
    test, arm = result.test, result.arm
    article = result.to_dict()["article"]
    return (
        *(arm.model, arm.optimizer, ", ".join(arm.tried) or "-", str(arm.seed)),
        *(str(len(result.rows)), f"{result.best['epoch']:.0f}"),
        *(f"{value:.4g}" for value in (result.best["loss"], result.best["val_loss"], test["loss"])),
        percent(test["nme"]) + (" (points in the middle)" if result.collapsed else ""),
        f"{100 * test['nme_low']:.2f} to {100 * test['nme_high']:.2f}",
        f"{test['auc_0.08']:.3f}",
        percent(test["fr_0.08"], 1),
        *(percent(value) for value in result.flipped.values()),
        f"{result.seconds:.0f}",
        *(f"{count:,}" for count in result.parameters),
        "-" if article is None else f"{article[0]:g} / {article[1]:g}",
    )


def report(
    study: LandmarkStudy, results: Sequence[LandmarkResult], provenance: Mapping[str, str]
) -> Report:
    """Return the report of the arms that were run."""
    best = min(results, key=lambda result: result.test["nme"])
    config, task = study.config, study.task
    sizes = ", ".join(f"{len(rows)} {name}" for name, rows in task.rows.items())
    others = _apart(results)
    verdict = (
        f"{best.arm.name}: mean error {percent(best.test['nme'])} of the distance of the outer eye "
        f"corners on {best.test['faces']:.0f} faces that it was not trained on"
        f"{', the lowest of ' + str(len(results)) + ' arms' if len(results) > 1 else ''}."
    )
    note = (
        f"Loss {config.loss.name} of shares of the crop; the article's is MSE of other photos, "
        "upside-down ones among its tests: its columns stand beside and are not compared. "
        "Mirrored and upside down: NME of the same test faces flipped; test faces are not flipped "
        "otherwise. A model of ImageNet without its weights starts from random ones: "
        f"{'so did all here' if not config.model.initial else config.model.initial}."
    )
    sections = [
        Section(
            "All arms",
            others,
            tables=[Table("Models and optimizers", _COLUMNS, [cells(r) for r in results], note)],
        ),
        Section("How they learned", figures=[_curves(results, "val_loss", "Validation loss")]),
        _networks(study, results),
        _by_group(results),
        _walls(study, best),
        Section("The data", [finding.text for finding in task.findings()] or ["Nothing found."]),
    ]
    headline = [
        Fact(
            f"NME, {result.arm.name}",
            percent(result.test["nme"]),
            f"{100 * result.test['nme_low']:.2f} to {100 * result.test['nme_high']:.2f} % "
            "(95 %, over faces)",
        )
        for result in sorted(results, key=lambda result: result.test["nme"])[:4]
    ]
    scope = f"{task.sets.table.name}: {sizes}; kept together: {task.sets.grouped}"
    return Report("Landmark models", verdict, headline, sections, dict(provenance), scope)


def _apart(results: Sequence[LandmarkResult]) -> list[str]:
    """Return what the seeds say of the two best models, and who collapsed."""
    told = []
    collapsed = [result.arm.name for result in results if result.collapsed]
    if collapsed:
        told.append(f"All points in the middle of the face: {'; '.join(collapsed)}.")
    seeds = {result.arm.seed for result in results}
    if len(seeds) < 3:
        told.append("Fewer than three seeds: a small difference may be chance.")
    return told


def _curves(results: Sequence[LandmarkResult], name: str, title: str) -> Plot:
    lines, best = [], {}
    for result in results:
        rows = result.rows
        epochs = np.array([row["epoch"] for row in rows])
        lines.append(Series(result.arm.name, epochs, np.array([row[name] for row in rows])))
        best[result.arm.name] = int(result.best["epoch"])
    return learning.draw(lines, best, title=title)


def _networks(study: LandmarkStudy, results: Sequence[LandmarkResult]) -> Section:
    """Return a drawing of each network, the blocks that were trained marked."""
    arms = {r.arm.model: r.arm for r in results if r.arm.model != CASCADE}
    plots = []
    for name, arm in arms.items():
        network, size = bare(arm.changed(study.config))
        plots.append(replace(drawn(network, size, name), name=f"network-{name}"))
    return Section("The networks", figures=plots)


def _by_group(results: Sequence[LandmarkResult]) -> Section:
    """Return NME by camera, turn of the head and set beside."""
    names = [
        name
        for name in dict.fromkeys(name for result in results for name in result.test)
        if name.startswith("nme") and name not in ("nme", "nme_low", "nme_high")
    ]
    rows = [
        (result.arm.name, *(percent(result.test.get(name)) for name in names)) for result in results
    ]
    heads = [name.removeprefix("nme").strip(" _").replace("by yaw", "nose aside") for name in names]
    return Section(
        "By camera, turn of the head and set", tables=[Table("NME", ("arm", *heads), rows)]
    )


def _walls(study: LandmarkStudy, best: LandmarkResult) -> Section:
    """Return faces of training and test with the points of the best arm, and the worst ones."""
    task, network = study.network(best.arm)
    walls = []
    for part in ("train", "test"):
        rows = task.rows[part]
        chosen = rows[np.linspace(0, len(rows) - 1, min(_DRAWN, len(rows))).astype(int)]
        placed, _ = task.placed(network, chosen)
        tiles = []
        for row, points in zip(chosen, placed, strict=True):
            pixels = read(task.sets.table.files[row]).full().pixels
            seen = task.sets.table.visible[row]
            true = task.sets.table.points[row][seen]
            picture = _drawn(pixels, true, points)
            tiles.append(Tile([Thumbnail(picture)], task.sets.table.files[row].stem))
        walls.append(Wall(f"{part}: true points blue, placed ones orange", tiles))
    return Section(f"Points of {best.arm.name}", walls=walls)


def _drawn(pixels: ByteArray, true: Float64Array, placed: Float64Array) -> bytes:
    """Return a face with both kinds of points as JPEG."""
    both = np.concatenate([true, placed])
    low, high = both.min(axis=0), both.max(axis=0)
    room = 0.25 * (high - low).max()
    left, top = np.maximum(np.floor(low - room), 0).astype(int)
    right, bottom = np.ceil(high + room).astype(int) + 1
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    scale = _SIDE / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    picture = resized(part, size).copy()
    for points, color in ((true, _TRUE), (placed, _PLACED)):
        at = np.rint((points - (left, top) + 0.5) * scale - 0.5).astype(int)
        for x, y in at:
            picture[max(y - 1, 0) : y + 1, max(x - 1, 0) : x + 1] = color
    out = io.BytesIO()
    Pillow.fromarray(picture).save(out, "JPEG", quality=88)
    return out.getvalue()
