"""Records what dlib itself gives for the portrait: tests/golden/{mmod,hog,dlib-5,...}.npz.

    python tools/record_goldens_dlib.py [--out tests/golden]

Needs the extras ``dlib`` and ``demo`` (the portrait is scikit-image's astronaut) and the weights of
mmod, dlib-5, dlib-68 and dlib-resnet. Every number comes from dlib-bin, none from facelign, but
that dlib's inclusive rectangles are written as edges (left - 0.5 ... right + 0.5).
Detectors: boxes (n, 4), scores (n,). Landmarkers: boxes (1, 4) that were given, points (1, k, 2).
Embedder: points (1, 5, 2) of dlib-5 that placed the chip, chips (1, 150, 150, 3), vectors (1, 128).
"""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from skimage import data

from facelign.models.catalog import default
from facelign.models.weights.store import Store
from facelign.types.specs import Task

MODELS = (
    (Task.DETECT, "mmod"),
    (Task.LANDMARK, "dlib-5"),
    (Task.LANDMARK, "dlib-68"),
    (Task.EMBED, "dlib-resnet"),
)


def raw_files() -> dict[str, str]:
    """Return the published file of each model; brings those that are not here."""
    registry, store = default(), Store.from_environment()
    specs = [registry.spec(*model) for model in MODELS]
    store.pull_all([spec for spec in specs if not store.present(spec)])
    return {spec.id: str(next(iter(store.raw_files(spec)))[2]) for spec in specs}


def as_edges(rectangles: list[Any]) -> np.ndarray:
    wholes = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
    outwards = np.array([-0.5, -0.5, 0.5, 0.5])
    return (np.array(wholes, np.float64).reshape(-1, 4) + outwards).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("tests/golden"))
    out = parser.parse_args().out
    files, portrait = raw_files(), np.ascontiguousarray(data.astronaut())
    made_by = np.array(f"dlib-bin {metadata.version('dlib-bin')}")

    def write(name: str, **arrays: np.ndarray) -> None:
        np.savez(out / f"{name}.npz", made_by=made_by, **arrays)
        print(name, {key: array.shape for key, array in arrays.items()})

    found = dlib.cnn_face_detection_model_v1(files["mmod"])(portrait, 0)
    scores = np.array([f.confidence for f in found], np.float32)
    write("mmod", boxes=as_edges([f.rect for f in found]), scores=scores)

    rectangles, weights, _ = dlib.get_frontal_face_detector().run(portrait, 1, 0.0)
    order = np.argsort(-np.array(list(weights)), kind="stable")
    rectangles = [rectangles[i] for i in order]
    write("hog", boxes=as_edges(rectangles), scores=np.array(list(weights), np.float32)[order])

    shapes = {}
    for name in ("dlib-5", "dlib-68"):
        shapes[name] = dlib.shape_predictor(files[name])(portrait, rectangles[0])
        points = np.array([[(p.x, p.y) for p in shapes[name].parts()]], np.float32)
        write(name, boxes=as_edges(rectangles[:1]), points=points)

    chip = dlib.get_face_chip(portrait, shapes["dlib-5"], 150, 0.25)
    resnet = dlib.face_recognition_model_v1(files["dlib-resnet"])
    vector = np.array(resnet.compute_face_descriptor(portrait, shapes["dlib-5"]), np.float32)
    points = np.array([[(p.x, p.y) for p in shapes["dlib-5"].parts()]], np.float32)
    write("dlib-resnet", points=points, chips=chip[None], vectors=vector[None])


if __name__ == "__main__":
    main()
