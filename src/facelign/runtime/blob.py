"""From pixels to what a network reads, as its record says."""

from __future__ import annotations

import numpy as np

from facelign.errors import ModelMismatch
from facelign.types.arrays import AnyArray, ByteArray
from facelign.types.specs import InputSpec


def blob_of(pixels: ByteArray, spec: InputSpec, *, raw: bool = False) -> AnyArray:
    """Return what the network reads. pixels: (n, h, w, 3) uint8 RGB.

    Float32 ``(x - mean) / std`` in the order of colors and axes that the record says, or with
    ``raw`` the bytes in that order, for graphs that scale by themselves.
    """
    if spec.order == "gray":
        raise ModelMismatch("Networks here read color; the record says gray.", "Correct 'order'.")
    ordered = pixels if spec.order == "rgb" else pixels[..., ::-1]
    axes = {"nchw": (0, 3, 1, 2), "nhwc": (0, 1, 2, 3), "nwhc": (0, 2, 1, 3)}[spec.axes]
    blob: AnyArray = np.ascontiguousarray(ordered.transpose(axes))
    if raw:
        return blob
    blob = blob.astype(np.float32)
    lie = (1, -1, 1, 1) if spec.axes == "nchw" else (1, 1, 1, -1)
    if any(spec.mean):
        blob -= np.asarray(spec.mean, np.float32).reshape(lie)
    if any(value != 1.0 for value in spec.std):
        blob /= np.asarray(spec.std, np.float32).reshape(lie)
    return blob
