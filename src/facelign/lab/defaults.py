"""What is measured unless it is said otherwise: read without loading arrays."""

from __future__ import annotations

from enum import StrEnum

from facelign.types.policies import TemplateMode

#: draws of people for the intervals of one system, and for differences between systems
DRAWS, PAIRED_DRAWS = 1000, 500
SEED = 20_211
#: photos that are timed, one by one, without the cache
TIMED = 15


class Templates(StrEnum):
    """What a person's photos become in a gallery, as reports and command lines say it."""

    EACH = "each"
    MEAN = "mean"
    ROBUST = "robust"

    @property
    def mode(self) -> TemplateMode:
        """How the product calls it."""
        return TemplateMode.BEST if self is Templates.EACH else TemplateMode(self.value)
