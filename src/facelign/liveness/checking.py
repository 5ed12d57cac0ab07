"""From scores to answers: which faces a model can judge at all, and what its scores mean.

A face that the model was not made for is not checked, and the answer says why: nobody shall take
the silence of a model for its opinion.
"""

from __future__ import annotations

import numpy as np

from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.contracts import Liveness
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.liveness import LiveAnswer, LiveDecision

#: a box may leave the photo by this share of its side: detectors are not more exact than that
_CUT = 0.05


def answers(
    model: Liveness,
    image: Image,
    faces: Faces,
    threshold: float,
    yaw_deg: AnyArray | None = None,
) -> tuple[LiveAnswer, ...]:
    """Return the answer for each of n faces, in their order.

    threshold: the score from which on a face is taken for live. yaw_deg: (n,) how far each head is
    turned aside, degrees, or None where nobody measured it: then it turns nobody away.
    """
    told = [
        unfit(model, image, faces, i, None if yaw_deg is None else float(yaw_deg[i]))
        for i in range(len(faces))
    ]
    fit = np.array([not reason for reason in told], bool)
    scores: Float32Array = np.zeros(len(faces), np.float32)
    if fit.any():
        scores[fit] = model.judge(image, faces[fit])
    return tuple(
        LiveAnswer.not_checked(reason) if reason else decided(float(score), threshold)
        for reason, score in zip(told, scores, strict=True)
    )


def decided(score: float, threshold: float) -> LiveAnswer:
    """Return what a score means."""
    if score >= threshold:
        return LiveAnswer(score, LiveDecision.LIVE)
    reason = f"liveness {score:.3f}, below {threshold:.3g}"
    return LiveAnswer(score, LiveDecision.ATTACK, reason)


def unfit(
    model: Liveness, image: Image, faces: Faces, face: int, yaw_deg: float | None = None
) -> str:
    """Return why a model cannot judge a face, or ""."""
    x1, y1, x2, y2 = (float(v) for v in faces.boxes[face])
    wide, tall = x2 - x1, y2 - y1
    width, height = image.size
    if tall < model.smallest_px:
        return f"too small: {tall:.0f} px of {model.smallest_px:.0f} px needed"
    outside = max(-x1 / wide, (x2 - width) / wide, -y1 / tall, (y2 - height) / tall)
    if outside > _CUT:
        return "cut by the edge of the photo"
    room = min(width / wide, height / tall)
    if room < model.least_reach:
        return (
            f"too close: the photo shows {room:.1f} times the face, and {model.least_reach:g} "
            "times are needed to see what is around it"
        )
    widest = model.widest_yaw_deg
    if widest is not None and yaw_deg is not None and abs(yaw_deg) > widest:
        return f"turned aside: {abs(yaw_deg):.0f} degrees, and {widest:g} are allowed"
    return ""
