"""Faces followed from frame to frame by place and size: ByteTrack at the true time of each frame.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022,
https://arxiv.org/abs/2110.06864: faces with high scores are matched with all tracks first, those
with low scores with what is left of the tracks seen in the frame before; only high scores begin a
track. Three things are otherwise here:

- Time is continuous. The Kalman filter predicts by the seconds that have passed and its doubt grows
  with them, so that a variable frame rate and frames that were left out move nobody.
- Near is told by the distance of centers in sizes of the face and by the ratio of the sizes, not by
  overlap: at five frames a second a walking face leaves its own box, and a small face behind a
  large one overlaps it. What may lie between grows with the time that a face was not seen.
- A track begins with its first frame. Whether it is worth a name is decided later, by its looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from facelign.types.arrays import BoolArray, Float64Array, IntArray
from facelign.types.contracts import Tracker
from facelign.types.faces import Faces
from facelign.video.options import ByteTrackOptions

# Chosen on made scenes of walking people at 25, 5 and 2.5 frames a second (docs/stages/films.md).
# Lengths are in sizes of the face, the root of its box's area; sizes are logarithms.
#: error of a box: standard deviation of center (x, y) and size (width, height)
_BOX_ERROR = np.array([0.05, 0.05, 0.075, 0.075])
#: how fast velocities change: standard deviation after a second
_ACCELERATION = np.array([3.0, 3.0, 0.3, 0.3])
#: velocity of a face that was seen once: standard deviation around rest, each second
_FIRST_VELOCITY = np.array([2.0, 2.0, 0.3, 0.3])
#: what a ratio of sizes of e counts, as a distance of centers
_SIZE_WEIGHT = 2.0
#: how far from its prediction a face may be: at once, more for each second unseen, at most
_REACH, _REACH_A_SECOND, _REACH_LIMIT = 0.6, 4.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _Tracks:
    """n tracks and what is known of them.

    ids: (n,) int64. unseen_s: (n,) how long each was not seen. state: (n, 4, 2) value and velocity
    of center x and y, px, and of the logarithms of width and height. spread: (n, 4, 2, 2) their
    covariance.
    """

    ids: IntArray
    unseen_s: Float64Array
    state: Float64Array
    spread: Float64Array

    @classmethod
    def begun(cls, ids: IntArray, measured: Float64Array) -> _Tracks:
        """Return tracks that start with what was measured (n, 4), at rest as far as is known."""
        state = np.stack([measured, np.zeros_like(measured)], axis=-1)
        spread = np.zeros((len(ids), 4, 2, 2))
        units = _units(state)
        spread[..., 0, 0] = (_BOX_ERROR * units) ** 2
        spread[..., 1, 1] = (_FIRST_VELOCITY * units) ** 2
        return cls(ids, np.zeros(len(ids)), state, spread)

    def __getitem__(self, pick: BoolArray) -> _Tracks:
        return _Tracks(self.ids[pick], self.unseen_s[pick], self.state[pick], self.spread[pick])

    def __add__(self, more: _Tracks) -> _Tracks:
        return _Tracks(
            np.concatenate([self.ids, more.ids]),
            np.concatenate([self.unseen_s, more.unseen_s]),
            np.concatenate([self.state, more.state]),
            np.concatenate([self.spread, more.spread]),
        )

    def predicted(self, dt_s: float) -> _Tracks:
        """Return them ``dt_s`` later: constant velocity, pushed by white noise of acceleration."""
        step = np.array([[1.0, dt_s], [0.0, 1.0]])
        push = np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
        strength = (_ACCELERATION * _units(self.state)) ** 2
        spread = step @ self.spread @ step.T + strength[..., None, None] * push
        return _Tracks(self.ids, self.unseen_s + dt_s, self.state @ step.T, spread)

    def corrected(self, which: IntArray, measured: Float64Array) -> _Tracks:
        """Return them with those of ``which`` (m,) moved towards what was measured (m, 4)."""
        unseen_s, state, spread = self.unseen_s.copy(), self.state.copy(), self.spread.copy()
        error = (_BOX_ERROR * _units(self.state[which])) ** 2
        shared = spread[which, :, 0]  # of value and velocity with the value, which is measured
        gain = shared / (shared[..., :1] + error[..., None])
        state[which] += gain * (measured - state[which, :, 0])[..., None]
        spread[which] -= gain[..., :, None] * shared[..., None, :]
        unseen_s[which] = 0
        return _Tracks(self.ids, unseen_s, state, spread)


class ByteTracker(Tracker):
    """Follows faces by place and size; see the module.

    A face that is too weak to begin a track and goes on with none has an id below 0, its own.
    Faces in a picture of another size are in another plane: all tracks end there.
    """

    def __init__(self, options: ByteTrackOptions | None = None) -> None:
        # half a second to import, in the middle of a film, would be a frame that comes too late
        from scipy.optimize import linear_sum_assignment

        self._assigned = linear_sum_assignment
        self.options = options or ByteTrackOptions()
        self.patience_s = self.options.patience_s
        self._ids, self._weak_ids = count(1), count(-1, -1)
        self._size: tuple[int, int] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget every track; ids are never used again."""
        self._tracks = _Tracks.begun(np.zeros(0, np.int64), np.zeros((0, 4)))
        self._time_s: float | None = None

    def update(self, faces: Faces, time_s: float) -> Faces:
        """Return the faces of the next frame with ``track_ids``; time_s: seconds, rising."""
        if faces.image_size != self._size:
            self.reset()
        dt_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._size, self._time_s = faces.image_size, time_s
        tracks = self._tracks[self._tracks.unseen_s + dt_s <= self.patience_s].predicted(dt_s)
        stays = _inside(tracks.state[:, :2, 0], faces.image_size)
        tracks = tracks[stays | (tracks.unseen_s <= dt_s)]
        measured = _measured(faces)
        high = np.full(len(faces), True)
        if self.options.begin_score is not None:
            high = faces.scores >= self.options.begin_score

        owner = np.full(len(faces), -1)  # the track of each face, -1: none
        self._match(tracks, measured, owner, np.full(len(tracks.ids), True), high)
        left = tracks.unseen_s <= dt_s
        left[owner[owner >= 0]] = False
        self._match(tracks, measured, owner, left, ~high)

        known = owner >= 0
        tracks = tracks.corrected(owner[known], measured[known])
        ids = np.array([next(self._ids if begins else self._weak_ids) for begins in high[~known]])
        found = np.zeros(len(faces), np.int64)
        found[known], found[~known] = tracks.ids[owner[known]], ids
        new = ~known & high
        self._tracks = tracks + _Tracks.begun(found[new], measured[new])
        return replace(faces, track_ids=found)

    def _match(
        self,
        tracks: _Tracks,
        measured: Float64Array,
        owner: IntArray,
        which_tracks: BoolArray,
        which_faces: BoolArray,
    ) -> None:
        """Write into ``owner`` the pairs that are least apart in sum, none beyond its reach."""
        rows, columns = np.flatnonzero(which_tracks), np.flatnonzero(which_faces)
        if not (rows.size and columns.size):
            return
        apart = _apart(tracks.state[rows, :, 0], measured[columns])
        reach = _REACH + _REACH_A_SECOND * tracks.unseen_s[rows, None]
        apart[apart > np.minimum(reach, _REACH_LIMIT)] = _REACH_LIMIT  # as good as no pair
        for i, j in zip(*self._assigned(apart), strict=True):
            if apart[i, j] < _REACH_LIMIT:
                owner[columns[j]] = rows[i]


