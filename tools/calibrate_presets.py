"""Make the calibration records that ship with facelign, from photos of named people.

    python tools/calibrate_presets.py IMAGES [--out DIR] [--without FOLDER] [--date D] [CHAIN ...]

IMAGES is a folder of people; people who also have a folder in ``--without`` are left out, so that
nothing is reported on people whom a threshold has seen. A CHAIN is a preset, or a preset and a
detector as ``accurate+yunet-n``, or an embedding model; all presets when none is named. Faces are
the most central ones.
The weights must be on this machine (``facelign models pull``), or in FACELIGN_MIRROR.

For the preset of several models it also prints the weights that count them equally after scaling
by the spread of their non-mated cosines.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from facelign.compare.calibrations import to_json
from facelign.compare.fusion import equal_shares
from facelign.datasets.folder import read_folder
from facelign.errors import NoFace
from facelign.evaluate.calibration import calibrate
from facelign.evaluate.named import Named
from facelign.pipeline.presets import PRESETS, Part, Preset, preset
from facelign.pipeline.recognizer import Recognizer
from facelign.pipeline.selection import FacePolicy, choose
from facelign.types.embeddings import Embeddings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("chains", nargs="*", default=list(PRESETS))
    parser.add_argument("--out", type=Path, default=Path("src/facelign/compare/calibrations"))
    parser.add_argument("--without", type=Path)
    parser.add_argument("--set", default="", help="name of the set (default: the folder's)")
    parser.add_argument("--date", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    for name in options.chains:
        record(name, options)
    return 0


def record(name: str, options: argparse.Namespace) -> None:
    """Write the record of one chain and say what it holds."""
    preset_id, _, detector = name.partition("+")
    if preset_id in PRESETS:
        chosen = preset(preset_id)
    else:  # an embedding model by itself, behind the default detector
        chosen = replace(PRESETS["default"], parts=(Part(preset_id),))
    recognizer = Recognizer(chosen, detector=detector or None, workers=options.workers)
    named = embedded(recognizer, options.images, options.without)
    where = options.set or options.images.resolve().parent.name
    result = calibrate(
        named,
        record_id=f"{name.replace('+', '-')}-{where.replace('_', '-')}",
        chain=recognizer.chain.evidence,
        set_name=where,
        date=options.date,
        notes={"face": str(FacePolicy.CENTRAL)},
    )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{result.id}.json").write_text(to_json(result), encoding="utf-8")
    print(f"{result.id}: {result.subjects} people, {result.photos} photos, {result.mated:,} mated,")
    print(f"  {result.non_mated:,} non-mated, spread {result.non_mated_std:.5f}, {result.space}")
    for point in result.points:
        print(
            f"  FMR {point.fmr:g} at {point.threshold:.4f} "
            f"[{point.interval[0]:.2g}, {point.interval[1]:.2g}] TAR {point.tar:.4f}"
        )
    if len(chosen.parts) > 1:
        print_shares(chosen, named)


def embedded(recognizer: Recognizer, images: Path, without: Path | None) -> Named:
    """Return the central face of every photo; photos without a face are named on stderr."""
    folder = read_folder(images)
    out = {path.name for path in without.iterdir()} if without else set()
    photos = [photo for photo in folder.photos if photo.person not in out]
    vectors: list[Embeddings] = []
    people, heights, digests = [], [], []
    analyses = recognizer.stream(photo.path for photo in photos)
    for photo, analysis in zip(photos, analyses, strict=True):
        try:
            if analysis.error is not None:
                raise analysis.error
            choice = choose(analysis.faces, FacePolicy.CENTRAL, photo.path.name)
        except NoFace as error:
            print(error.message, file=sys.stderr)
            continue
        vector = analysis.vector_of(choice.index)
        if vector is None:
            reason = analysis.reason_of(choice.index)
            print(f"{photo.path.name}: {reason}", file=sys.stderr)
            continue
        vectors.append(vector)
        people.append(photo.person)
        heights.append(float(analysis.faces.heights[choice.index]))
        digests.append(analysis.photo.digest)
    return Named.of(
        Embeddings.joined(vectors),
        people,
        heights=np.array(heights),
        photos=tuple(digests),
    )


def print_shares(chosen: Preset, named: Named) -> None:
    """Print the weights that count the models equally, from the parts of the joint vectors."""
    total = sum(part.weight for part in chosen.parts)
    width = named.vectors.shape[1] // len(chosen.parts)
    spreads = []
    for number in range(len(chosen.parts)):
        part = np.ascontiguousarray(named.vectors[:, number * width : (number + 1) * width])
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        scores = unit @ unit.T
        codes = named.codes
        spreads.append(float(scores[codes[:, None] != codes].std()))
    shares = equal_shares(spreads)
    for part, spread, share in zip(chosen.parts, spreads, shares, strict=True):
        print(
            f"  {part.model}: spread {spread:.5f}, equal share {share:.4f}, "
            f"preset has {part.weight / total:.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
