"""Without the extra, training says the command that brings it; settings and errors do without."""

from __future__ import annotations

import sys

from facelign.cli.app import run
from facelign.train import landmarks
from facelign.train.config import written
from facelign.train.landmarks.config import started


def test_without_pytorch_the_command_is_said(tmp_path, monkeypatch, capfd):
    assert landmarks.__doc__
    file = tmp_path / "c.toml"
    file.write_text(written(started("/photos.csv")), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("facelign.train.find_spec", lambda name: None)
    arguments = ["train", "landmarks", str(file), "--out", str(tmp_path / "run")]
    assert run(arguments) == 4
    assert "pip install 'facelign[train]'" in capfd.readouterr().err
    assert run([*arguments, "--set=epochs=0"]) == 2
    assert "epochs" in capfd.readouterr().err
