"""Presentation attacks: how often they pass, and how often people are refused."""

from facelign.lab import needs

needs("scipy")
