"""Make the calibration records that ship with facelign, from photos of named people.

    python tools/calibrate_presets.py IMAGES [--without FOLDER] [--out DIR] [CHAIN ...]

Every record is what ``facelign calibrate`` writes, with its check on people held out; this script
only runs that command once a chain. IMAGES is a folder of people; people who also have a folder in
``--without`` are left out, so that nothing is reported on people whom a threshold has seen. A CHAIN
is a preset, or a preset and a detector as ``accurate+yunet-n``, or an embedding model behind the
default detector; the shipped ones when none is named.
The weights must be on this machine (``facelign models pull``), or in FACELIGN_MIRROR.

For a preset of several models it also prints the weights that count them equally after scaling by
the spread of their non-mated cosines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from facelign.cli import building
from facelign.cli.evaluate import inputs
from facelign.compare.fusion import equal_shares
from facelign.lab.material.named import Named
from facelign.recognition.presets import PRESETS, Preset, preset
from facelign.types.policies import FacePolicy
from facelign.wire.options import ChainFlags

#: one record a space: that of ``mobilefacenet`` serves the presets ``light`` and ``tiny``
SHIPPED = (
    *(name for name, one in PRESETS.items() if one.measured and name not in ("light", "tiny")),
    "accurate+yunet-n",
    "default+mtcnn",
    "default+yunet-n",
    "dlib-resnet",
    "fast+yunet-n",
    "mobileface-v2",
    "mobilefacenet",
    "mobilefacenet+yunet-n",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("chains", nargs="*", default=list(SHIPPED))
    parser.add_argument("--out", type=Path, default=Path("src/facelign/compare/calibrations"))
    parser.add_argument("--without", type=Path)
    parser.add_argument("--set", default="", help="name of the set (default: the folder's)")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_intermixed_args()
    for name in options.chains:
        record(name, options)
    return 0


def record(name: str, options: argparse.Namespace) -> None:
    """Write the record of one chain, named by its id, and print what the command says."""
    flags = chain_flags(name)
    draft = options.out / f".{name}.json"
    words = ["--images", options.images, "--out", draft, "--workers", options.workers, *flags]
    words += ["--without", options.without] if options.without else []
    words += ["--set", options.set] if options.set else []
    command = [sys.executable, "-m", "facelign", "calibrate", *map(str, words)]
    done = subprocess.run(command, check=False)
    if not draft.exists():
        sys.exit(done.returncode)
    target = options.out / f"{json.loads(draft.read_text(encoding='utf-8'))['id']}.json"
    draft.replace(target)
    print(f"  -> {target}", flush=True)
    preset_id, _, detector = name.partition("+")
    if preset_id in PRESETS and len(preset(preset_id).parts) > 1:
        print_shares(preset(preset_id), detector or None, options)


def chain_flags(name: str) -> list[str]:
    """Return the flags of the command for a chain."""
    preset_id, _, detector = name.partition("+")
    chosen = ["--preset", preset_id] if preset_id in PRESETS else ["--model", preset_id]
    return chosen + (["--detector", detector] if detector else [])


def print_shares(chosen: Preset, detector: str | None, options: argparse.Namespace) -> None:
    """Print the weights that count the models equally, from the parts of the joint vectors."""
    chain = ChainFlags(preset=chosen.id, detector=detector, workers=options.workers)
    made = building.recognizer(chain, cached=True)
    named = inputs.folder(made, options.images, FacePolicy.CENTRAL, without=options.without).named
    total = sum(part.weight for part in chosen.parts)
    shares = equal_shares(spreads := spreads_of(named, len(chosen.parts)))
    for part, spread, share in zip(chosen.parts, spreads, shares, strict=True):
        print(
            f"  {part.model}: spread {spread:.5f}, equal share {share:.4f}, "
            f"preset has {part.weight / total:.4f}"
        )


def spreads_of(named: Named, parts: int) -> list[float]:
    """Return the spread of the non-mated cosines of each part of joint vectors."""
    width = named.vectors.shape[1] // parts
    spreads = []
    for number in range(parts):
        part = np.ascontiguousarray(named.vectors[:, number * width : (number + 1) * width])
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        apart = named.codes[:, None] != named.codes
        spreads.append(float((unit @ unit.T)[apart].std()))
    return spreads


if __name__ == "__main__":
    sys.exit(main())
