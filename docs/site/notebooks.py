"""Makes the pages of the notebooks, which are kept as text in docs/notebooks/, and the .ipynb files to take along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
from mkdocs.structure.files import File, Files

FOLDER = Path(__file__).parents[1] / "notebooks"
OVERVIEW = """# Notebooks

Everything from Python, without files or flags. Each page is a notebook in the order of its cells; its link at the end
gives the `.ipynb` file for Jupyter, which needs `pip install mask-pinns jupyterlab`.

"""


def on_files(files: Files, config: Any) -> Files:
    overview = OVERVIEW
    for path in sorted(FOLDER.glob("*.py")):
        notebook = jupytext.read(path)
        name, text = path.stem, _markdown(notebook)
        overview += f"- [{text.partition(chr(10))[0].removeprefix('# ')}]({name}.md)\n"
        text += f"\n\n[This notebook for Jupyter]({name}.ipynb)\n"
        files.append(File.generated(config, f"notebooks/{name}.md", content=text))
        files.append(File.generated(config, f"notebooks/{name}.ipynb", content=jupytext.writes(notebook, "ipynb")))
    files.append(File.generated(config, "notebooks/index.md", content=overview))
    return files


def _markdown(notebook: Any) -> str:
    """Cells of text as they are, cells of code as blocks."""
    cells = (c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in notebook.cells)
    return "\n\n".join(cells)
