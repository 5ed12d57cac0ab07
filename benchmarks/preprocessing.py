"""What preprocessing does to detection and recognition in poor light (A4-01).

    python benchmarks/preprocessing.py FOLDER_OF_PEOPLE [--amount 1 ...] [--out FILE.json]

Every photo is darkened as ``facelign study alignment`` does it (exposure down, sensor noise up),
prepared by each step, and carried to a vector of its central face. Told are the photos without a
face and, over all pairs of the others, TAR at FMR 1e-3 and AUC; the threshold is each arm's own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import machine

from facelign.compare import curves
from facelign.datasets.folder import read_folder
from facelign.errors import NoFace
from facelign.imaging.read import read
from facelign.lab.alignment.degradations import parse
from facelign.lab.material.named import Named, all_scores
from facelign.recognition.options import ChainOptions
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import choose
from facelign.types.embeddings import Embeddings
from facelign.types.image import Image
from facelign.types.policies import FacePolicy

STEPS = ("", "luma-equalize", "gamma=1.5", "gamma=2.2", "clahe", "gamma=1.5,clahe")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("people", type=Path)
    parser.add_argument("--light", nargs="+", default=["none", "dark"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    photos = read_folder(given.people).photos
    images = [read(photo.path) for photo in photos]
    names = [photo.person for photo in photos]
    rows = [row(step, light, images, names) for light in given.light for step in STEPS]
    for one in rows:
        print(
            f"{one['light']:6} {one['step'] or 'nothing':18} no face {one['no_face']:3} "
            f"TAR@1e-3 {one['tar_at_fmr_1e-3']} AUC {one['auc']:.5f}"
        )
    data = f"{given.people.resolve().parent.name}, {len(photos)} photos, all pairs"
    machine.write("preprocessing", {"what": "poor light", "data": data, "rows": rows}, given.out)
    return 0


def row(step: str, light: str, images: list[Image], names: list[str]) -> dict[str, object]:
    recognizer = Recognizer(options=ChainOptions(preprocessing=step))
    degrade = parse(light)
    vectors: list[Embeddings] = []
    people: list[str] = []
    changed = (degrade.apply(image, None) for image in images)
    for name, analysis in zip(names, recognizer.stream(changed), strict=True):
        try:
            index = choose(analysis.faces, FacePolicy.CENTRAL, name)
        except NoFace:
            continue
        vector = analysis.vector_of(index)
        if vector is not None:
            vectors.append(vector)
            people.append(name)
    scores = all_scores(Named.of(Embeddings.joined(vectors), people))
    tar = curves.tar_at_fmr(scores, 1e-3).tar  # None where too few photos gave a face
    return {
        "step": step,
        "light": light,
        "photos": len(images),
        "no_face": len(images) - len(people),
        "tar_at_fmr_1e-3": None if tar is None else round(tar, 4),
        "auc": round(float(curves.auc(scores)), 6),
    }


if __name__ == "__main__":
    sys.exit(main())
