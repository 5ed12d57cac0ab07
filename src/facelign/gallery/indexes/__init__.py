"""Disposable accelerators over the store."""
