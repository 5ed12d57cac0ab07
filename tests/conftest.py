"""Fixtures of all tests: the portrait, the photos and weights beside the checkout, the home.

Nothing here writes into the user's own facelign home: FACELIGN_HOME points into a cache folder of
the tests, which lasts, so that a second run fetches nothing. FACELIGN_TESTS_HOME names another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from facelign.types.image import Image

if TYPE_CHECKING:
    from facelign.models.weights.store import Store
    from facelign.types.specs import ModelSpec

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
#: the models that a plain run fetches
_DEFAULT_MODELS = {"yunet", "sface"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--offline", action="store_true", help="skip tests whose weights are not on this machine"
    )


def required() -> bool:
    """Say whether ../shared must be there (as in .ci/run)."""
    return os.environ.get("FACELIGN_REQUIRE_SHARED", "") not in ("", "0")


def place_beside(name: str) -> Path:
    """Return ../shared/NAME; skips the test where it is not, or fails it where it must be."""
    path = SHARED / name if name else SHARED
    if not path.is_dir():
        reason = f"../shared/{name} is not beside the checkout"
        if required():
            pytest.fail(f"{reason}, and FACELIGN_REQUIRE_SHARED is set", pytrace=False)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout; mark tests that use it ``shared``."""
    return place_beside("")


@pytest.fixture(scope="session")
def recognition() -> Path:
    """Photos for recognition, odd images too."""
    return place_beside("data/recognition")


@pytest.fixture(scope="session")
def detection() -> Path:
    """Photos with boxes."""
    return place_beside("data/detection")


@pytest.fixture(scope="session")
def landmarks_data() -> Path:
    """Photos with points."""
    return place_beside("data/landmarks")


@pytest.fixture(scope="session")
def portrait() -> Image:
    """scikit-image's astronaut, 512x512: the one face that every environment has."""
    from skimage import data

    return Image.from_array(data.astronaut(), "rgb", "portrait")


@pytest.fixture(scope="session", autouse=True)
def facelign_home() -> Iterator[Path]:
    """The home of the tests, for this process and for those it starts."""
    named = os.environ.get("FACELIGN_TESTS_HOME", "")
    home = Path(named) if named else platformdirs.user_cache_path("facelign-tests", appauthor=False)
    home.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACELIGN_HOME", str(home))
        patch.delenv("FACELIGN_LICENSE", raising=False)
        if not os.environ.get("FACELIGN_MIRROR") and (SHARED / "weights").is_dir():
            patch.setenv("FACELIGN_MIRROR", str(SHARED / "weights"))
        yield home


@pytest.fixture(scope="session")
def store(facelign_home: Path) -> Store:
    """The weights of the tests; ../shared/weights is asked first where it is."""
    from facelign.models.weights.store import Store

    return Store.from_environment()


@pytest.fixture(scope="session")
def pulled(store: Store, request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Call with specs: brings their weights and returns the store.

    A plain run fetches the default preset only (10 MB). Other weights are fetched where ../shared
    is required (as in .ci/run) or with FACELIGN_TESTS_PULL=all; elsewhere the test is skipped
    unless they are here or in a mirror that is a folder. With --offline nothing is fetched. Mark
    tests that use it ``weights``.
    """
    offline = request.config.getoption("--offline")
    everything = required() or os.environ.get("FACELIGN_TESTS_PULL") == "all"

    def bring(*specs: ModelSpec) -> Store:
        absent = [spec for spec in specs if not store.present(spec)]
        far = [spec.id for spec in absent if not _in_mirror(store, spec)]
        if offline and far:
            pytest.skip(f"--offline, and the weights of {', '.join(far)} are not here")
        large = sorted(set(far) - _DEFAULT_MODELS)
        if large and not everything:
            pytest.skip(
                f"the weights of {', '.join(large)} are not here; FACELIGN_TESTS_PULL=all "
                "fetches them"
            )
        if absent:
            store.pull_all(absent)
        return store

    return bring


def _in_mirror(store: Store, spec: ModelSpec) -> bool:
    from facelign.models.weights.mirror import Folder, is_address

    if not store.mirror or is_address(store.mirror):
        return False
    folder = Folder(Path(store.mirror))
    return all(any(folder.find(source) for source in file.sources) for file in spec.weights)
