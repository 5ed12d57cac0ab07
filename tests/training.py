"""What tests of training need: the extra, or a reason to skip them."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

REASON = "training needs the extra train: pip install 'facelign[train]'"


def needed() -> None:
    """Skip the module or test where the extra is not installed, or fail where it must be.

    It must be where FACELIGN_REQUIRE_TRAIN is set (as in .ci/run).
    """
    if all(find_spec(name) for name in ("torch", "lightning_fabric", "tensorboard")):
        return
    if os.environ.get("FACELIGN_REQUIRE_TRAIN", "") not in ("", "0"):
        pytest.fail(f"{REASON}, and FACELIGN_REQUIRE_TRAIN is set", pytrace=False)
    pytest.skip(REASON, allow_module_level=True)
