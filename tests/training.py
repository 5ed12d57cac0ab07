"""What tests of training need: the extra, or a reason to skip them."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

#: what the extra brings
PACKAGES = ("torch", "lightning_fabric", "pytorch_metric_learning", "tensorboard")
REASON = "training needs the extra train: pip install 'facelign[train]'"


def required() -> bool:
    """Say whether the extra must be here: FACELIGN_REQUIRE_TRAIN is set (as in .ci/run)."""
    return os.environ.get("FACELIGN_REQUIRE_TRAIN", "") not in ("", "0")


def needed() -> None:
    """Skip the module or test where the extra is not installed, or fail where it must be."""
    if all(map(find_spec, PACKAGES)):
        return
    if required():
        pytest.fail(f"{REASON}, and FACELIGN_REQUIRE_TRAIN is set", pytrace=False)
    pytest.skip(REASON, allow_module_level=True)