def _measured(faces: Faces) -> Float64Array:
    """Return (n, 4): center x, y and the logarithms of width and height."""
    low, high = np.split(faces.boxes.astype(np.float64), 2, axis=1)
    return np.concatenate([(low + high) / 2, np.log(high - low)], axis=1)


def _inside(centers: Float64Array, size: tuple[int, int]) -> BoolArray:
    """Return (n,) whether centers (n, 2) are in the picture: who is no longer seen and went out of
    it has left, and who comes in at that side is somebody else.
    """
    inside = (centers >= -0.5) & (centers <= np.array(size) - 0.5)
    return np.asarray(inside.all(axis=1), np.bool_)


def _units(state: Float64Array) -> Float64Array:
    """Return (n, 4): what 1 is in each coordinate: a size of the face in px, or a ratio of e."""
    sizes = np.exp(state[:, 2:, 0].mean(axis=1))
    return np.stack([sizes, sizes, np.ones_like(sizes), np.ones_like(sizes)], axis=1)


def _apart(a: Float64Array, b: Float64Array) -> Float64Array:
    """Return (n, m): how far faces are apart, in sizes; the sizes count too."""
    gap = b[None] - a[:, None]
    sizes = np.exp((a[:, None, 2:].mean(axis=2) + b[None, :, 2:].mean(axis=2)) / 2)
    ratio = np.abs(gap[..., 2:]).mean(axis=2)
    apart: Float64Array = np.hypot(gap[..., 0], gap[..., 1]) / sizes + _SIZE_WEIGHT * ratio
    return apart
