"""Intervals by people, cross-validation, paired differences."""

from facelign.lab import needs

needs("scipy")
