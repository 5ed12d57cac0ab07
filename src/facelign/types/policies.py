"""What may be chosen and what holds where nothing is: policies, rates, tries.

No arrays are in here, so that who only wants to know a default (a command's help) loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from facelign.errors import ConfigError
from facelign.types.options import Option, OptionSet

#: false match rate of one comparison that ``verify`` works at
VERIFY_FMR = 1e-3
#: share of searches for strangers that may end with a name
SEARCH_FPIR = 0.01
#: share of attacks of any one kind that may pass where a threshold of liveness is calibrated
LIVE_APCER = 0.05
#: people that are told as candidates, the most alike first
TOP_K = 5


class FacePolicy(StrEnum):
    """How one face is chosen among several.

    only: there must be one; a face under half the height of the largest does not count.
    largest: the largest box. central: the box whose center is nearest to the photo's.
    best: the highest detector score.
    """

    ONLY = "only"
    LARGEST = "largest"
    CENTRAL = "central"
    BEST = "best"


class TemplateMode(StrEnum):
    """How the templates of a person become one score.

    best: the template most like the probe. mean: the mean of the templates (brought to unit
    length in a cosine space). robust: their geometric median, which a minority of wrong photos
    moves little (the mean's breakdown point is 0, the geometric median's is one half).
    """

    BEST = "best"
    MEAN = "mean"
    ROBUST = "robust"


class LiveMode(StrEnum):
    """What is asked of a face before it gets a name.

    off: nothing. observe: whether it is a living person is told beside the name. require: a face
    that is taken for an attack, or that could not be checked, gets no name.
    """

    OFF = "off"
    OBSERVE = "observe"
    REQUIRE = "require"


class ClassifierRule(StrEnum):
    """How a classifier over enrolled vectors chooses a name."""

    KNN = "knn"
    MEAN = "mean"
    SVM = "svm"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is tried after a look that found nothing.

    padded: with a gray border, for faces that the edges of the photo cut. turned: by 90, 180 and
    270 degrees, for photos that lie on their side and for faces upside down. border: width of
    the border as a share of the longer side. margin: by how much the score of a face must exceed
    the detector's own threshold in a try (in turned ones its ``sure_score`` where it has one): a
    photo without a face is looked at five times as often, which must not make false faces five
    times as frequent.
    """

    padded: Annotated[
        bool, Option("When no face is found, look again with a border around the photo.")
    ] = True
    turned: Annotated[
        bool,
        Option(
            "When no face is found, look again turned by 90, 180 and 270 degrees.", word="rotate"
        ),
    ] = True
    border: float = 0.5
    margin: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.border <= 2.0:
            raise ConfigError(f"border: wanted a share in (0, 2], got {self.border}.")
        if self.margin < 0:
            raise ConfigError(f"margin: wanted 0 or more, got {self.margin}.")


@dataclass(frozen=True, slots=True)
class Limits(OptionSet):
    """What is refused before anything is decoded.

    bytes: size of the file. pixels: width times height, which decides how much memory a photo
    takes. A JPEG may have four times as many: it is then decoded at half its sides (``Image.scale``
    says so). GIF and TIFF are held to Pillow's own limit too (``PIL.Image.MAX_IMAGE_PIXELS``, 89
    million).
    """

    bytes: int = 200_000_000
    pixels: Annotated[
        int,
        Option(
            "Pixels of the largest photo that is read; four times as many of a JPEG, which is then "
            "read at half its sides.",
            low=1,
            word="max_pixels",
        ),
    ] = 100_000_000
