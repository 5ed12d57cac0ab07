"""Models by task and id: their records, their weights, and the way from one to the other."""

from facelign.models.catalog import Registry, default
from facelign.models.load import load

__all__ = ["Registry", "default", "load"]
