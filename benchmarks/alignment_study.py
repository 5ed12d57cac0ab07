"""What alignment is worth on lfw_100, by the product's own command.

    python benchmarks/alignment_study.py [--shared FOLDER] [--out FILE.json]

Runs ``facelign study alignment`` over all pairs of the ten people of lfw_100 (100 photos, 450 mated
and 4,500 non-mated pairs) for two models, two detectors, every layout, four leans and four
degradations. Kept is what docs/explanation/alignment.md tells: the figures of every arm, a line an
arm, and what each step adds. Vectors are cached in FACELIGN_HOME; the first run takes some minutes.
Writes benchmarks/results/alignment_study.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import machine

ARMS = ("model", "detector", "layout", "degradation", "rotation_deg", "failed_photos")
WAYS = ("error", "left_out", "raw_photo")
STEPS = ("step", "model", "detector", "degradation", "rotation_deg")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--shared", type=Path, default=machine.SHARED)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    images = given.shared / "data/recognition/lfw_100/images"
    command = [
        *(sys.executable, "-m", "facelign", "study", "alignment", "--images", str(images)),
        *("--all-pairs", "--detectors", "yunet,hog", "--models", "sface,dlib-resnet"),
        *("--draws", "300", "--json"),
    ]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    study = json.loads(output)
    record = slim(study) | {
        "command": " ".join(["facelign", *command[3:]]).replace(str(images), "DIR")
    }
    machine.write("alignment_study", record, given.out)
    print(study["verdict"])


def slim(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts and verdict of a study, its arms and its steps as rows of named columns.

    accuracy, auc and tar count a face that was not found as an error; tar_left_out and
    tar_raw_photo count it the other two ways. Five digits: more than the intervals say.
    """
    kept = ("set", "photos", "subjects", "pairs", "mated", "non_mated", "tar_at_fmr", "draws")
    arms, steps = [], []
    for arm in study["arms"]:
        ways = [arm["failures_counted_as"][way] for way in WAYS]
        figures = [ways[0]["accuracy"], ways[0]["auc"], *(way["tar"] for way in ways)]
        arms.append([*(arm[name] for name in ARMS), *(round(figure, 5) for figure in figures)])
    for step in study["steps"]:
        gains = [round(step["tar"][end], 5) for end in ("value", "low", "high")]
        steps.append([*(step[name] for name in STEPS), *gains, step["verdict"]])
    arm_columns = [*ARMS, "accuracy", "auc", "tar", "tar_left_out", "tar_raw_photo"]
    step_columns = [*STEPS, "tar_gain", "tar_gain_low", "tar_gain_high", "verdict"]
    return {
        **{name: study[name] for name in (*kept, "verdict")},
        "arms": {"columns": arm_columns, "rows": arms},
        "steps": {"columns": step_columns, "rows": steps},
    }


if __name__ == "__main__":
    main()
