"""Finding models by id and loading them."""

from facelign.registry.catalog import Registry, default
from facelign.registry.load import load

__all__ = ["Registry", "default", "load"]
