"""What alignment is worth on lfw_100: MEASURED 4 again, by the product's own command.

    python benchmarks/alignment_study.py [--shared FOLDER] [--out FILE.json]

Runs ``facelign study alignment`` over all pairs of the ten people of lfw_100 (100 photos, 450 mated
and 4,500 non-mated pairs) for two models, two detectors, every layout, four leans and four
degradations, and keeps the figures without anything of the photos. Vectors are cached in
FACELIGN_HOME; the first run takes some minutes. Writes benchmarks/results/alignment_study.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    options.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks/results/alignment_study.json"
    )
    given = options.parse_args()
    images = given.shared / "data/recognition/lfw_100/images"
    command = [
        *(sys.executable, "-m", "facelign", "study", "alignment", "--images", str(images)),
        *("--all-pairs", "--detectors", "yunet,hog", "--models", "sface,dlib-resnet"),
        *("--draws", "300", "--json"),
    ]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    record = json.loads(told)
    record["command"] = " ".join(["facelign", *command[3:]]).replace(str(images), "DIR")
    given.out.write_text(json.dumps(rounded(record), indent=1) + "\n", encoding="utf-8")
    print(record["verdict"])


def rounded(value: object) -> object:
    """Return the record with five digits: more than the intervals say."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return value


if __name__ == "__main__":
    main()
