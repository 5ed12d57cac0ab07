"""What a frame shows of a track, and when that is worth a look.

Not every frame is embedded: a track asks for it when the view is better than what it has, and
again after a while, so that its votes come from different moments.
"""

from __future__ import annotations

from dataclasses import dataclass

from facelign.types.arrays import Float32Array
from facelign.types.decisions import CandidateList
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Box
from facelign.video.options import LookOptions

#: a face of this height, px, and this sharpness (``quality.measure``) is as good as one needs
_TALL_PX, _SHARP = 112.0, 0.3
#: degrees of yaw beyond which a face says little about a person
_TURNED_DEG = 60.0
#: how much better than the best one a view must be to be worth a look at once
_BETTER = 1.15


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one frame shows of a track, before anything is embedded.

    height: of the box, px of the frame. sharpness: see ``quality.measure.sharpness``. yaw_deg:
    how far the head is turned, 0 or more, or None where the points do not say. score: of the
    detector.
    """

    time_s: float
    number: int
    box: Box
    score: float
    sharpness: float
    yaw_deg: float | None = None

    @property
    def worth(self) -> float:
        """How much the view says about who it is, in [0, 1]: size times sharpness times pose."""
        size = min(self.box.height / _TALL_PX, 1.0)
        sharp = min(self.sharpness / _SHARP, 1.0)
        turned = min((self.yaw_deg or 0.0) / _TURNED_DEG, 1.0)
        return size * sharp * (1.0 - 0.9 * turned)


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


class Budget:
    """Says when the view of a track is worth a look. min_height: of faces that get names, px."""

    def __init__(self, options: LookOptions, min_height: float = 0.0) -> None:
        self._options = options
        self._min_height = min_height
        self._taken = 0
        self._best = 0.0
        self._next_s = float("-inf")

    def wants(self, view: Sighting) -> bool:
        """Return whether the view is worth a look now."""
        options = self._options
        if self._taken >= options.looks or view.box.height < self._min_height:
            return False
        return view.worth > self._best * _BETTER or view.time_s >= self._next_s

    def taken(self, view: Sighting) -> None:
        """Count a look."""
        self._best = max(self._best, view.worth)
        self._next_s = view.time_s + self._options.spacing_s * 2.0**self._taken
        self._taken += 1
