"""How people are drawn for intervals unless it is said otherwise: read without loading arrays."""

from __future__ import annotations

#: draws of people for the intervals of one system, and for differences between systems
DRAWS, PAIRED_DRAWS = 1000, 500
SEED = 20_211
#: photos that are timed, one by one, without the cache
TIMED = 15
