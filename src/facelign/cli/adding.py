"""What ``models add`` does with an ONNX file and a few words: a record is written, and tried.

The trial is made on real faces: photos that the user names, else the portrait that scikit-image
carries and the edit of it that nobody takes for the same person.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facelign.cli.output import note
from facelign.errors import ConfigError, ExtraMissing, WeightsMissing
from facelign.recognition.options import DEFAULT_DETECTOR
from facelign.types.wording import counted

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.store import Store
    from facelign.recognition.readings import Trial
    from facelign.types.image import Image
    from facelign.types.specs import ModelSpec

#: which layout a side of a chip means where none is named, px
_USUAL = {112: "arcface-112", 128: "arcface-112", 150: "dlib-150", 224: "arcface-112"}


@dataclass(frozen=True, slots=True)
class Words:
    """What was said of an ONNX file; "" and None for what was not."""

    task: str
    id: str = ""
    like: str = ""
    layout: str = ""
    color: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    metric: str = ""
    license: str = ""
    commercial: str = ""

    @property
    def open(self) -> frozenset[str]:
        """The ways of feeding a network of which nothing was said: the trial may choose them."""
        said = {"order": self.color, "scale": self.mean or self.std, "layout": self.layout}
        return frozenset(name for name, given in said.items() if not given)


def numbers(text: str | None, flag: str) -> tuple[float, ...]:
    """Return one number or three, as three; none for None. Raises ConfigError."""
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) not in (1, 3):
        raise ConfigError(
            f"{flag} {text} is neither one number nor three.", f"Such as {flag} 127.5."
        )
    return found * (3 // len(found))


def record_of(file: Path, said: Words) -> str:
    """Return the text of the record of an ONNX file.

    What was not said is taken from the file's own shapes, or is the usual. Raises ConfigError.
    """
    from facelign.models import specfile
    from facelign.models.own import shapes

    if said.task != "embed" and not said.like:
        raise ConfigError(
            f"How the network of a model that does {said.task} is read has to be said.",
            "Name a known model that is read alike: --like ID "
            f"(facelign models list --task {said.task}).",
        )
    read, given = shapes(file)
    last = len(read) == 4 and read[3] == 3 and read[1] != 3
    sides = (read[1:3] if last else read[2:4]) if len(read) == 4 else (0, 0)
    size = [sides[1], sides[0]] if all(sides) else []
    model_id = said.id or re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")
    top = {"id": model_id, "like": said.like or "sface", "task": said.task, "weights": file.name}
    fed: dict[str, Any] = {"order": said.color} if said.color else {}
    if said.mean:
        fed["mean"] = list(said.mean)
    if said.std:
        fed["std"] = list(said.std)
    gives: dict[str, Any] = {}
    if said.task == "embed":
        fed = {"order": "rgb", "mean": [0.0] * 3, "std": [1.0] * 3} | fed
        fed["axes"] = "nhwc" if last else "nchw"
        layout = said.layout or _USUAL.get(size[0] if size else 112, "crop")
        gives = {
            "layout": layout,
            "metric": said.metric or "cosine",
            "unit": said.metric in ("", "cosine"),
        }
        if given and given[-1]:
            gives["dim"] = given[-1]
        if size:
            fed["size"] = size
    elif said.layout or said.metric:
        raise ConfigError("--layout and --metric are those of embedders.", "Leave them out.")
    licensed = {"weights": said.license, "commercial": said.commercial}
    return specfile.written(top, input=fed, output=gives, license=licensed)


class Better(Exception):
    """Another way of feeding the network fits better, and nothing was said against it."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial


def refined(said: Words, trial: Trial) -> Words:
    """Return the words with what the trial chose."""
    return dataclasses.replace(
        said,
        color=trial.input.order,
        mean=trial.input.mean,
        std=trial.input.std,
        layout=trial.layout,
    )


