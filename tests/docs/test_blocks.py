"""Every code block of README and docs runs: page by page, block after block, as a reader would.

```bash      run line by line; `# exit N` at the end of a line is the status it must give
```console   `$ ` lines run, what follows them must be printed ("..." stands for anything;
             numbers with a point may differ by TOLERANCE, as scores do between machines)
```python    run in one namespace a page; `>>>` blocks are doctests
```text, ```sh, ```powershell, ```toml   are shown only
"""

from __future__ import annotations

import doctest
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)[^\n]*$")
RUN = {"bash", "console", "python"}
KNOWN = RUN | {"text", "sh", "powershell", "toml", "json", "csv"}
DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
TOLERANCE = 0.05
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
    ]


def runs(page: Path) -> bool:
    return any(block.kind in RUN for block in blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_are_of_a_known_kind(page):
    strange = [block.place for block in blocks(page) if block.kind not in KNOWN]
    assert not strange
    assert page.read_text(encoding="utf-8").count("\n```") % 2 == 0


@pytest.mark.weights
@pytest.mark.parametrize(
    "page", [page for page in PAGES if runs(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_examples_run(page, desk):
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(page):
        if block.kind == "python":
            python(block, names)
        elif block.kind == "bash":
            for command in commands(block.text):
                shell(command, block)
        elif block.kind == "console":
            console(block)


def commands(text: str) -> list[str]:
    """Return the commands of a block; a line that ends in a backslash goes on in the next."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = (line.strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def shell(command: str, block: Block) -> str:
    found = EXIT.search(command)
    wanted = int(found[1]) if found else 0
    bash = shutil.which("bash")
    assert bash, "bash runs the examples of the pages"
    done = subprocess.run(
        [bash, "-c", EXIT.sub("", command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == wanted, (
        f"{block.place}: exit {done.returncode}, wanted {wanted}: {command}\n{done.stdout}"
    )
    assert "Traceback" not in done.stdout
    return done.stdout


def console(block: Block) -> None:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, want = part.partition("\n")
        got = shell(command, block)
        if want.strip():
            assert fits(want, got), f"{block.place}: {command}\nwanted:\n{want}\ngot:\n{got}"


def fits(want: str, got: str) -> bool:
    """Say whether ``got`` is what a page says, but for numbers that differ a little."""
    close = iter(DECIMAL.findall(got))

    def nearest(match: re.Match[str]) -> str:
        number = next((n for n in close if abs(float(n) - float(match[0])) <= TOLERANCE), "")
        return number or match[0]

    return doctest.OutputChecker().check_output(DECIMAL.sub(nearest, want), got, FLAGS)


def test_outputs_fit_but_for_little() -> None:
    said = "same person: score 0.964 (cosine distance 0.036)\n    threshold 0.362: ..."
    told = "same person: score 0.951 (cosine distance 0.049)\n    threshold 0.362: FMR 0.001"
    assert fits(said, told)
    assert not fits(said, told.replace("0.951", "0.851"))
    assert not fits(said, told.replace("same person", "different people"))
    assert not fits("2 photos, 1.00 and 0.50", "3 photos, 1.00 and 0.50")


def python(block: Block, names: dict[str, object]) -> None:
    if block.text.lstrip().startswith(">>>"):
        parsed = doctest.DocTestParser().get_doctest(block.text, names, block.place, None, 0)
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        told: list[str] = []
        runner.run(parsed, out=told.append, clear_globs=False)
        assert not runner.failures, f"{block.place}\n{''.join(told)}"
        names.update(parsed.globs)
        return
    exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)
