"""Thresholds with the evidence behind them."""

from facelign.lab import needs

needs("scipy", "sklearn")