@dataclass(frozen=True, slots=True)
class OnFaces:
    """Tries a model of one's own on faces before it is kept.

    folder: photos of the user, or None for the portrait. open: what the trial may choose by itself.
    as_said: keep the record whatever the trial tells. known: how the network is fed is known, as
    that of a run of one's own is; the trial is told in a note then, and refuses nothing.
    """

    registry: Registry
    folder: Path | None = None
    open: Collection[str] = ()
    as_said: bool = False
    known: bool = False

    def __call__(self, spec: ModelSpec, store: Store) -> None:
        """Raise ConfigError when the record is clearly wrong, tell when it is a little."""
        from facelign import models
        from facelign.recognition.readings import tried

        try:
            photos = faces_of(self.folder)
            detector = models.detector(DEFAULT_DETECTOR)
        except (ExtraMissing, WeightsMissing) as problem:
            note(f"{spec.id} was not tried on faces: {problem.message} {problem.hint}")
            return
        verdict = tried(spec, store, photos, detector, self.registry)
        if verdict is None:
            note(
                f"{spec.id} was not tried on faces: its layout goes by other points than the "
                "detector gives, or there are not two people on the photos."
            )
            return
        asked, best = verdict.asked, verdict.best
        on = f"{counted(verdict.faces, 'face')} of {counted(verdict.people, 'person', 'people')}"
        if self.known and not asked.fits:
            note(
                f"{spec.id} does not tell people apart yet: only {asked.nearer:.0%} of {on} are "
                "nearer to their mirror image than to other faces. It is kept; train it on more "
                "people, or for longer."
            )
            return
        if not best.fits and not self.as_said:
            raise ConfigError(
                f"{spec.id} does not tell people apart, however it is fed: {best.nearer:.0%} of "
                f"{on} are nearer to their mirror image than to other faces.",
                "Is it an embedding of faces? With --as-said it is kept all the same.",
            )
        if verdict.agrees:
            note(
                f"{spec.id}: a face mirrored is nearer than other faces ({on}), and none of the "
                "usual colors, scales and layouts fits better."
            )
            return
        wrong = _differences(asked, best)
        if self.known:
            note(
                f"{spec.id} is fed as it was trained; on {on} it would fit better fed otherwise "
                f"({_fields(best, wrong)}), as networks do that have learned little."
            )
            return
        # lengths alone do not choose colors in silence: they point to the wrong ones for some
        # networks (docs/how-to/own-model.md), and then the edits of a face lie farther apart
        doubtful = "order" in wrong and best.gap < asked.gap
        if set(wrong) <= set(self.open) and not doubtful:
            raise Better(best)
        words = " ".join(wrong.values())
        told = (
            f"{spec.id}: {words} fits better than what is said ({on}: edits of one face are nearer "
            f"than other faces by {best.gap:.3f}, as said by {asked.gap:.3f}; vectors are "
            f"{best.length:.2f} long, as said {asked.length:.2f})"
        )
        if verdict.clearly and not self.as_said:
            raise ConfigError(
                f"{told}.", f"Say {words} (of a record: {_fields(best, wrong)}), or --as-said."
            )
        note(f"warning: {told}; it is kept as said.")


def faces_of(folder: Path | None) -> list[tuple[str, Image]]:
    """Return photos, each with who is on it: a folder a person, else somebody else on each.

    Raises ExtraMissing where no folder is named and scikit-image is not here.
    """
    import numpy as np

    from facelign.cli import demo_photos
    from facelign.imaging.listing import people_folders, photos
    from facelign.imaging.read import read_image
    from facelign.recognition.readings import MOST_FACES

    if folder is None:
        both = {"portrait": demo_photos.portrait(), "edited": demo_photos.stranger()}
        return [(who, read_image(np.asarray(one), order="rgb")) for who, one in both.items()]
    if not folder.is_dir():
        raise ConfigError(f"--faces {folder} is no folder.", "Name a folder of photos.")
    people = people_folders(folder).people
    if len(people) > 1:
        each = [(who, files[0]) for who, files in people.items()]
    else:
        each = [(file.name, file) for file in map(Path, photos([folder]).files)]
    step = max(1, len(each) // MOST_FACES)
    return [(who, read_image(file)) for who, file in each[::step]]


def _differences(asked: Trial, best: Trial) -> dict[str, str]:
    """Return the words that say what fits better, by what they are about."""
    found = {}
    if asked.input.order != best.input.order:
        found["order"] = f"--color {best.input.order}"
    if (asked.input.mean, asked.input.std) != (best.input.mean, best.input.std):
        mean, std = (
            ",".join(f"{value:g}" for value in part) for part in (best.input.mean, best.input.std)
        )
        found["scale"] = f"--mean {mean} --std {std}"
    if asked.layout != best.layout:
        found["layout"] = f"--layout {best.layout}"
    if asked.input.axes != best.input.axes:
        found["axes"] = f"axes {best.input.axes}"
    return found


def _fields(best: Trial, wrong: Collection[str]) -> str:
    fed = best.input
    lines = {
        "order": f'[input] order = "{fed.order}"',
        "scale": f"[input] mean = {list(fed.mean)}, std = {list(fed.std)}",
        "layout": f'[output] layout = "{best.layout}"',
        "axes": f'[input] axes = "{fed.axes}"',
    }
    return "; ".join(lines[name] for name in wrong)
