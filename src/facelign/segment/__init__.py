"""Telling people from what is behind them."""
