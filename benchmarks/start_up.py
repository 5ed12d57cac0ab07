"""How long a person waits for the first answer: whole processes, started anew each time.

    python benchmarks/start_up.py [--python PATH] [--rounds 7] [--out FILE.json]

--python: the interpreter of an environment in which only facelign itself is installed
(``python -m venv core && core/bin/pip install .``); default: this one. Packages beside it hardly
matter, but a fresh one is what users have. The commands take turns; the median, the time on the
processor and the largest peak of memory are told. Bytecode is kept, as an installation has it,
in a folder of its own. Needs the weights of ``default``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine

#: targets: name -> (seconds, MB)
TARGETS = {
    "identify, one photo": (0.5, 200.0),
    "import facelign, beyond bare Python": (0.030, None),
    "facelign --help": (0.2, None),
}


@dataclass
class Command:
    """A process: what it is called with and what was measured."""

    words: list[str]
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    def once(self, expected: int = 0) -> None:
        before = time.perf_counter()
        process = subprocess.Popen(
            self.words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        )
        _, status, used = os.wait4(process.pid, 0)
        self.seconds.append(time.perf_counter() - before)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expected:
            raise SystemExit(f"{' '.join(self.words)}: exit {process.returncode}")
        self.processor.append(used.ru_utime + used.ru_stime)
        scale = 1 if sys.platform == "darwin" else 1024
        self.peak_mb = max(self.peak_mb, used.ru_maxrss * scale / 1e6)

    def record(self) -> dict[str, float]:
        return {
            "seconds_median": round(statistics.median(self.seconds), 4),
            "seconds_best": round(min(self.seconds), 4),
            "processor_seconds_median": round(statistics.median(self.processor), 4),
            "peak_mb": round(self.peak_mb, 1),
        }


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


def enroll(program: list[str], gallery: Path) -> None:
    """Enroll five photos of each of ten people."""
    people = {path.parent for path in machine.photos()}
    with tempfile.TemporaryDirectory() as name:
        for folder in people:
            (Path(name) / folder.name).mkdir()
            for path in sorted(folder.iterdir())[:5]:
                shutil.copy(path, Path(name) / folder.name)
        words = [*program, "enroll", name, "--gallery", str(gallery), "--largest"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    python = shutil.which(given.python) or given.python
    # the installed program, as a user starts it
    program = [str(Path(python).with_name("facelign"))]
    if not Path(program[0]).is_file():
        program = [python, "-m", "facelign"]
    photo = str(machine.photos()[-1])
    with tempfile.TemporaryDirectory() as name:
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = str(Path(name) / "bytecode")
        gallery = Path(name) / "gallery.db"
        enroll(program, gallery)
        identify = [*program, "identify", photo, "--gallery", str(gallery), "--json"]
        commands = {
            "bare Python": Command([python, "-c", "pass"]),
            "import facelign": Command([python, "-c", "import facelign"]),
            "facelign --version": Command([*program, "--version"]),
            "facelign --help": Command([*program, "--help"]),
            "facelign identify --help": Command([*program, "identify", "--help"]),
            "identify, one photo": Command(identify),
            "identify, one photo, --preset fast": Command([*identify, "--preset", "fast"]),
        }
        try:
            commands["identify, one photo, --preset fast"].once()
        except SystemExit:
            # its space has no templates in this gallery: the command refuses after loading less
            del commands["identify, one photo, --preset fast"]
        for command in commands.values():
            command.once()  # the first start fills caches of files
            command.seconds.clear(), command.processor.clear()
        for _ in range(given.rounds):
            for command in commands.values():
                command.once()
    rows = {name: command.record() for name, command in commands.items()}
    bare = commands["bare Python"].seconds
    beyond = [a - b for a, b in zip(commands["import facelign"].seconds, bare, strict=True)]
    rows["import facelign, beyond bare Python"] = {"seconds_median": round(_median(beyond), 4)}
    for name, (seconds, mb) in TARGETS.items():
        rows[name]["target_seconds"] = seconds
        if mb is not None:
            rows[name]["target_mb"] = mb
    result = {
        "what": "whole processes, started anew; median of rounds, peak of memory over them",
        "rounds": given.rounds,
        "others_installed": others(python),
        "machine": machine.describe("typer", "rich"),
        "commands": rows,
    }
    machine.write("start_up", result, given.out)
    for name, row in rows.items():
        print(
            f"{name:38} {row['seconds_median']:7.3f} s  "
            f"cpu {row.get('processor_seconds_median', '-')!s:7} "
            f"peak {row.get('peak_mb', '-')!s:7} target {row.get('target_seconds', '-')}"
        )
    return 0


def others(python: str) -> int:
    """Return how many distributions are installed beside the core's (0 in a fresh environment)."""
    code = "from importlib.metadata import distributions as d; print(len(list(d())))"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
