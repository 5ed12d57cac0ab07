"""Pages as a browser shows them, on a desk and on a telephone: nothing cut, nothing missing."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageOps

from facelign.cli import demo_photos

from .conftest import Run

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
     if (found := shutil.which(name))), None,
)  # fmt: skip

pytestmark = pytest.mark.weights

#: collects what goes wrong while the page loads; stands before everything else in the page
LISTEN = """<script>
const wrong = [];
addEventListener('error', e => wrong.push(e.message || 'not loaded: ' + e.target.outerHTML), true);
addEventListener('securitypolicyviolation', e => wrong.push('refused: ' + e.blockedURI));
for (const kind of ['error', 'warn']) console[kind] = (...said) => wrong.push(said.join(' '));
</script>"""

#: writes what was seen into the page, which the browser then prints
LOOK = """<script>
addEventListener('load', () => {
  const page = document.documentElement;
  const cut = [...document.body.querySelectorAll('*')]
    .filter(e => getComputedStyle(e).display !== 'inline' && e.clientWidth > 0)
    .filter(e => e.scrollWidth > e.clientWidth + 1)
    .map(e => `${e.tagName} ${e.scrollWidth} > ${e.clientWidth}: ${e.textContent.slice(0, 60)}`);
  const missing = [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt);
  page.dataset.seen = JSON.stringify({
    width: innerWidth, page: page.scrollWidth, cut, missing, wrong, images: document.images.length,
  });
});
</script>"""


@pytest.fixture(scope="module")
def browser() -> str:
    if BROWSER is None:
        if os.environ.get("FACELIGN_REQUIRE_BROWSER", "") not in ("", "0"):
            pytest.fail("FACELIGN_REQUIRE_BROWSER is set, and no Chromium is on the path")
        pytest.skip("no Chromium on the path (Debian: apt-get install chromium)")
    return BROWSER


def seen(browser: str, page: Path, width: int, folder: Path) -> dict[str, Any]:
    """Return what a window of ``width`` px shows of the page."""
    text = page.read_text("utf-8").replace("<head>", "<head>" + LISTEN, 1)
    copy = folder / f"{page.stem}-{width}.html"
    copy.write_text(text.replace("</body>", LOOK + "</body>", 1), "utf-8")
    words = (
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-extensions", "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900",
        "--virtual-time-budget=5000", "--dump-dom", copy.as_uri(),
    )  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told


def whole(browser: str, page: Path, folder: Path) -> None:
    """Assert that nothing of the page is cut or missing, on a desk and on a telephone."""
    for width in (1400, 500):
        told = seen(browser, page, width, folder)
        assert told["width"] == width
        assert told["page"] <= width, f"the page is wider than its window of {width} px"
        assert told["images"] > 3
        assert (told["cut"], told["missing"], told["wrong"]) == ([], [], []), width


@pytest.fixture(scope="module")
def people(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of four photos each, whose names are long."""
    root = tmp_path_factory.mktemp("album") / "people"
    portraits = {"Eileen_Marie_Collins": demo_photos.portrait(), "Someone": demo_photos.stranger()}
    for name, photo in portraits.items():
        folder = root / name
        folder.mkdir(parents=True)
        for number, made in enumerate((
            photo, ImageOps.mirror(photo), ImageEnhance.Brightness(photo).enhance(0.5),
            photo.rotate(10, Pillow.Resampling.BICUBIC),
        )):  # fmt: skip
            made.save(folder / f"{name}_of_a_long_name_{number:04d}.jpg")
    return root


@pytest.mark.parametrize("own", [False, True])
def test_the_demo_is_whole_at_every_width(
    browser: str, facelign: Run, people: Path, tmp_path: Path, *, own: bool
) -> None:
    done = facelign("demo", "--out", tmp_path / "demo", *(("--photos", people) if own else ()))
    assert done.code == 0, done.err
    whole(browser, tmp_path / "demo" / "index.html", tmp_path)


def test_a_report_is_whole_at_every_width(
    browser: str, facelign: Run, people: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    told = ("--images", people, "--all-pairs", "--report", report, "--draws", 100)
    done = facelign("evaluate", "verification", *told)
    assert done.code == 0, done.err
    whole(browser, report, tmp_path)


def test_what_is_cut_is_seen(browser: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    pixel = "data:image/png;base64,"
    page.write_text(
        "<!doctype html><html><head><title>t</title></head><body>"
        "<div style='width:100px;overflow:hidden;white-space:nowrap'>much too long a line of text"
        f"</div><div style='width:900px'>wide</div><img alt='none' src='{pixel}'>"
        "<script>console.error('told')</script></body></html>",
        "utf-8",
    )
    told = seen(browser, page, 500, tmp_path)
    assert told["page"] > 500
    assert [line.split()[0] for line in told["cut"]] == ["DIV"]
    assert told["missing"] == ["none"]
    assert "told" in told["wrong"]
