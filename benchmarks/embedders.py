# ruff: noqa: E402 - thread counts must be set before NumPy is imported
"""Embedders on named photos: AUC, TAR at FMR 1e-3 and 1e-2 over all pairs, processor time.

    FACELIGN_MIRROR=../shared/weights python benchmarks/embedders.py [--photos FOLDER] [--out FILE]

One folder a person; the central face of each photo (YuNet's five points), native layout. Every
embedder with and without flip averaging, the fusion of SFace and dlib-resnet, and two questions
about the warp: SFace on the chips of cv2.FaceRecognizerSF, and on chips fitted in the other
direction. The ten people of ``lfw_100`` are in many a training set and 4,500 non-mated pairs put
five above FMR 1e-3: the figures find regressions, they rank nothing. Writes
benchmarks/results/embedders.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine

machine.one_core(pin=False)

import cv2
import numpy as np

from facelign import models
from facelign.align.chips import chips, warp
from facelign.align.layouts.arcface_112 import Arcface112
from facelign.compare import curves
from facelign.compare.scores import score_matrix
from facelign.embed.joint import Joint
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.geometry.transforms import invert, similarity
from facelign.models import load
from facelign.models.weights.store import Store
from facelign.recognition.chain import CHAIN_VERSION
from facelign.types.chips import Chips
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import EmbedderOutput, Task

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parent.parent / "shared" / "data" / "recognition" / "lfw_100" / "images"


def central(faces: Faces, size: tuple[int, int]) -> Faces:
    """Return the face nearest to the middle of the photo."""
    middle = (np.array(size) - 1) / 2
    centers = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    nearest = int(((centers - middle) ** 2).sum(axis=1).argmin())
    return faces[nearest : nearest + 1]


def walk(files: Sequence[Path], detector: Any) -> Iterator[tuple[str, Image, Faces]]:
    """Yield person, photo and central face; a photo without a face is said and left out."""
    for file in files:
        image = Image.from_array(cv2.imread(str(file)), "bgr", str(file))
        faces = detector.detect(image)
        if len(faces):
            yield file.parent.name, image, central(faces, image.size)
        else:
            print(f"no face: {file}")


def pairs(vectors: np.ndarray, people: Sequence[str], metric: str) -> curves.ScoreSet:
    """Return the scores of all pairs, told apart by whether the people are the same."""
    scores = np.asarray(score_matrix(vectors, vectors, metric))
    first, second = np.triu_indices(len(vectors), 1)
    same = np.array(people)[first] == np.array(people)[second]
    every = scores[first, second]
    return curves.ScoreSet(every[same], every[~same])


def accuracy(found: Embeddings, people: Sequence[str]) -> dict[str, Any]:
    """Return AUC and TAR of the native metric."""
    sets = pairs(found.vectors, people, found.space.metric.value)
    return {
        "space": found.space.id,
        "metric": found.space.metric.value,
        "auc": round(curves.auc(sets), 5),
        "tar_at_fmr_1e-2": round(curves.tar_at_fmr(sets, 1e-2).tar, 4),
        "tar_at_fmr_1e-3": round(curves.tar_at_fmr(sets, 1e-3).tar, 4),
        "mean_norm": round(float(found.norms.mean()), 3),
    }


def ms_a_chip(model: Any, chips_: Chips, rounds: int, at_once: int) -> dict[str, float]:
    """Return best and median processor time a chip, ms, ``at_once`` chips in a call.

    Processor time, because other work on the machine would be measured otherwise.
    """
    part = chips_[:at_once]
    model.embed(part)
    times = []
    for _ in range(rounds):
        began = time.process_time()
        model.embed(part)
        times.append((time.process_time() - began) * 1e3 / len(part))
    return {"best": round(min(times), 2), "median": round(statistics.median(times), 2)}


def opencv_chips(photos: Sequence[tuple[str, Image, Faces]], model: Path) -> Chips:
    """Return the chips that cv2.FaceRecognizerSF.alignCrop makes of the same points."""
    referee = cv2.FaceRecognizerSF.create(str(model), "")
    cut = []
    for _, image, face in photos:
        x1, y1, x2, y2 = face.boxes[0]
        points = face.landmarks.points[0].ravel() if face.landmarks else ()
        row = np.array([[x1, y1, x2 - x1, y2 - y1, *points, 1.0]], np.float32)
        cut.append(referee.alignCrop(np.ascontiguousarray(image.pixels[:, :, ::-1]), row))
    pixels = np.stack(cut)[..., ::-1]
    return Chips(pixels, "arcface-112", np.zeros((len(pixels), 2, 3)))


def backward_chips(photos: Sequence[tuple[str, Image, Faces]]) -> Chips:
    """Return chips fitted from the template to the photo, as dlib does it."""
    layout = Arcface112()
    maps = [invert(similarity(ARCFACE_FIVE, face.landmarks.points[0])) for _, _, face in photos]  # type: ignore[union-attr]
    cut = [
        warp(image.pixels, matrix, layout.size)
        for (_, image, _), matrix in zip(photos, maps, strict=True)
    ]
    return Chips(np.stack(cut), layout.id, np.stack(maps))


def drift(found: Embeddings, other: Embeddings) -> dict[str, float]:
    """Return how far unit vectors moved, L2."""
    moved = np.linalg.norm(found.vectors - other.vectors, axis=1)
    return {"mean": round(float(moved.mean()), 5), "max": round(float(moved.max()), 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "embedders.json")
    given = parser.parse_args()

    known, store = models.default(), Store.from_environment()
    specs = known.specs(Task.EMBED)
    detector = known.spec(Task.DETECT, given.detector)
    store.pull_all([detector, *specs])
    files = sorted(given.photos.rglob("*.jpg"))
    photos = list(walk(files, load(detector, store)))
    people = [person for person, _, _ in photos]
    by_layout: dict[str, Chips] = {}
    for layout_id in {
        spec.output.layout for spec in specs if isinstance(spec.output, EmbedderOutput)
    }:
        layout = known.layout(layout_id)
        parts = [chips(image, face, layout)[0] for _, image, face in photos]
        by_layout[layout_id] = Chips.joined(parts)

    rows = []
    flipped: dict[str, Any] = {}
    for spec in specs:
        for flip in (False, True):
            model = load(spec, store, options={"flip": flip})
            mine = by_layout[spec.output.layout]  # type: ignore[union-attr]
            found = model.embed(mine)
            row = {"model": spec.id, "flip": flip, **accuracy(found, people)}
            if not found.space.unit:
                ones = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
                cosine = pairs(ones, people, "cosine")
                row["cosine_auc"] = round(curves.auc(cosine), 5)
                row["cosine_tar_at_fmr_1e-3"] = round(curves.tar_at_fmr(cosine, 1e-3).tar, 4)
            row["cpu_ms_a_chip_one_at_a_time"] = ms_a_chip(model, mine, given.rounds, 1)
            row["cpu_ms_a_chip_eight_at_a_time"] = ms_a_chip(
                model, mine, max(3, given.rounds // 4), 8
            )
            rows.append(row)
            print(json.dumps(row))
            if flip:
                flipped[spec.id] = model
    if {"sface", "dlib-resnet"} <= set(flipped):
        joint = Joint([flipped["sface"], flipped["dlib-resnet"]], (0.45, 0.55))
        row = {"model": "joint", "flip": True, **accuracy(joint.embed(*by_layout.values()), people)}
        rows.append(row)
        print(json.dumps(row))

    sface = load(known.spec(Task.EMBED, "sface"), store)
    own = sface.embed(by_layout["arcface-112"])
    raw_file = next(iter(store.raw_files(sface.spec)))[2]
    warps = {"photo -> template (ours)": {**accuracy(own, people)}}
    for title, made in (
        ("cv2 alignCrop", opencv_chips(photos, raw_file)),
        ("template -> photo", backward_chips(photos)),
    ):
        found = sface.embed(replace(made, layout="arcface-112"))
        warps[title] = {**accuracy(found, people), "drift": drift(found, own)}
    print(json.dumps(warps))

    record = {
        "what": __doc__.split("\n")[0] if __doc__ else "",
        "photos": len(photos),
        "people": len(set(people)),
        "set": given.photos.parent.name,
        "detector": given.detector,
        "chain_version": CHAIN_VERSION,
        "machine": machine.describe(),
        "embedders": rows,
        "sface_by_warp": warps,
    }
    machine.write("embedders", record, given.out)


if __name__ == "__main__":
    main()
