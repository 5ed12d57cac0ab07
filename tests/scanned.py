"""What a room of facelign holds, found as models are: laws run over it by themselves."""

from __future__ import annotations

import inspect

from facelign.models.catalog import modules


def classes(package: str, port: type) -> dict[str, type]:
    """Return the classes of a package that can be made and keep a port, by the module's name."""
    found = {
        module.__name__.rpartition(".")[2]: kind
        for module in modules(package)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if port in kind.__mro__
        and kind.__module__ == module.__name__
        and not inspect.isabstract(kind)
    }
    assert found, f"{package} holds no {port.__name__}"
    return found
