"""Array aliases and the one checker that every value uses on construction."""

from __future__ import annotations

import copyreg
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray

FloatArray = npt.NDArray[np.floating[Any]]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
IntArray = npt.NDArray[np.int64]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]
#: what ``faces[...]`` takes to give a smaller set
Selector = slice | npt.ArrayLike


def _read_only(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


# read-only mappings are fields of many values, and Python itself copies and pickles none
copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))


class Arrays:
    """A record of arrays, made anew when copied or pickled: checked and read-only again."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        record: Any = self
        return type(self), tuple(getattr(self, field.name) for field in fields(record))


def picked(what: str, index: int | Selector, count: int) -> slice | AnyArray:
    """Return what NumPy is to cut ``count`` items with, so that a set is left: of one for an int.

    A slice is cut as Python does; an int out of range raises IndexError, which says so in words
    (a mask of another length and an index out of range raise NumPy's IndexError).

    >>> picked("face", -1, 3)
    slice(2, 3, None)
    """
    if isinstance(index, slice):
        return index
    if isinstance(index, int | np.integer):
        if not -count <= index < count:
            raise IndexError(f"{what} {index} of {count}")
        start = int(index) % count
        return slice(start, start + 1)
    pick = np.asarray(index)
    return pick if pick.size else pick.astype(np.int64 if pick.dtype != np.bool_ else np.bool_)


def checked(
    name: str,
    value: npt.ArrayLike,
    dtype: type[np.generic],
    shape: tuple[int | None, ...],
    *,
    finite: bool = True,
) -> AnyArray:
    """Return a read-only view of ``value`` as ``dtype`` and ``shape`` (None = any length).

    The caller's own array keeps its write flag. Raises BadArray, which states wanted and got.
    """
    array = np.asarray(value)
    if array.size == 0 and array.shape != tuple(n or 0 for n in shape) and array.ndim == 1:
        array = array.reshape(tuple(n or 0 for n in shape))
    got = array.shape
    fits = len(got) == len(shape)
    if fits:
        for want, length in zip(shape, got, strict=True):
            fits = fits and (want is None or want == length)
    if not fits:
        wanted = "(" + ", ".join("n" if n is None else str(n) for n in shape) + ")"
        raise BadArray(f"{name}: wanted shape {wanted}, got {got}.")
    if array.dtype != dtype:
        if array.dtype.kind not in "fiub":
            raise BadArray(f"{name}: wanted numbers ({dtype.__name__}), got {array.dtype}.")
        array = array.astype(dtype)
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadArray(f"{name}: holds NaN or infinity.")
    view = array.view()
    view.flags.writeable = False
    return view


def check(record: object, dtype: type[np.generic], **shapes: tuple[int | str | None, ...]) -> None:
    """Put arrays of a frozen record, by field, into the form of ``checked``; None stays.

    A length that has a name, as in ``check(self, np.float32, boxes=("n", 4), scores=("n",))``, is
    that of the field that names it first. Raises BadArray.
    """
    lengths: dict[str, int] = {}
    for name, shape in shapes.items():
        if getattr(record, name) is not None:
            wanted = tuple([lengths.get(n) if isinstance(n, str) else n for n in shape])
            array = checked(name, getattr(record, name), dtype, wanted)
            lengths |= {n: k for n, k in zip(shape, array.shape, strict=True) if isinstance(n, str)}
            object.__setattr__(record, name, array)
