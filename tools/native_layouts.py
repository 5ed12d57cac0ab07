"""What each embedding model gains from its own layout: the table of docs/stages/align.md.

    python tools/native_layouts.py IMAGES [--page docs/stages/align.md] [MODEL ...]

IMAGES is a folder of people; every pair of its photos is compared. Each model is fed chips of its
own layout, and a crop with a margin that knows no points, as toolkits do that have one crop for all
models; both behind the default detector. The rows between the two marks of the page are replaced.
The weights must be on this machine, or in FACELIGN_MIRROR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facelign import models
from facelign.cli import building
from facelign.datasets.folder import read_folder
from facelign.lab.comparison.run import ChainChoice, ComparisonRun, run
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import PairedOptions
from facelign.recognition.options import ChainOptions
from facelign.recognition.recognizer import Recognizer
from facelign.types.specs import EmbedderOutput, Task
from facelign.wire.options import ChainFlags

#: those whose files the writers of this page had
MODELS = ("sface", "mobilefacenet", "mobileface-v2", "dlib-resnet", "faceres")
BEGIN, END = "<!-- made by tools/native_layouts.py -->", "<!-- end -->"
#: share of false matches at which true ones are counted, and draws of people for the intervals
FMR, DRAWS = 1e-3, 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--page", type=Path, default=Path("docs/stages/align.md"))
    parser.add_argument("models", nargs="*", default=MODELS)
    asked = parser.parse_args()
    trials = Trials.all_pairs(read_folder(asked.images)).of_both_kinds()
    rows = ["| model | its own layout | TAR | `crop` | difference |", "|---|---|---|---|---|"]
    for model in asked.models:
        rows.append(row(model, trials))
        print(rows[-1], flush=True)
    before, _, rest = asked.page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n\n" + "\n".join(rows) + f"\n\n{END}{after}"
    asked.page.write_text(text, encoding="utf-8")


def row(model: str, trials: Trials) -> str:
    """Return the row of a model: TAR with each layout, and the difference, with intervals."""
    output = models.default().spec(Task.EMBED, model).output
    assert isinstance(output, EmbedderOutput)
    choices = [ChainChoice("default", "", layout, model) for layout in (output.layout, "crop")]
    found = run(trials, choices, recognizer, PairedOptions(FMR, DRAWS, 1), timed=0)
    own, crop = (told(found, f"{model}, {layout}") for layout in (output.layout, "crop"))
    gap = found.duels[0].difference.figures["tar"]
    sign = -1 if found.duels[0].first == f"{model}, {output.layout}" else 1
    low, high = sorted(100 * sign * end for end in (gap.low, gap.high))
    apart = f"{100 * sign * gap.value:+.1f} points ({low:+.1f} to {high:+.1f})"
    return f"| `{model}` | `{output.layout}` | {own} | {crop} | {apart} |"


def told(found: ComparisonRun, name: str) -> str:
    """Return the TAR of a contender, with its interval."""
    (one,) = (contender for contender in found.contenders if contender.name == name)
    spread = one.result.tar_interval(found.rate)
    assert spread is not None
    return f"{spread.percent.value:.1f} % ({spread.percent.low:.1f} to {spread.percent.high:.1f})"


def recognizer(choice: ChainChoice, cached: bool) -> Recognizer:
    """Return the recognizer of a contender."""
    flags = ChainFlags(
        preset=choice.preset,
        model=choice.model,
        options=ChainOptions(layout=choice.layout),
        workers=1,
    )
    return building.recognizer(flags, cached=cached)


if __name__ == "__main__":
    main()
