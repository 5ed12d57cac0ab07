"""States of a run on disk: written whole or not at all, read without running anything."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from facelign.errors import InputError
from facelign.files import disk


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and texts; raises InputError, and then the old file is still there."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    disk.write(path, buffer.getvalue(), sync=True)


def load(path: Path) -> dict[str, Any]:
    """Return what ``save`` wrote, on the CPU; raises InputError for a file that is none.

    PyTorch's reader of weights makes tensors, numbers and texts only: no code of the file runs.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as problem:
        raise InputError(
            f"The checkpoint {path} cannot be read: {problem.strerror or problem}.",
            "Check the folder of the run.",
        ) from problem
    except (RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as problem:
        raise InputError(
            f"{path} is no checkpoint, or a damaged one.", "Train again, or take a back-up."
        ) from problem
    if not isinstance(found, dict):
        raise InputError(f"{path} is no checkpoint.", "Train again, or take a back-up.")
    return found
