"""Write what ``models show`` says was measured, out of the results of the benchmarks.

    python tools/collect_measured.py

``tests/docs`` fails while the file is not what this script would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facelign.recognition.measured import share

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TARGET = ROOT / "src" / "facelign" / "recognition" / "measured.json"


def collected() -> str:
    """Return the text of the file: by task and id, accuracy and speed."""
    found: dict[str, dict[str, Any]] = {}
    detectors = _result("detectors")
    machine = detectors["machine"]["cpu"]
    for model, figures in detectors["detectors"].items():
        entry = found.setdefault(f"detect {model}", {})
        wider = figures.get("wider", {}).get("recall_from_px", {})
        large = [wider[px] for px in ("24", "40", "80") if px in wider]
        lfw = figures.get("lfw_100")
        entry["accuracy"] = []
        if large:
            entry["accuracy"].append(
                _figure(
                    "recall of faces from 24 px on, photos of groups",
                    sum(group["found"] for group in large),
                    sum(group["faces"] for group in large),
                    "benchmarks/detectors.py, 9 photos of WIDER FACE",
                )
            )
        if lfw:
            entry["accuracy"].append(
                _figure(
                    "photos of one person whose face is found",
                    lfw["center_found"],
                    lfw["photos"],
                    "benchmarks/detectors.py, 100 photos of LFW",
                )
            )
            entry["speed"] = {
                "ms": lfw["ms_median"],
                "what": f"a photo of 250x250 px, one core, {machine}",
            }
    networks = _result("networks")
    for model, times in networks["networks"].items():
        for kind, ending in (("float32", ""), ("int8", "-int8")):
            if " " not in model and kind in times:
                found.setdefault(f"embed {model}{ending}", {})["speed"] = {
                    "ms": times[kind]["ms_median"],
                    "what": f"a face, one core, {networks['machine']['processor']}",
                }
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(found.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _result(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def _figure(what: str, hits: int, of: int, source: str) -> dict[str, object]:
    value, low, high = (round(number, 4) for number in share(hits, of))
    return {"what": what, "value": value, "low": low, "high": high, "units": of, "source": source}


if __name__ == "__main__":
    TARGET.write_text(collected(), encoding="utf-8")
    print(TARGET.relative_to(ROOT))
