"""Losses of landmarks, over the points that are known.

Points are shares of the crop, (n, k, 2); mask (n, k) is true where a point is known. A hidden point
has no say in the value nor in a gradient, whatever its coordinates are (NaN too).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def _differences(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the differences (m, 2) of the m points that are known."""
    return said[mask] - true[mask].to(said.dtype)


def _mean(values: Tensor, said: Tensor) -> Tensor:
    """Return the mean, and 0 with a gradient of 0 where no point is known."""
    return values.mean() if values.numel() else said.sum() * 0.0


def mse(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared difference of coordinates."""
    return _mean(_differences(said, true, mask) ** 2, said)


def l1(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the mean absolute difference of coordinates."""
    return _mean(_differences(said, true, mask).abs(), said)


def wing(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the wing loss: w ln(1 + |x| / e) below w, |x| - c above.

    Feng et al., "Wing Loss for Robust Facial Landmark Localisation with Convolutional Neural
    Networks", CVPR 2018, eq. 5. w = 10 px and e = 2 px of its crops of 256 px, as shares.
    """
    w, e = 10 / 256, 2 / 256
    size = _differences(said, true, mask).abs()
    c = w - w * math.log1p(w / e)
    return _mean(torch.where(size < w, w * torch.log1p(size / e), size - c), said)


def adaptive_wing(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the adaptive wing loss on coordinates: w ln(1 + |x / e|^(a - y)), A|x| - C above t.

    Wang, Bo and Fuxin, "Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression", ICCV
    2019, eq. 3, with its w = 14, t = 0.5, e = 1, a = 2.1, and differences counted in steps of one
    hundredth of the crop. There y is the height of a heat map, 1 at a point; a coordinate is taken
    as a point, so y = 1.
    """
    w, t, e, power = 14.0, 0.5, 1.0, 1.1
    size = 100 * _differences(said, true, mask).abs()
    slope = w * power * (t / e) ** (power - 1) / e / (1 + (t / e) ** power)
    c = t * slope - w * math.log1p((t / e) ** power)
    # a power of 1.1 has no second derivative at 0; of the first autograd needs a value above 0
    near = w * torch.log1p((size.clamp(min=1e-9) / e) ** power)
    return _mean(torch.where(size < t, near, slope * size - c), said) / 100


def distance(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """Return the mean distance of points: what NME is before it is divided by a face's size."""
    apart = _differences(said, true, mask)
    return _mean((apart.square().sum(dim=1) + 1e-12).sqrt(), said)


def nme(corners: tuple[int, int]) -> Loss:
    """Return the mean distance of points over that of the outer eye corners, a mean of faces.

    corners: their two numbers. A face that hides one is divided by the root of the area of the box
    around its known points.
    """

    def loss(said: Tensor, true: Tensor, mask: Tensor) -> Tensor:
        held = torch.where(mask[..., None], true.to(said.dtype), 0.0)
        right, left = corners
        gap = (held[:, right] - held[:, left]).norm(dim=1)
        low = torch.where(mask[..., None], held, torch.inf).amin(dim=1)
        high = torch.where(mask[..., None], held, -torch.inf).amax(dim=1)
        box = (high - low).prod(dim=1).clamp(min=0).sqrt()
        both = mask[:, right] & mask[:, left]
        size = torch.where(both, gap, box)
        usable = mask.any(dim=1) & (size > 1e-6) & size.isfinite()
        safe = torch.where(mask[..., None], said - held, 0.0)
        apart = (safe.square().sum(dim=2) + 1e-12).sqrt() * mask
        of_faces = apart.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return _mean(of_faces[usable] / size[usable], said)

    return loss


#: losses by name; ``nme`` needs the scheme's eye corners and is made by ``named``
LOSSES: Mapping[str, Loss] = {
    "mse": mse,
    "l1": l1,
    "wing": wing,
    "adaptive-wing": adaptive_wing,
    "distance": distance,
}


def named(name: str, corners: tuple[int, int] | None) -> Loss:
    """Return a loss by name. corners: outer eye corners of the scheme, for ``nme``."""
    if name == "nme":
        return nme(corners) if corners else distance
    return LOSSES[name]
