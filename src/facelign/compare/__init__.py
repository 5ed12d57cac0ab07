"""Scores, curves, thresholds and what stands behind them."""
