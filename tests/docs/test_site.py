"""The built site in a real browser, at the width of a phone and of a desk: nothing is too wide, every picture is there.

`make docs` builds it, which checks its links; without it, or without a browser, these tests are skipped.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT

SITE = ROOT / "build/site"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html"))
pytestmark = pytest.mark.skipif(CHROMIUM is None or not PAGES, reason="no browser, or no site: make docs")

SEEN = """() => ({
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
})"""


def sick(browser: Any, width: int) -> list[str]:
    """Pages that are wider than the screen, lack a picture, or load something from elsewhere."""
    page, found, elsewhere = browser.new_page(viewport={"width": width, "height": 800}), [], list[str]()
    page.on("request", lambda request: elsewhere.append(request.url) if request.url.startswith("http") else None)
    for name in PAGES:
        page.goto((SITE / name).as_uri())
        seen = page.evaluate(SEEN)
        if seen["wider"] > 0 or seen["missing"] or elsewhere:
            found.append(f"{name}: {seen}, {elsewhere}")
        elsewhere.clear()
    page.close()
    return found


def test_pages_fit_the_screen_and_have_their_pictures(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in (390, 1280):
            assert sick(browser, width) == []
        browser.close()
