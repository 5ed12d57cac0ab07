"""How figures are told to people, and how far a number of pairs reaches down.

Shares of photos, pairs or faces (accuracy, TAR, EER, FNMR, FPIR, FNIR, rank 1, precision, recall)
are percent, their differences points. False match rates are decimals, as options take them. Areas,
F1, AP and thresholds are plain numbers. JSON, CSV and axes have shares from 0 to 1.
"""

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


def percent(value: float | None, digits: int = 2) -> str:
    """Return a share for people, "-" where there is none.

    >>> percent(0.9955), percent(None)
    ('99.55 %', '-')
    """
    return "-" if value is None else f"{100 * value:.{digits}f} %"


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
