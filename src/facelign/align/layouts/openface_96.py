"""openface-96: three points onto OpenFace's template, by an affine map that may shear.

OpenFace's AlignDlib: ``outer`` are the outer eye corners and the nose base (nn4.v2,
small1 and small2 were trained so), ``inner`` the inner eye corners and the bottom lip (nn4.v1).
The template is not symmetric: a mirrored photo does not give the mirrored chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from facelign.align.fitting import check_face, each, landmarks_by
from facelign.errors import ConfigError, DegenerateLandmarks
from facelign.geometry.transforms import affine_of_three
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces

#: parts of the chip's side, from the template scaled by its minimum and maximum (AlignDlib)
_OUTER = np.array([[0.194157, 0.169267], [0.788859, 0.158171], [0.494951, 0.514441]])
_INNER = np.array([[0.363785, 0.177947], [0.618963, 0.172778], [0.500204, 0.750584]])

#: form -> (template, scheme -> indices of the three points). dlib's five points are the points
#: 45, 42, 36, 39 and 33 of the 68, so the outer form takes them too and nothing is invented.
FORMS: Mapping[str, tuple[Float64Array, Mapping[str, tuple[int, int, int]]]] = MappingProxyType(
    {
        "outer": (_OUTER, MappingProxyType({"ibug-68": (36, 45, 33), "dlib-5": (2, 0, 4)})),
        "inner": (_INNER, MappingProxyType({"ibug-68": (39, 42, 57)})),
    }
)

#: a chip stretched more in one direction than in the other by this shows no face any more (a face
#: that looks aside by 60 degrees is stretched by 2)
MOST_STRETCH = 6.0


@dataclass(frozen=True, slots=True)
class OpenfaceOptions:
    """size: side of the chip, px. form: "outer" (eyes and nose) or "inner" (eyes and lip)."""

    size: int = 96
    form: str = "outer"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigError(
                f"OpenFace's layout has no form '{self.form}'.", f"Take {' or '.join(FORMS)}."
            )
        if not 8 <= self.size <= 1024:
            raise ConfigError(f"A chip of {self.size} px cannot be meant.", "Take 96.")


class Openface96(Layout):
    """OpenFace's layout."""

    def __init__(self, *, size: int = 96, form: str = "outer") -> None:
        self.options = OpenfaceOptions(size, form)
        parts, self._indices = FORMS[form]
        self.template = parts * size
        self.needs = tuple(self._indices)
        self.id = f"openface-{size}" + ("" if form == "outer" else f"-{form}")
        self.size = (size, size)

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        landmarks = landmarks_by(self.needs, faces)
        chosen = list(self._indices.get(landmarks.scheme.id, ()))

        def one(index: int) -> Float64Array:
            face = landmarks[index : index + 1]
            judged = face if face.scheme.to_five is None else face.as_scheme("five")
            check_face(judged.points[0], judged.scheme.id)
            matrix = affine_of_three(face.points[0][chosen], self.template)
            long, short = np.linalg.svd(matrix[:, :2], compute_uv=False)
            if long > MOST_STRETCH * short:
                raise DegenerateLandmarks("The three points lie almost on one line.")
            return matrix

        return each(len(faces), one)


LAYOUTS = (Openface96,)
