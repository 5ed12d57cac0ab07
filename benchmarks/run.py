"""Run the benchmarks one after another and write the tables of docs/benchmarks.md.

    python benchmarks/run.py [--only NAME ...] [--speed] [--all] [--peers PYTHON] [--core PYTHON]

Without --only the quick ones run, about ten minutes on an idle machine; --speed takes those of
them that the walk of a photo changes, about five; --all adds the long ones (accuracy tables and
fuzzers). --peers: the interpreter of an environment with face_recognition
and deepface (see end_to_end.py), else those sides are left out. --core: one in which only
facelign is installed (see start_up.py). The environment variables FACELIGN_PEERS_PYTHON and
FACELIGN_CORE_PYTHON say the same.

Weights that are absent are fetched first, from ../shared/weights where it is beside the checkout.
A machine that does other work gives other figures: the load is told with each result.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import machine
import tables

from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.presets import PRESETS
from facelign.types.specs import Task


@dataclass(frozen=True)
class Script:
    """A benchmark: its file in this folder, and what it is called with here."""

    words: tuple[str, ...] = ()
    quick: bool = True
    speed: bool = False
    python: str = ""


#: in the order in which they run: start-up first, while the machine is cool
SCRIPTS = {
    "start_up": Script(python="core", speed=True),
    "end_to_end": Script(python="peers", speed=True),
    "networks": Script(speed=True),
    "dlib_parity": Script(),
    "batches": Script(),
    "sface_graph": Script(("--rounds", "20")),
    "large_photo": Script(speed=True),
    "workers": Script(speed=True),
    "memory": Script(),
    "gallery": Script(("--million",)),
    "view2": Script(),
    "detectors": Script(quick=False),
    "embedders": Script(quick=False),
    "int8": Script(quick=False),
    "cameras": Script(quick=False),
    "camera_to_event": Script(quick=False),
    "films": Script(quick=False),
    "tracking": Script(quick=False),
    "fuzz_dat": Script(quick=False),
    "fuzz_weights": Script(quick=False),
    "fuzz_images": Script(quick=False),
}


def fetch_weights() -> None:
    """Bring what the quick benchmarks need; tells what it does."""
    mirror = machine.SHARED / "weights"
    if mirror.is_dir():
        os.environ.setdefault("FACELIGN_MIRROR", str(mirror))
    models, store = catalog.default(), Store.from_environment()
    wanted = {model for preset in PRESETS.values() if preset.measured for model in preset.models}
    wanted |= {(Task.LANDMARK, "dlib-68"), (Task.EMBED, "mobilefacenet")}
    absent = [s for s in (models.spec(*m) for m in sorted(wanted)) if not store.present(s)]
    if absent:
        print(f"fetching the weights of {', '.join(s.id for s in absent)}", flush=True)
        store.pull_all(absent)
    for model in sorted(wanted):
        store.ready(models.spec(*model))  # converted now, not within a measurement


def run(name: str, pythons: dict[str, str]) -> tuple[int, float]:
    """Run one benchmark; return its exit status and seconds."""
    script = SCRIPTS[name]
    words = [sys.executable, str(machine.HERE / f"{name}.py"), *script.words]
    if script.python == "peers" and pythons["peers"]:
        words[0] = pythons["peers"]
    if script.python == "core" and pythons["core"]:
        words += ["--python", pythons["core"]]
    print(f"\n== {name} ==", flush=True)
    began = time.perf_counter()
    # this checkout, whatever version the environments hold
    paths = [str(machine.HERE.parent / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    status = subprocess.run(words, check=False, env=here).returncode
    return status, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, metavar="NAME")
    parser.add_argument("--speed", action="store_true", help="those of the walk of a photo")
    parser.add_argument("--all", action="store_true", help="the long ones too")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--peers", default=os.environ.get("FACELIGN_PEERS_PYTHON", ""))
    parser.add_argument("--core", default=os.environ.get("FACELIGN_CORE_PYTHON", ""))
    given = parser.parse_args()
    if given.list:
        for name, script in SCRIPTS.items():
            print(name if script.quick else f"{name} (long)")
        return 0
    names = given.only or [
        name
        for name, script in SCRIPTS.items()
        if (script.speed if given.speed else script.quick or given.all)
    ]
    fetch_weights()
    done = {name: run(name, {"peers": given.peers, "core": given.core}) for name in names}
    print("\n== in short ==")
    for line in tables.short():
        print(line)
    tables.rewrite()
    for name, (status, seconds) in done.items():
        print(f"{name:12} {'done' if not status else f'exit {status}':8} {seconds:6.0f} s")
    return 1 if any(status for status, _ in done.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
