"""Thresholds with the evidence behind them."""
