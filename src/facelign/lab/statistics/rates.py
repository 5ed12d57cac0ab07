"""False match rates that are reported, and how far a number of pairs reaches down."""

from __future__ import annotations

import numpy as np

from facelign.types.policies import VERIFY_FMR

#: false match rates that are told as far as the pairs allow, the largest first
RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def rate_text(rate: float) -> str:
    """Return a rate in plain digits, as keys of JSON and tables have it.

    >>> rate_text(1e-5)
    '0.00001'
    """
    return np.format_float_positional(rate, trim="-")


def number(value: float | None, digits: int = 4) -> str:
    """Return a figure for people, "-" where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def tar_label(rate: float) -> str:
    """Return what people are told the TAR at an FMR is.

    >>> tar_label(1e-3)
    'TAR at FMR 0.001'
    """
    return f"TAR at FMR {rate_text(rate)}"


def tar_name(rate: float) -> str:
    """Return what the TAR at an FMR is called among the figures of a run."""
    return f"tar_at_fmr_{rate_text(rate)}"


def shows(non_mated: int, rate: float) -> bool:
    """Return whether so many non-mated pairs can show an error at that rate."""
    return non_mated * rate >= 1


def lowest_rate(non_mated: int, wanted: float = VERIFY_FMR) -> float:
    """Return the lowest FMR, down to ``wanted``, at which the pairs can show an error.

    >>> lowest_rate(4500), lowest_rate(330)
    (0.001, 0.01)
    """
    reached = [rate for rate in RATES if rate >= wanted and shows(non_mated, rate)]
    return reached[-1] if reached else RATES[0]
