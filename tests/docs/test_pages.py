"""Every block of code on the site's pages and in the README is run, in the order of its page, at small size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import small
from helpers import ROOT, TINY
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

import mask_pinns
from mask_pinns.cli.main import main

PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "bash", "text", "math", "csv"}


def python(example: Example) -> None:
    """Runs a block; one that begins with the name of a file is saved under this name, too."""
    code = str(example.parsed)
    if name := re.match(r"# ([\w/]+\.py)\n", code):
        Path(name[1]).write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        small.small_python(patch)
        exec(compile("\n" * example.line + code, str(example.path), "exec"), example.namespace)


def shell(example: Example) -> None:
    small.run_shell(str(example.parsed))


SYBIL = Sybil(parsers=[CodeBlockParser("python", python), CodeBlockParser("bash", shell)])


def documents() -> list[Any]:
    parsed = {str(path.relative_to(ROOT)): SYBIL.parse(path) for path in PAGES}
    return [pytest.param(document, id=page) for page, document in parsed.items() if list(document.examples())]


@pytest.fixture(scope="module")
def tiny_wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert main([*TINY, "--steps", "2", "--name", "wave-1", "--folder", str(folder)]) == 0
    return folder / "wave-1"


@pytest.mark.parametrize("document", documents())
def test_the_code_of_a_page_runs(
    document: Document, tmp_path: Path, tiny_wave: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    matplotlib.use("agg")
    small.lay_out(tmp_path, tiny_wave)
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_says_its_language(path: Path) -> None:
    """So that none is left out of what is run."""
    fences = re.findall(r"^```(\S*)", path.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= LANGUAGES and set(fences[1::2]) <= {""}


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs/reference/python.md").read_text()
    assert sorted(re.findall(r"^::: mask_pinns\.(\w+)$", text, re.MULTILINE)) == sorted(
        name for name in mask_pinns.__all__ if name != "__version__"
    )
