"""Where the photos for measuring lie, and weights for measuring them: gate and reproduction.

The photos stay beside the checkout (``../shared``): they show people and are in no repository.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from facelign import models
from facelign.errors import FacelignError
from facelign.models.weights.store import Store
from facelign.recognition.presets import preset
from facelign.types.specs import Task

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
LFW_100 = SHARED / "data" / "recognition" / "lfw_100" / "images"
LFW_DEV = SHARED / "data" / "recognition" / "lfw_dev"
DETECTION = SHARED / "data" / "detection"
LANDMARKS = SHARED / "data" / "landmarks"
RESULTS = ROOT / "benchmarks" / "results"


def settle() -> None:
    """Take weights from the folder beside the checkout first."""
    if (SHARED / "weights").is_dir():
        os.environ.setdefault("FACELIGN_MIRROR", str(SHARED / "weights"))


def absent(*wanted: tuple[Task, str]) -> str:
    """Bring the weights of models; return why they cannot be had, or "" when all are here."""
    known, store = models.default(), Store.from_environment()
    specs = [known.spec(task, name) for task, name in wanted]
    missing = [spec for spec in specs if not store.present(spec)]
    try:
        if missing:
            say(f"fetching {', '.join(spec.id for spec in missing)}")
            store.pull_all(missing)
    except FacelignError as error:
        return error.message
    return ""


def absent_preset(name: str) -> str:
    """Bring the weights of a preset; return why they cannot be had, or ""."""
    return absent(*preset(name).models)


def say(text: str) -> None:
    """Write one line to standard error: results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def counter(name: str, total: int) -> Callable[[int], None]:
    """Return a callback that tells every tenth part of a walk over photos."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        before, done = done * 10 // max(total, 1), done + count
        if done * 10 // max(total, 1) > before:
            say(f"  {name.strip()}: {done} of {total}")

    return more
