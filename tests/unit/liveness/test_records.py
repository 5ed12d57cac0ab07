"""Thresholds of liveness as files: what is written is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.liveness.records import LiveCalibration, SpeciesRate, from_json, load, to_json

RECORD = LiveCalibration(
    id="door", model="minifasnet", detector="yunet", set="door", digest="00", date="2026-11-28",
    target=0.05, threshold=0.62, subjects=12, devices=2, not_checked=3,
    bona_fide=SpeciesRate("bona fide", 240, 12, 0.026, 0.086),
    attacks=(
        SpeciesRate("print", 240, 12, 0.026, 0.086), SpeciesRate("screen", 240, 0, 0.0, 0.015),
    ),
    held_out=0.06,
)  # fmt: skip


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "door.json"
    path.write_text(to_json(RECORD), encoding="utf-8")
    assert load(path) == RECORD
    assert RECORD.worst.species == "print"
    assert "APCER 5.0 % (print, at most 8.6 %), BPCER 5.0 %" in RECORD.source


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "something"}, "another kind"),
        ({"version": 2}, "version is 2"),
        ({"threshold": "0.5"}, "threshold is no finite number"),
        ({"threshold": 1.5}, "cannot be meant"),
        ({"threshold": True}, "threshold is no finite number"),
        ({"attacks": []}, "cannot be meant"),
        ({"subjects": 0}, "cannot be meant"),
        ({"bona_fide": {"species": "bona fide"}}, "'presentations' is lacking"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, change: dict[str, object], why: str) -> None:
    path = tmp_path / "door.json"
    path.write_text(json.dumps(json.loads(to_json(RECORD)) | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        load(path)


@given(st.data())
def test_a_changed_file_is_refused_or_a_record_all_the_same(data: st.DataObject) -> None:
    text = bytearray(to_json(RECORD).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        found = from_json(bytes(text))
    except ConfigError:
        return
    assert 0 <= found.threshold <= 1
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"kind": NaN}'])
def test_bytes_that_are_no_record_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "door.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no threshold of liveness"):
        load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.json")
