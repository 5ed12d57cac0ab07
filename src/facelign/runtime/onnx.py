"""ONNX Runtime: the only module that opens it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import BadArray, ConfigError, ProviderMissing, WeightsCorrupt
from facelign.types.arrays import AnyArray

#: protobuf cannot hold more in one message, so a larger file is no model that we could open
LARGEST_MODEL = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How sessions run.

    threads: intra-op threads. One by default, because photos are worked on side by side and a
    second thread in one network costs more than it gives on busy cores.
    providers: execution providers, first choice first; one that is not there is an error, never
    a silent fall back to the processor. spinning: let idle threads burn a core (2.6 to 3.5 times
    slower when cores are busy).
    """

    threads: int = 1
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    spinning: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ConfigError(
                f"Wanted at least one thread, got {self.threads}.", "Leave it out for one."
            )
        if not self.providers:
            raise ConfigError(
                "No execution provider was named.", "Leave it out for CPUExecutionProvider."
            )


def available_providers() -> tuple[str, ...]:
    """Return the execution providers of the installed ONNX Runtime, best first."""
    return tuple(_engine().get_available_providers())


def telemetry_off() -> bool:
    """Say whether ONNX Runtime was told to collect nothing: ``import facelign`` tells it so, unless
    ORT_DISABLE_TELEMETRY says otherwise.
    """
    return os.environ.get("ORT_DISABLE_TELEMETRY", "").lower() in ("1", "true", "yes", "on")


def _engine() -> Any:
    import onnxruntime as ort

    if telemetry_off():  # it may have been imported before facelign could say so
        ort.disable_telemetry_events()
    return ort


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph. shape: None where any length fits."""

    name: str
    shape: tuple[int | None, ...]
    kind: str


def _port(node: Any) -> Port:
    shape = tuple(d if isinstance(d, int) else None for d in node.shape)
    return Port(node.name, shape, node.type)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open session. failures: what its calls may raise."""

    engine: Any
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    failures: tuple[type[Exception], ...]


class Session:
    """A network that is ready to run; one may be shared by any number of threads.

    ONNX Runtime is opened at the first run (or ``open``), once, under a lock.
    """

    def __init__(self, model: Path | bytes, options: OnnxOptions | None = None) -> None:
        self._model = model
        self.options = options or OnnxOptions()
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What the graph wants to be fed with."""
        return self._open().inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What the graph gives."""
        return self._open().outputs

    def run(
        self, feeds: Mapping[str, AnyArray], outputs: Sequence[str] | None = None
    ) -> list[AnyArray]:
        """Return the outputs (all of them, or the named ones in that order) for ``feeds``.

        Raises BadArray when the shape or dtype of a feed does not fit the graph.
        """
        opened = self._open()
        given = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        try:
            found: list[AnyArray] = opened.engine.run(outputs, given)
        except opened.failures as problem:
            shapes = {name: (array.shape, str(array.dtype)) for name, array in given.items()}
            raise BadArray(
                f"{self._name()} does not run on {shapes}: {first_line(problem)}",
                f"It wants {[(p.name, p.shape, p.kind) for p in opened.inputs]}.",
            ) from problem
        return found

    def open(self) -> None:
        """Open the network; done by the first run otherwise."""
        self._open()

    def _open(self) -> _Opened:
        if self._opened is None:
            with self._lock:
                if self._opened is None:
                    self._opened = _opened(self._model, self.options, self._name())
        return self._opened

    def _name(self) -> str:
        return self._model.name if isinstance(self._model, Path) else "The graph"

    def __repr__(self) -> str:
        return f"Session({self._name()}, {self.options})"


def _failures() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = [kind for kind in vars(state).values() if isinstance(kind, type)]
    found = [kind for kind in kinds if issubclass(kind, Exception)]
    # names of missing feeds and foreign dtypes are ValueErrors of the binding itself
    return (*found, ValueError, RuntimeError)


def _opened(model: Path | bytes, options: OnnxOptions, name: str) -> _Opened:
    ort = _engine()
    there = available_providers()
    missing = [p for p in options.providers if p not in there]
    if missing:
        raise ProviderMissing(
            f"The execution provider {missing[0]} is not available here.",
            f"Available: {', '.join(there)}. Install the onnxruntime build that has it, "
            "or ask for one of these.",
        )
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    settings.add_session_config_entry(
        "session.intra_op.allow_spinning", "1" if options.spinning else "0"
    )
    settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    settings.log_severity_level = 4  # errors come as exceptions; the library does not print
    failures = _failures()
    try:
        if isinstance(model, Path) and model.stat().st_size > LARGEST_MODEL:
            raise WeightsCorrupt(f"{model} is too large to be an ONNX model.", _CORRUPT_HINT)
        session = ort.InferenceSession(
            str(model) if isinstance(model, Path) else model,
            sess_options=settings,
            providers=list(options.providers),
        )
    except FileNotFoundError as problem:
        raise WeightsCorrupt(f"{name} is not there any more.", _CORRUPT_HINT) from problem
    except failures as problem:
        where: object = model if isinstance(model, Path) else name
        raise WeightsCorrupt(
            f"ONNX Runtime cannot open {where}: {first_line(problem)}", _CORRUPT_HINT
        ) from problem
    return _Opened(
        engine=session,
        inputs=tuple(_port(node) for node in session.get_inputs()),
        outputs=tuple(_port(node) for node in session.get_outputs()),
        failures=failures,
    )


_CORRUPT_HINT = "Run 'facelign models verify' to find damaged files."


def first_line(problem: Exception, most: int = 300) -> str:
    """Return what an engine says first, at most ``most`` characters of it."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:most]
