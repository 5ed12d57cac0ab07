"""Fixtures of all tests: the portrait, the photos and weights beside the checkout, the home.

Nothing here writes into the user's own facelign home: FACELIGN_HOME points into a cache folder of
the tests, which lasts, so that a second run fetches nothing. FACELIGN_TESTS_HOME names another.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs
import pytest
from hypothesis import settings

from facelign.errors import DownloadFailed, ExtraMissing, WeightsMissing
from facelign.types.image import Image
from facelign.types.specs import SourceKind

if TYPE_CHECKING:
    from facelign.models.weights.store import Store
    from facelign.types.specs import ModelSpec

# no test is timed: an example takes as long as a busy machine lets it
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
#: the models that a plain run fetches
_DEFAULT_MODELS = {"yunet", "sface", "sface-int8"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--offline", action="store_true", help="skip tests whose weights are not on this machine"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the laws of models whose file nobody here has, unless ``-k`` asks for one."""
    from facelign.types.specs import ModelSpec

    def left_out(item: pytest.Item) -> bool:
        given = getattr(getattr(item, "callspec", None), "params", {}).values()
        specs = [value for value in given if isinstance(value, ModelSpec)]
        return any(spec.unseen and not asked_for(config, spec.id) for spec in specs)

    out = [item for item in items if left_out(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in set(out)]


def pytest_configure() -> None:
    """Set the home of the tests before a room is imported: facelign.report reads it on import."""
    home = _writable_home()
    os.environ["FACELIGN_HOME"] = str(home.absolute())
    # a checkout may be read-only
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(home.absolute() / "hypothesis"))
    for name in ("FACELIGN_LICENSE", "FACELIGN_CONFIG"):
        os.environ.pop(name, None)
    if not os.environ.get("FACELIGN_MIRROR") and (SHARED / "weights").is_dir():
        os.environ["FACELIGN_MIRROR"] = str(SHARED / "weights")


