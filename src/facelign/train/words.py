"""Figures of a run for people: what each is called, in its unit, an interval behind its figure.

Programs read the same figures by their keys (``--json``, ``metrics.csv``, ``result.json``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from facelign.lab.statistics.rates import percent

#: key -> name and format of its value
_NAMED: Mapping[str, tuple[str, str]] = {
    "epoch": ("epoch", ".0f"),
    "loss": ("loss", ".5g"),
    "points": ("of points", ".5g"),
    "maps": ("of maps", ".5g"),
    "active": ("triplets that teach", ".0%"),
    "to_teacher": ("distance to the teacher", ".5g"),
    "relation": ("distance of relations", ".5g"),
    "lr": ("learning rate", ".3g"),
    "seconds": ("seconds", ",.1f"),
    "images_per_second": ("images a second", ",.1f"),
    "waiting": ("of the time waiting for data", ".0%"),
    "memory_mb": ("memory in MB", ",.0f"),
    "gpu_memory_mb": ("memory of the GPU in MB", ",.0f"),
    "cost": ("cost", ".4g"),
    "nme": ("mean error (NME)", ".2%"),
    "auc_0.08": ("area up to an error of 8 %", ".3f"),
    "fr_0.08": ("faces with an error above 8 %", ".1%"),
    "faces": ("faces", ",.0f"),
    "people": ("people", ",.0f"),
    "missed_by_detector": ("missed by the detector", ",.0f"),
    "mirror_limit": ("mirror error that 5 % of the validation faces exceed", ".2%"),
    "unlike": ("test faces beyond it", ".0%"),
    "auc": ("AUC", ".4f"),
    "eer": ("EER", ".2%"),
    "accuracy": ("accuracy", ".2%"),
    "pairs": ("pairs", ",.0f"),
    "failed_pairs": ("pairs without a face", ",.0f"),
    "gain_p": ("chance of such a gain without one (p)", ".3g"),
    # data
    "name": ("set", ""),
    "subjects": ("people", ",.0f"),
    "source": ("source", ""),
    "sha256": ("SHA-256 of the table", ""),
    "photos_sha256": ("SHA-256 of all photos", ""),
    "digest": ("SHA-256 of all photos", ""),
    "absent": ("photos not to be read", ",.0f"),
    "labels_outside": ("labels outside of their photo", ",.0f"),
    "kept_together": ("kept together", ""),
    "train": ("faces that train", ",.0f"),
    "validation": ("faces that validate", ",.0f"),
    "test": ("faces that test", ",.0f"),
    # a plan
    "kind": ("model", ""),
    "parameters": ("parameters", ",.0f"),
    "learning": ("of them learn", ",.0f"),
    "weights_mb": ("weights in MB", ",.2f"),
    "steps_per_epoch": ("steps of an epoch", ",.0f"),
    "epochs": ("epochs", ",.0f"),
    "steps": ("steps", ",.0f"),
    "seconds_per_epoch": ("seconds of an epoch", ",.1f"),
    "hours": ("hours", ",.2f"),
}
#: what a key may begin with -> what is said before the name of the rest
_BEFORE: Mapping[str, str] = {
    "val_": "validation ",
    "test_": "test ",
    "before_": "before: ",
    "untrained_": "untrained: ",
    "gain_": "gain in ",
    "nme_": "mean error on ",
    "nme by yaw ": "mean error with the nose aside ",
    "unlike_": "beyond it of ",
    "tar_at_fmr_": "TAR at FMR ",
}
#: those whose rest is a name that somebody gave, and how their values are written
_OPEN: Mapping[str, str] = {
    "nme_": ".2%",
    "nme by yaw ": ".2%",
    "unlike_": ".0%",
    "tar_at_fmr_": ".2%",
}
#: what a set of pairs is for, where the same key counts the faces of other models
_SETS: Mapping[str, str] = {"test": "tested on", "validation": "validated on"}
#: what models do, in words
KINDS: Mapping[str, str] = {
    "landmarks": "places landmarks",
    "recognizer": "turns faces into vectors",
}


def rows(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each figure; the ends of an interval stand behind their figure.

    >>> list(rows({"loss": 0.25, "nme": 0.05, "nme_low": 0.04, "nme_high": 0.06}))
    [('loss', '0.25'), ('mean error (NME)', '5.00 % (95 %: 4.00 % to 6.00 %)')]
    >>> list(rows({"unlike_muct": 0.25, "unlike_muct_low": 0.2, "before_auc": 0.9}))
    [('beyond it of muct', '25 % (95 %: 20 % or more)'), ('before: AUC', '0.9000')]
    """
    for key, value in values.items():
        stem, _, end = key.rpartition("_")
        if end == "high" and f"{stem}_low" in values and stem in values:
            continue
        if end == "low" and stem in values:
            continue
        name, form = _name(key)
        if isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys():
            yield name, _interval(value["value"], value["low"], value["high"], form)
        elif f"{key}_low" in values and f"{key}_high" in values:
            yield name, _interval(value, values[f"{key}_low"], values[f"{key}_high"], form)
        elif f"{key}_low" in values:
            least = _text(max(values[f"{key}_low"], 0.0), form)
            yield name, f"{_text(value, form)} (95 %: {least} or more)"
        elif isinstance(value, Mapping):
            yield _SETS.get(key, name), sentence(value) or "nothing"
        else:
            yield name, _text(value, form)


def sentence(values: Mapping[str, Any]) -> str:
    """Return figures in one line.

    >>> sentence({"val_loss": 0.25, "memory_mb": 1234.4, "waiting": 0.07})
    'validation loss 0.25, memory in MB 1,234, of the time waiting for data 7 %'
    """
    return ", ".join(" ".join(pair) for pair in rows(values))


def _name(key: str) -> tuple[str, str]:
    """Return what a key is called, and the format of its value."""
    if key in _NAMED:
        return _NAMED[key]
    for before, words in _BEFORE.items():
        rest = key.removeprefix(before)
        if rest != key:
            if before in _OPEN:
                return words + rest, _OPEN[before]
            name, form = _name(rest)
            return words + name, form
    return key.replace("non_", "non-").replace("_", " "), ".5g"


def _interval(value: float, low: float, high: float, form: str) -> str:
    if low == high:
        return f"{_text(value, form)} (too few for an interval)"
    return f"{_text(value, form)} (95 %: {_text(low, form)} to {_text(high, form)})"


def _text(value: Any, form: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if form.endswith("%"):
        return percent(value, int(form[1:-1]))
    return f"{value:{',d' if isinstance(value, int) else form}}"
