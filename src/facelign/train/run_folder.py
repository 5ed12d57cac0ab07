"""The folder of a run: what was asked, on what, how it went, and the networks that came of it."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelign._version import __version__
from facelign.errors import ConfigError, InputError, Refused
from facelign.files import disk
from facelign.jobs.claims import Claims
from facelign.report.provenance import installed
from facelign.train import config as configuration
from facelign.train.config import TrainConfig

#: packages that move a result
_PACKAGES = (
    "torch",
    "lightning-fabric",
    "pytorch-metric-learning",
    "numpy",
    "opencv-python-headless",
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of a run, by name."""

    path: Path

    @property
    def config(self) -> Path:
        """What was asked."""
        return self.path / "config.toml"

    @property
    def last(self) -> Path:
        """The state to go on from."""
        return self.path / "last.pt"

    @property
    def best(self) -> Path:
        """The network with the lowest validation loss."""
        return self.path / "best.pt"

    @property
    def result(self) -> Path:
        """What the run ended with; there once it has ended."""
        return self.path / "result.json"

    @property
    def tensorboard(self) -> Path:
        """Curves for TensorBoard."""
        return self.path / "tensorboard"

    def check_new(self) -> None:
        """Raise ConfigError where a run is kept already, or anything else."""
        if self.config.exists():
            raise ConfigError(
                f"There is a run in {self.path} already.", "Resume it, or name another folder."
            )
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"{self.path} is a file.", "Name a new folder for the run.")

    def begin(
        self,
        config: TrainConfig,
        data: Mapping[str, Any],
        findings: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Make the folder and write what the run is made of; raises ConfigError for a used one.

        findings: of the check of the data, severity and text.
        """
        self.check_new()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise InputError(
                f"The folder {self.path} cannot be made: {problem.strerror}.", "Name another one."
            ) from problem
        self.write("environment.json", environment(config.seed))
        self.write("data.json", {**data, "findings": [dict(one) for one in findings]})
        # last, since it says that the folder holds a run
        disk.write(self.config, configuration.written(config).encode(), sync=True)

    def read(self) -> Any:
        """Return the configuration of the run; raises ConfigError where there is none."""
        if not self.config.is_file():
            raise ConfigError(f"There is no run in {self.path}.", "Name the folder of a run.")
        return configuration.read(self.config)

    def change(
        self, config: TrainConfig, other: Mapping[str, tuple[Any, Any]], epoch: int, step: int
    ) -> None:
        """Keep another configuration, and in ``changes.json`` what is another from when on.

        other: before and after, by key. epoch, step: that come next, from 1. A run that has ended
        has not any more. Raises ConfigError
        where another process works on the run.
        """
        rows = [
            {"epoch": epoch, "step": step, "key": name, "before": before, "after": after}
            for name, (before, after) in other.items()
        ]
        # first, since what has ended does not go on: a run that lost its end tests again, no more
        self.result.unlink(missing_ok=True)
        with self.held():
            self.write("changes.json", {"changes": [*self.changes(), *rows]})
            text = configuration.written(config)
            notes = "".join(
                f"# {row['key']} was {configuration.as_toml(row['before'])} until step "
                f"{row['step']} of epoch {row['epoch']}\n"
                for row in self.changes()
            )
            disk.write(self.config, f"{text}\n{notes}".encode(), sync=True)

    def changes(self) -> list[dict[str, Any]]:
        """Return what was changed while the run went on; [] for nothing."""
        if not (self.path / "changes.json").is_file():
            return []
        return list(self._record("changes.json").get("changes", []))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from this run; raises ConfigError where one works on it."""
        item = (self.result, None)
        if not Claims().claim(item):
            raise ConfigError(
                f"Another process works on the run in {self.path}.", "Wait for it, or end it."
            )
        try:
            yield
        finally:
            Claims().release(item)

    def data(self) -> dict[str, Any]:
        """Return what the run was begun on, with the findings of the check."""
        return self._record("data.json")

    def same_data(self, data: Mapping[str, Any]) -> None:
        """Raise Refused unless data are those that the run was begun on.

        What a run of an earlier version did not keep of them is not compared.
        """
        before = {name: value for name, value in self.data().items() if name != "findings"}
        now = json.loads(json.dumps(data))
        name = next((key for key in before if before[key] != now.get(key)), None)
        if name is not None:
            raise Refused(
                f"The data are not those that the run in {self.path} was begun on: {name} was "
                f"{before.get(name)}, and is {now.get(name)}.",
                "Put them back, or begin another run.",
            )

    def finished(self) -> dict[str, Any] | None:
        """Return what the run ended with, None before its end."""
        return self._record("result.json") if self.result.is_file() else None

    def environment(self) -> dict[str, Any]:
        """Return what the run stood on when it was begun."""
        return self._record("environment.json")

    def _record(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise InputError(
                f"{self.path / name} cannot be read: {problem}.", "Check the folder of the run."
            ) from problem
        return found

    def write(self, name: str, record: Mapping[str, Any]) -> Path:
        """Write a record as JSON; return its file."""
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        disk.write(self.path / name, f"{text}\n".encode())
        return self.path / name

    def write_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write ``metrics.csv``, a line an epoch."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        disk.write(self.path / "metrics.csv", text.getvalue().encode())


def environment(seed: int) -> dict[str, Any]:
    """Return what a run stands on: versions, system, seed."""
    return {
        "facelign": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "seed": seed,
        **dict(installed(_PACKAGES)),
    }
