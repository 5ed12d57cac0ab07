"""Option groups: defaults are the core's, every field says its flag, checks refuse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from facelign.errors import ConfigError
from facelign.recognition.options import ChainOptions, EnrollOptions, IdentifyOptions
from facelign.types.policies import FacePolicy
from facelign.wire import options
from facelign.wire.options import ChainFlags, EnrollFlags, FaceFlags, Flag, NamingFlags

GROUPS = [group for name, group in vars(options).items() if name.endswith("Flags")]


@pytest.mark.parametrize("group", GROUPS)
def test_every_field_has_a_flag_and_a_sentence(group):
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        (flag,) = (note for note in get_args(hints[field.name]) if isinstance(note, Flag))
        assert flag.spelling.startswith("--")
        assert flag.help.endswith(".")


def test_defaults_are_those_of_the_core():
    chain, enroll, identify = ChainFlags(), EnrollFlags(), NamingFlags()
    assert (
        ChainOptions(layout=chain.layout, preprocessing=chain.preprocess, downscale=chain.downscale)
        == ChainOptions()
    )
    assert (chain.padded, chain.rotate) == (True, ChainOptions().attempts.turned)
    assert (
        EnrollOptions(min_height=enroll.min_height, consent=enroll.consent, force=enroll.force)
        == EnrollOptions()
    )
    assert (
        IdentifyOptions(
            fpir=identify.fpir,
            top_k=identify.top_k,
            mode=identify.templates,
            min_height=identify.min_height,
        )
        == IdentifyOptions()
    )


def test_reading_a_default_loads_no_arrays():
    code = "import sys, facelign.wire.options; print({'numpy', 'cv2', 'typer'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("value", [0, -0.1, 1.01, float("nan")])
def test_what_is_no_share(value):
    with pytest.raises(ConfigError, match="--fpir"):
        options.share("--fpir", value)


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_what_is_no_height(value):
    with pytest.raises(ConfigError, match="--min-height"):
        options.height("--min-height", value)


def test_which_face():
    assert FaceFlags().policy(FacePolicy.ONLY) is FacePolicy.ONLY
    assert FaceFlags(FacePolicy.BEST).policy(FacePolicy.ONLY) is FacePolicy.BEST
    for same in (FaceFlags(None, True), FaceFlags(FacePolicy.LARGEST, True)):
        assert same.policy(FacePolicy.ONLY) is FacePolicy.LARGEST
    with pytest.raises(ConfigError, match="contradict"):
        FaceFlags(FacePolicy.BEST, True).policy(FacePolicy.ONLY)
