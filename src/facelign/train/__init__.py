"""Networks of one's own: data checked, trained, resumed, tested, exported with their record.

PyTorch lives here and nowhere else; ``config``, the ``config`` of a kind and this module do without
it, so that a wrong configuration is told on any machine. A kind of model is a folder with its
configuration (``config.CONFIG``) and its task (``task.TASK``, a ``TrainingTask``); the loop, the
run folder and the export know none of them.
"""

from __future__ import annotations

from importlib.util import find_spec

from facelign.errors import ExtraMissing

#: what is imported -> how it is called where packages are installed
_WHEELS = {"torch": "PyTorch", "lightning_fabric": "Lightning Fabric", "tensorboard": "TensorBoard"}


def needs() -> None:
    """Raise ExtraMissing unless what trains can be imported."""
    for name, called in _WHEELS.items():
        if find_spec(name) is None:
            raise ExtraMissing(
                f"Training needs {called}, which is not installed.", "pip install 'facelign[train]'"
            )
