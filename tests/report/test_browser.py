"""A real browser on a finished run: TensorBoard's pages, and the report from disk without a network.

Screenshots go to --screenshots FOLDER, else to the test's own folder. Skipped where there is no Chromium.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import FULLY_RECORDED, TINY, real_pictures

from mask_pinns.callbacks.features.callback import HEATMAP_QUANTITIES, custom_scalars
from mask_pinns.cli.main import main
from mask_pinns.report.page import main as report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no browser: install Debian's chromium")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, masked and not."""
    folder = tmp_path_factory.mktemp("runs")
    flags = [*TINY, *FULLY_RECORDED, "--steps", "12", "--folder", str(folder), "--statistics_every", "3"]
    with pytest.MonkeyPatch.context() as patch:
        real_pictures(patch)
        for name, mask in (("masked", "true"), ("plain", "false")):
            assert main([*flags, "--name", name, "--mask", mask]) == 0
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def board(runs: Path) -> Iterator[str]:
    """TensorBoard's address."""
    words = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs), "--port", "0", "--load_fast", "false"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            yield next(match[1] for line in server.stderr if (match := re.search(r"(http://\S+)", line)))
        finally:
            server.terminate()


@pytest.fixture
def screenshots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = Path(request.config.getoption("--screenshots") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def visit(browser: Any, address: str, width: int = 1400, height: int = 1000) -> Any:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(60_000)
    page.goto(address)
    return page


def picture(page: Any, path: Path) -> None:
    page.screenshot(path=path)
    assert path.read_bytes()[:4] == b"\x89PNG"
    page.close()


def test_all_layers_are_in_one_chart(browser: Any, board: str, screenshots: Path) -> None:
    page = visit(browser, f"{board}#custom_scalars")
    chart = page.locator("tf-custom-scalar-multi-line-chart-card").first
    chart.get_by_text("feature/drift", exact=True).first.wait_for()
    chart.get_by_text(re.compile(r"Matches \(6\)")).wait_for()  # three layers of two runs, once their data has come
    for category in custom_scalars(("tt", "xx")):
        page.locator("tf-category-paginated-view").get_by_text(category, exact=True).wait_for()
    chart.locator("svg path").first.wait_for(state="attached")
    picture(page, screenshots / "overlay.png")


@pytest.mark.parametrize(
    ("tab", "words"),
    [
        ("histograms", ["activation/0_input"]),
        ("distributions", ["activation/0_input"]),
        ("scalars", ["drift/0_input"]),
        ("hparams", ["network.activation"]),
    ],
)
def test_tab_shows_what_was_recorded(browser: Any, board: str, screenshots: Path, tab: str, words: list[str]) -> None:
    page = visit(browser, f"{board}#{tab}")
    for word in words:
        page.get_by_text(word, exact=True).first.wait_for()
    picture(page, screenshots / f"{tab}.png")


def test_pictures_are_shown(browser: Any, board: str, screenshots: Path) -> None:
    page = visit(browser, f"{board}#images", height=1600)
    page.get_by_text(f"layers by steps/{HEATMAP_QUANTITIES[0].replace('/', '_')}").first.wait_for()
    page.locator("tf-image-loader img").first.wait_for()
    page.wait_for_function(
        "() => { const all = (r) => [...r.querySelectorAll('*')].flatMap(e => [e, ...(e.shadowRoot ? all(e.shadowRoot)"
        " : [])]); return all(document).some(e => e.tagName === 'IMG' && e.naturalWidth > 300) }"
    )
    picture(page, screenshots / "images.png")


def test_the_quantities_are_explained(browser: Any, board: str, screenshots: Path) -> None:
    page = visit(browser, f"{board}#text")
    page.get_by_text("1-Wasserstein distance").first.wait_for()
    picture(page, screenshots / "text.png")


def test_the_report_opens_from_disk_without_a_network(browser: Any, runs: Path, screenshots: Path) -> None:
    out = runs / "pair.html"
    assert report([str(runs / "masked"), str(runs / "plain"), "--out", str(out)]) == 0
    page = browser.new_page(viewport={"width": 1200, "height": 2200})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(out.as_uri())
    assert page.title() == "masked and plain: report"
    sizes = page.evaluate("() => [...document.images].map(i => i.complete ? i.naturalWidth : 0)")
    assert len(sizes) >= 10 and min(sizes) > 100, "every picture is in the page and can be drawn"
    assert page.locator(".compared tr").count() == (2 + 3) + (2 + 1)
    assert page.locator("tr.differs").first.inner_text().split()[0] in ("name", "network.mask")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    picture(page, screenshots / "report.png")
