"""Where things are: the paths that people write."""

from __future__ import annotations

from pathlib import Path

from facelign.files.home import expanded


def test_a_tilde_is_a_home_wherever_a_shell_left_it(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(tmp_path)
    assert expanded("~/a/b.csv") == expanded(Path("~/a/b.csv")) == home / "a" / "b.csv"
    assert expanded("a/~/b") == Path("a/~/b")
    assert expanded("~nobody-of-that-name/b") == Path("~nobody-of-that-name/b")
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "b").touch()
    assert expanded("~/b") == Path("~/b"), "what is there is meant"
    assert expanded("~/c") == home / "c"
