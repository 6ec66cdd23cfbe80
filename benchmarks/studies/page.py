"""Stores the results of a study, and writes a page about them: tables, figures, and sentences made from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studies.effects import corrected, effect
from studies.evidence import MAX_SOLVED_ERROR, by_setting, pairs, verdict
from studies.grid import STUDIES, Cell, Study
from studies.pictures import draw
from studies.tables import ERROR, collect, stored


def store(study: Study, cells: Sequence[Cell], out: Path, results: Path) -> None:
    """Writes <study>.csv (a row for each cell), <study>-curves.csv, <study>-pairs.csv and the figures."""
    results.mkdir(parents=True, exist_ok=True)
    table, curves = collect(study, cells, out)
    table.to_csv(results / f"{study.name}.csv", index=False)
    curves.to_csv(results / f"{study.name}-curves.csv", index=False, float_format="%.4g")
    if not (table["state"] == "done").any():
        return
    settings = by_setting(pairs(table, study), study)
    settings.to_csv(results / f"{study.name}-pairs.csv", index=False, float_format="%.4g")
    for name, figure in draw(table, curves, study).items():
        figure.savefig(results / f"{study.name}-{name}.png", dpi=80, bbox_inches="tight")


def chapter(study: Study, results: Path) -> dict[str, Any] | None:
    """The contents of the page for one study; None if nothing of it is stored."""
    table = stored(study, results)
    if table is None:
        return None
    done, compared = table[table["state"] == "done"], pairs(table, study)
    settings = by_setting(compared, study)
    values = settings["value"].unique() if len(settings) else []
    return {
        "study": study, "word": study.name + ("" if study.name in STUDIES else ".yaml"), "cells": len(table),
        "baseline": str(study.compare["baseline"]), "done": len(done), "not_done": not_done(table, study),
        "seeds": sorted(done["seed"].unique(), key=int) if "seed" in done else [],
        "devices": sorted(done["device"].unique()), "torch": sorted(done["torch"].unique()),
        "commits": sorted({str(c)[:9] for c in done["commit"]}), "dtypes": sorted(done["dtype"].unique()),
        "verdicts": [verdict(settings, value) for value in values],
        "effects": [effect(compared, study, value) for value in values],
        "pairs": markdown(settings), "against": worse(settings),
        "unsolved": int((done[ERROR] > MAX_SOLVED_ERROR).sum()), "hours": done["wall_s"].sum() / 3600,
        "correlation": done[["drift", ERROR]].corr("spearman").iloc[0, 1],
        "pictures": sorted(p.name for p in results.glob(f"{study.name}-*.png")),
    }  # fmt: skip


def not_done(table: pd.DataFrame, study: Study) -> list[tuple[str, int, str]]:
    """Cells that failed or are unfinished: (compared value, number, reason); numbers in reasons are not compared."""
    others = table[table["state"] != "done"]
    failures = others["reason"].map(lambda reason: f"failed: {re.sub(r'[0-9]+', 'N', reason)}")
    reasons = (
        others["state"]
        .map({"begun": "begun, not finished", "new": "not begun"})
        .where(others["state"] != "failed", failures)
    )
    counts = Counter(zip(others[study.compared], reasons, strict=True))
    return [(value, count, reason) for (value, reason), count in counts.items()]


def worse(settings: pd.DataFrame) -> list[str]:
    """The settings in which the error is higher than the baseline's, in words, each with its factor."""
    if settings.empty:
        return []
    rows = settings[settings["log_ratio"] > 0]
    words = [" ".join(row) for row in rows.loc[:, :"value"].itertuples(index=False)]
    return [f"{word} ({10**ratio:.2g})" for word, ratio in zip(words, rows["log_ratio"], strict=True)]


def markdown(settings: pd.DataFrame) -> str:
    """The settings as a Markdown table, with factors in place of logarithms."""
    if settings.empty:
        return ""
    shown = settings.assign(factor=10 ** settings["log_ratio"]).drop(columns="log_ratio")
    text = {"error": ".2e", "baseline": ".2e", "spread": ".1f", "factor": ".2g"}
    for name, form in text.items():
        shown[name] = shown[name].map(lambda x, form=form: "" if isnan(x) else format(x, form))
    return shown.to_markdown(index=False, disable_numparse=True)


def write_page(studies: Sequence[Study], results: Path, page: Path) -> None:
    """Writes a page from the results that are stored, study by study. Raises ValueError if there are none."""
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(loader=templates, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
                              keep_trailing_newline=True)  # fmt: skip
    chapters = [content for study in studies if (content := chapter(study, results))]
    if not chapters:
        raise ValueError(f"no results of {', '.join(study.name for study in studies)} are stored in {results}")
    effects = iter(corrected([e for c in chapters for e in c["effects"]]))  # over all tests of the page
    for c in chapters:
        c["effects"] = {e.value: next(effects) for e in c["effects"]}
    tests = sum(e.p == e.p for c in chapters for e in c["effects"].values())
    included = {c["study"].name for c in chapters}
    missing = [study.name for study in studies if study.name not in included]
    folder = results.relative_to(page.parent).as_posix() if results.is_relative_to(page.parent) else results.as_posix()
    text = environment.get_template("RESULTS.md.jinja").render(
        chapters=chapters, missing=missing, folder=folder, solved=MAX_SOLVED_ERROR, tests=tests, whole=len(studies) > 1
    )
    page.write_text(text)


def all_studies() -> list[Study]:
    """The studies in grids/."""
    return [Study.read(path) for path in STUDIES.values()]
