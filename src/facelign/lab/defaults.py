"""What is measured unless it is said otherwise: read without loading arrays."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from facelign.types.policies import TemplateMode

#: draws of people for the intervals of one system, and for differences between systems
DRAWS, PAIRED_DRAWS = 1000, 500
SEED = 20_211
#: photos that are timed, one by one, without the cache
TIMED = 15
#: people in the galleries that are told side by side, as far as there are people
SIZES = (10, 100, 300)
#: galleries of one size that rates are the mean of
GALLERIES = 5
#: the default star: every lean of undegraded photos, every degradation of upright ones
LEANS = (0.0, 15.0, 30.0, 45.0)
DEGRADATIONS = ("none", "low-resolution", "blur", "dark", "glasses")
#: layouts of the study, from no alignment at all to the model's own, and what each is
LAYOUTS: Mapping[str, str] = {
    "none": "the whole photo, squeezed to the model's input; no face is looked for",
    "crop": "the detector's box and a margin of 32 px, stretched to a square (facenet's cut)",
    "square": "the upright square over the longer side of the box",
    "eyes": "the same square, turned until the eyes are level",
    "five": "five points onto the model's template: turn, scale and place",
    "native": "the model's own layout by the points that it was trained with",
}


class Templates(StrEnum):
    """What a person's photos become in a gallery, as reports and command lines say it."""

    EACH = "each"
    MEAN = "mean"
    ROBUST = "robust"

    @property
    def mode(self) -> TemplateMode:
        """How the product calls it."""
        return TemplateMode.BEST if self is Templates.EACH else TemplateMode(self.value)
