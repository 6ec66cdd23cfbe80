"""Lets pages link to files outside of docs/, as they do in the repository: those files become part of the site.

`docs/X` is the page X of the site, any other file of the repository keeps its path. Links to scripts of the gallery
become links to their pages, those to its folder and that of the notebooks to their overviews; one to another folder
becomes text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s#:]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def in_repository(page: str) -> str:
    """The path of a page's source in the repository."""
    return f"docs/{page}" if (ROOT / "docs" / page).exists() or not (ROOT / page).exists() else page


def targets(text: str, source: str) -> list[str]:
    """Files of the repository to which a page links."""
    return [posixpath.normpath(posixpath.join(posixpath.dirname(source), m[2])) for m in LINK.finditer(text)]


def on_files(files: Files, config: Any) -> Files:
    """Adds the files outside of docs/ that pages link to, and those that these link to."""
    known = {file.src_uri for file in files}
    named = [word for word in re.findall(r"[\w/]+\.md", str(config.nav)) if word not in known]
    waiting = named + [path for file in files.documentation_pages() for path in _linked(file)]
    while waiting:
        path = waiting.pop()
        if path in known or path.startswith(("docs/", "..")) or not (ROOT / path).is_file():
            continue
        known.add(path)
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
        if path.endswith(".md"):
            waiting += targets((ROOT / path).read_text(), path)
    return files


def _linked(file: File) -> list[str]:
    return targets(file.content_string, in_repository(file.src_uri))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Writes links relative to the page's place on the site."""
    here, source = posixpath.dirname(page.file.src_uri), in_repository(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        text, link, anchor = match[1], match[2], match[3] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if path in ("docs/gallery", "docs/notebooks"):
            path += "/index.md"
        elif path.startswith("docs/gallery/") and path.endswith(".py"):
            path = path.removesuffix(".py") + ".md"
        elif (ROOT / path).is_dir():
            return f"{text[1:-1]} (`{path}`)"
        return f"{text}({posixpath.relpath(path.removeprefix('docs/'), here or '.')}{anchor})"

    parts, start = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(moved, markdown[start : fence.start()]), fence[0]]
        start = fence.end()
    return "".join([*parts, LINK.sub(moved, markdown[start:])])
