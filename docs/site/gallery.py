"""Makes the gallery: a page for each script in docs/gallery/, with text, picture and code, and an overview.

The first line of a script's docstring is the title, the second names the kinds of problem that it shows, the rest is
the text. `python docs/site/gallery.py [NAME ...]` runs scripts in full, so that each makes its picture anew.
"""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

FOLDER = Path(__file__).parents[1] / "gallery"
OVERVIEW = """# Gallery

Each of these is one short script, which trains on two CPU cores in seconds to a few minutes and makes the picture
beside it. Copy one that is near to your problem, and change it. {count} problems, by kind: {kinds}.

<div class="gallery" markdown>
"""


class Script(NamedTuple):
    """A script of the gallery, in parts."""

    name: str
    title: str
    kinds: str
    text: str
    code: str


def scripts() -> list[Script]:
    """All scripts by the order of their names."""
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        source = path.read_text()
        title, kinds, *text = (ast.get_docstring(ast.parse(source)) or "").split("\n")
        code = source.split('"""', 2)[2].strip()
        found.append(Script(path.stem, title.rstrip("."), kinds, "\n".join(text).strip(), code))
    return found


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    found = scripts()
    files.append(File.generated(config, "gallery/index.md", content=overview(found)))
    for script in found:
        files.append(File.generated(config, f"gallery/{script.name}.md", content=page(script)))
    return files


def overview(found: list[Script]) -> str:
    """The page with all pictures."""
    kinds = ", ".join(sorted({kind.strip() for script in found for kind in script.kinds.split(",")}))
    cards = [
        f"[![{s.title}]({s.name}.png)]({s.name}.md)\n**[{s.title}]({s.name}.md)**<br>{s.kinds}\n{{.card}}\n"
        for s in found
    ]
    return "\n".join([OVERVIEW.format(count=len(found), kinds=kinds), *cards, "</div>\n"])


def page(script: Script) -> str:
    """The page of one script."""
    return (
        f"# {script.title}\n\n*{script.kinds}*\n\n{script.text}\n\n![{script.title}]({script.name}.png)\n\n"
        f"```python\n{script.code}\n```\n\nThe script: `docs/gallery/{script.name}.py`. [All problems](index.md).\n"
    )


def run(name: str) -> None:
    """Runs a script in full, and makes its picture small: 256 colours are enough for it."""
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    picture = FOLDER / f"{name}.png"
    Image.open(picture).convert("RGB").quantize(256).save(picture, optimize=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or [script.name for script in scripts()]:
        print(name, flush=True)
        run(name)
