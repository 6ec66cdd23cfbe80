"""Writes study.html: one self-contained page about a study, with its pictures and a table of all trials."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.tuning.figures import pictures
from mask_pinns.tuning.study import Study

FILE = "study.html"


def write_page(study: Study, folder: Path, problem: str) -> Path:
    """Writes the page into the folder of a study, and returns its path.

    Args:
        study: the study.
        folder: its folder.
        problem: title of the problem.
    """
    environment = Environment(
        loader=PackageLoader("mask_pinns.tuning", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    best = study.best
    page = environment.get_template("study.html").render(
        title=f"{problem}: search in {folder.name}",
        folder=folder,
        settings=list(study.space),
        outcomes=study.outcomes,
        best=None if best is None else best.number,
        pictures=pictures(study),
    )
    with whole_file(folder / FILE) as file:
        file.write(page)
    return folder / FILE
