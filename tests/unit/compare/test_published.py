"""Published thresholds by the names that people write."""

from __future__ import annotations

import pytest

from facelign.compare.published import published
from facelign.errors import ConfigError


def test_a_near_name_that_people_write_is_suggested() -> None:
    with pytest.raises(ConfigError) as refused:
        published("dlib-0.7")
    assert "dlib-0.6" in (refused.value.hint or "")
