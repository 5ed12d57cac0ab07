"""What a frame shows of a track, and when that is worth a look.

Not every frame is embedded: a track asks for it when the view is better than what it has, and
again after a while, so that its votes come from different moments. A face that enters is small,
blurred or cut by the edge: the first look waits a moment for a better view.
"""

from __future__ import annotations

from dataclasses import dataclass

from facelign.types.arrays import Float32Array
from facelign.types.decisions import CandidateList
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Box
from facelign.video.options import LookOptions

#: a face of this height, px, and this sharpness (``quality.measure``) is as good as one needs
_TALL_PX, _SHARP = 80.0, 0.3
#: degrees of yaw beyond which a face says little about a person
_TURNED_DEG = 60.0
#: share of the box beyond the edge of the picture that takes all worth
_CUT = 0.4
#: what a view that says least still counts, and what one must be worth to be looked at
_LEAST, _FLOOR = 0.02, 0.05
#: a view of this worth is not waited for any longer
_GOOD = 0.5
#: how much better than the best one a view must be to be worth a look at once
_BETTER = 1.5


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one frame shows of a track, before anything is embedded.

    height: of the box, px of the frame. sharpness: see ``quality.measure.sharpness``. yaw_deg:
    how far the head is turned, 0 or more, or None where the points do not say. score: of the
    detector. inside: share of the box that lies in the frame.
    """

    time_s: float
    number: int
    box: Box
    score: float
    sharpness: float
    yaw_deg: float | None = None
    inside: float = 1.0

    @property
    def worth(self) -> float:
        """How much the view says about who it is, in (0, 1]: the product of its merits."""
        size, sharp, pose, whole = self._merits
        return max(size * sharp * pose * whole, _LEAST)

    @property
    def lacks(self) -> str:
        """What is worst about the view, in words for people; "" for a good one."""
        size, sharp, pose, whole = self._merits
        if self.worth >= _GOOD:
            return ""
        told = {
            f"small ({self.box.height:.0f} px)": size,
            "blurred": sharp,
            f"turned away ({self.yaw_deg or 0:.0f} degrees)": pose,
            "cut by the edge of the picture": whole,
        }
        return min(told, key=lambda word: told[word])

    @property
    def _merits(self) -> tuple[float, float, float, float]:
        """Size, sharpness, pose and completeness, each in [0, 1]."""
        return (
            min(self.box.height / _TALL_PX, 1.0),
            min(self.sharpness / _SHARP, 1.0),
            1.0 - 0.9 * min((self.yaw_deg or 0.0) / _TURNED_DEG, 1.0),
            max(1.0 - (1.0 - self.inside) / _CUT, 0.0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A view that was embedded and searched for. vector: a set of one; answer: for it alone."""

    view: Sighting
    vector: Embeddings
    answer: CandidateList

    @property
    def unit(self) -> Float32Array:
        """The vector (d,) as it is."""
        vector: Float32Array = self.vector.vectors[0]
        return vector

    @property
    def weight(self) -> float:
        """How much it votes: the worth of the view times the square of the raw vector's length.

        A network gives a short vector where it sees little of a face (Meng et al., MagFace, CVPR
        2021, make use of it): it says more about a view than what can be measured before. Only
        the ratios between looks of one model count.
        """
        return self.view.worth * max(float(self.vector.norms[0]), 1e-6) ** 2


class Budget:
    """Says when the view of a track is worth a look. min_height: of faces that get names, px.

    best: the best view so far, looked at or not.
    """

    def __init__(self, options: LookOptions, min_height: float = 0.0) -> None:
        self.best: Sighting | None = None
        self._options = options
        self._min_height = min_height
        self._taken = 0
        self._looked = 0.0
        self._first_s = float("inf")
        self._due_s = float("-inf")

    @property
    def missing(self) -> str:
        """Why no view was worth a look so far, in words for people."""
        if self.best is None:
            return "not seen yet"
        height = self.best.box.height
        if height < self._min_height:
            return f"too small: {height:.0f} px of {self._min_height:.0f} px needed"
        return f"never a view worth a look: {self.best.lacks or 'seen too briefly'}"

    def wants(self, view: Sighting) -> bool:
        """Return whether the view is worth a look now."""
        self._first_s = min(self._first_s, view.time_s)
        if self.best is None or view.worth > self.best.worth:
            self.best = view
        if self._taken >= self._options.looks or view.box.height < self._min_height:
            return False
        if view.worth < _FLOOR:
            return False
        if not self._taken:
            return view.worth >= _GOOD or view.time_s - self._first_s >= self._options.wait_s
        if view.worth > self._looked * _BETTER:
            return True
        # a view that is half as good has as long again to become better
        late = view.time_s - self._due_s
        return late >= (0.0 if view.worth > self._looked / 2 else self._spacing)

    def taken(self, view: Sighting) -> None:
        """Count a look."""
        self._taken += 1
        self._looked = max(self._looked, view.worth)
        self._due_s = view.time_s + self._spacing

    @property
    def _spacing(self) -> float:
        return self._options.spacing_s * self._options.growth ** (self._taken - 1)
