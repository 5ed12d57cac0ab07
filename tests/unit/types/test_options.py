"""An option is said beside its field, and a set of options refuses what cannot be meant."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest

import facelign
from facelign.errors import ConfigError
from facelign.recognition.options import ChainOptions, EnrollOptions, IdentifyOptions
from facelign.types.options import Option, OptionSet, factor, height, hints, option_of, share
from facelign.types.policies import SEARCH_FPIR, VERIFY_FMR, Limits

if TYPE_CHECKING:
    from nowhere import Unknown


@dataclass(frozen=True, slots=True)
class Toy(OptionSet):
    size: Annotated[int | None, Option("How large.", low=2)] = None
    rate: Annotated[float, Option("How often.", check=share)] = 0.5
    kept: Unknown | None = None


def test_options_of_a_set():
    found = {name: option_of(hint) for name, hint in hints(Toy).items()}
    assert found["size"] == Option("How large.", low=2)
    assert found["kept"] is None  # its type is not here when the program runs, and is not asked for
    assert hints(Toy)["kept"] == object | None


def test_what_may_be():
    assert Toy(size=2, rate=1.0, kept=3).size == 2
    assert replace(Toy(), size=9).size == 9


@pytest.mark.parametrize(
    ("wrong", "said"), [({"size": 1}, "size 1 is too small"), ({"rate": 7}, "rate 7 is no share")]
)
def test_what_is_refused_by_whoever_makes_it(wrong, said):
    with pytest.raises(ConfigError, match=f"^{said}") as caught:
        Toy(**wrong)
    assert caught.value.hint
    with pytest.raises(ConfigError, match=said):
        replace(Toy(), **wrong)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (IdentifyOptions, {"fpir": 7}),
        (IdentifyOptions, {"top_k": 0}),
        (IdentifyOptions, {"min_height": float("nan")}),
        (EnrollOptions, {"min_height": -1}),
        (ChainOptions, {"downscale": 0.0}),
        (Limits, {"pixels": 0}),
    ],
)
def test_the_options_of_the_library_refuse_too(kind, wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"^{name} "):
        kind(**wrong)


@pytest.mark.parametrize("value", [0, -0.1, 1.01, float("nan")])
def test_what_is_no_share(value):
    with pytest.raises(ConfigError, match="fpir"):
        share("fpir", value)


@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_what_is_no_height(value):
    with pytest.raises(ConfigError, match="min_height"):
        height("min_height", value)


@pytest.mark.parametrize("value", [0, 0.04, 33, float("nan")])
def test_what_nothing_is_reduced_by(value):
    with pytest.raises(ConfigError, match="downscale"):
        factor("downscale", value)


def test_a_rate_and_a_default_are_typed_once():
    """Rates are read from types/policies.py, and a help that tells a default is made from it."""
    home = Path(facelign.__file__).parent
    typed = []
    for path in home.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        defaults = [n.value for n in ast.walk(tree) if isinstance(n, ast.AnnAssign)]
        for node in ast.walk(tree):
            if isinstance(node, ast.arguments):
                defaults += [*node.defaults, *node.kw_defaults]
        typed += [
            f"{path.relative_to(home)}:{node.lineno}"
            for node in defaults
            # a learning rate is no rate of errors
            if "train" not in path.relative_to(home).parts
            and isinstance(node, ast.Constant)
            and node.value in (VERIFY_FMR, SEARCH_FPIR)
        ]
        typed += [
            f"{path.relative_to(home)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and re.search(r"\(default:? \d", str(node.value))
        ]
    assert typed == []