def _writable_home() -> Path:
    """Return the home of the tests: the cache folder, or a temporary one where that is not ours."""
    named = os.environ.get("FACELIGN_TESTS_HOME", "")
    user = getattr(os, "getuid", lambda: "")()
    places = (
        (Path(named),)
        if named
        else (
            platformdirs.user_cache_path("facelign-tests", appauthor=False),
            Path(tempfile.gettempdir()) / f"facelign-tests-{user}",
        )
    )
    for place in places:
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            if os.access(place, os.W_OK):
                return place
    raise pytest.UsageError(
        f"{' and '.join(map(str, places))} cannot be written; let FACELIGN_TESTS_HOME name a "
        "folder in which the tests may keep weights."
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


@pytest.fixture(scope="session")
def facelign_home() -> Path:
    """The home of the tests, for this process and for those it starts."""
    return Path(os.environ["FACELIGN_HOME"])


@pytest.fixture(scope="session")
def store(facelign_home: Path) -> Store:
    """The weights of the tests; ../shared/weights is asked first where it is."""
    from facelign.models.weights.store import Store

    return Store.from_environment()


@pytest.fixture(scope="session")
def pulled(store: Store, request: pytest.FixtureRequest) -> Callable[..., Store]:
    """Call with specs: brings their weights and returns the store.

    A plain run fetches the default preset only (11 MB). Other weights are fetched where ../shared
    is required (as in .ci/run), with FACELIGN_TESTS_PULL=all, and for a model that ``-k`` asks for
    by its id (then their absence is a failure); elsewhere the test is skipped unless they are here,
    in an installed package or in a mirror that is a folder. With --offline nothing is fetched.
    Mark tests that use it ``weights``.
    """
    offline = request.config.getoption("--offline")
    everything = required() or os.environ.get("FACELIGN_TESTS_PULL") == "all"

    def bring(*specs: ModelSpec) -> Store:
        absent = [spec for spec in specs if not store.present(spec)]
        far = [spec.id for spec in absent if not _at_hand(store, spec)]
        if offline and far:
            reason = f"--offline, and the weights of {', '.join(far)} are not here"
            if any(asked_for(request.config, name) for name in far):
                pytest.fail(f"{reason}: run without --offline", pytrace=False)
            pytest.skip(reason)
        large = sorted(set(far) - _DEFAULT_MODELS)
        if not everything:
            large = [name for name in large if not asked_for(request.config, name)]
            if large:
                pytest.skip(
                    f"the weights of {', '.join(large)} are not here; -k with the id of the "
                    "model, or FACELIGN_TESTS_PULL=all, fetches them"
                )
        if absent:
            store.pull_all(absent)
        return store

    return bring


@pytest.fixture
def interruptible() -> None:
    """Skip where SIGINT is ignored, as a shell has it for what it starts in the background."""
    # Python then installs no handler (docs.python.org/3/library/signal.html), children inherit it
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("SIGINT is ignored here (nohup, or a job in the background)")


@pytest.fixture(scope="session")
def plain_weights(pulled: Callable[..., Store]) -> Store:
    """The weights that a plain run has: the default preset, and haar, which lies in OpenCV."""
    from facelign import models
    from facelign.recognition.presets import PRESETS

    known = models.default()
    return pulled(
        *(known.spec(task, name) for task, name in PRESETS["default"].models),
        *known.find("haar"),
    )


def asked_for(config: pytest.Config, model: str) -> bool:
    """Say whether ``-k`` names the model: who asks for one wants it tested, not skipped."""
    words = re.split(r"[\s()\[\]]+", config.getoption("keyword") or "")
    return model in words and words[max(words.index(model) - 1, 0)] != "not"


@pytest.fixture(scope="session")
def usable(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Call with a record and what makes the model: gives it, or skips where it cannot be had.

    Where ``-k`` names the model, or everything is required, that is a failure which says what to
    do.
    """

    def make(spec: ModelSpec, load: Callable[[], object]) -> object:
        try:
            return load()
        except (WeightsMissing, DownloadFailed, ExtraMissing) as problem:
            reason = f"{spec.id} is not here: {problem}"
            if asked_for(request.config, spec.id):
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)

    return make


def _at_hand(store: Store, spec: ModelSpec) -> bool:
    """Say whether the weights can be had without the network."""
    from facelign.models.weights.arrive import MirrorFolder, installed, is_address

    sources = [source for file in spec.weights for source in file.sources]
    # other kinds are asked before packages are
    if all(s.kind is SourceKind.PACKAGE and installed(s) is not None for s in sources):
        return True
    if not store.mirror or is_address(store.mirror):
        return False
    folder = MirrorFolder(Path(store.mirror))
    return all(any(folder.find(source) for source in file.sources) for file in spec.weights)


# -- dlib as a referee: its published files, the converted ones, and dlib itself ----------------

WITH_FILES = ("mmod", "dlib-5", "dlib-68", "dlib-resnet")


@dataclass(frozen=True)
class Files:
    """Paths by model id: as published, and converted."""

    raw: dict[str, Path]
    ready: dict[str, dict[str, Path]]


@pytest.fixture(scope="session")
def files(pulled: Callable[..., Store]) -> Files:
    from facelign import models

    specs = [models.default().find(name)[0] for name in WITH_FILES]
    store = pulled(*specs)
    raw = {spec.id: next(iter(store.raw_files(spec)))[2] for spec in specs}
    return Files(raw, {spec.id: dict(store.ready(spec)) for spec in specs})


@pytest.fixture(scope="session")
def dlib() -> Any:
    return pytest.importorskip("dlib")


@dataclass(frozen=True)
class Referee:
    """dlib with the published files, and the faces that its HOG detector finds."""

    dlib: Any
    hog: Any
    mmod: Any
    five: Any
    sixty_eight: Any
    resnet: Any

    def points(self, pixels: np.ndarray, rectangle: Any, scheme: str) -> tuple[Any, np.ndarray]:
        shape = (self.five if scheme == "dlib-5" else self.sixty_eight)(pixels, rectangle)
        return shape, np.array([(p.x, p.y) for p in shape.parts()])


@pytest.fixture(scope="session")
def referee(files: Files, dlib: Any) -> Referee:
    return Referee(
        dlib,
        dlib.get_frontal_face_detector(),
        dlib.cnn_face_detection_model_v1(str(files.raw["mmod"])),
        dlib.shape_predictor(str(files.raw["dlib-5"])),
        dlib.shape_predictor(str(files.raw["dlib-68"])),
        dlib.face_recognition_model_v1(str(files.raw["dlib-resnet"])),
    )


@pytest.fixture(scope="session")
def photos(recognition: Path) -> list[Image]:
    """Twelve photos of lfw_100, at least one of each person."""
    from PIL import Image as Pillow

    paths = sorted((recognition / "lfw_100" / "images").rglob("*.jpg"))
    assert len(paths) == 100
    picked = [*paths[::10], paths[5], paths[55]]
    return [Image.from_array(np.asarray(Pillow.open(p)), "rgb", p.name) for p in picked]
