"""Intervals by people, paired differences."""
