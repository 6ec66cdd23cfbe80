"""The PINNacle board: every row has its recipe, which fits its problem; results become a page."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from mask_pinns import MaskPINN
from mask_pinns.problems.loading import make_problem

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "pinnacle")]

import board  # noqa: E402
from rows import ROWS  # noqa: E402

OWN = sorted((ROOT / "benchmarks" / "pinnacle" / "recipes").glob("*.yaml"))
RUN = {"seed": 0, "error": 1e-3, "rel_l2": 1e-3, "parameters": 7, "wall_s": 5.0, "s_per_step": 1.0, "curve": [[1, 0.5]],
       "device": "cpu, 1 threads"}  # fmt: skip


def lines_of_code(path: Path) -> int:
    """Lines that are neither empty nor part of a docstring."""
    text = path.read_text()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    told = [n.body[0] for n in ast.walk(ast.parse(text)) if isinstance(n, documented) and ast.get_docstring(n)]
    docstrings = {i for d in told for i in range(d.lineno, (d.end_lineno or d.lineno) + 1)}
    return sum(bool(line.strip()) and i not in docstrings for i, line in enumerate(text.splitlines(), 1))


def test_every_row_has_a_recipe() -> None:
    assert len(ROWS) == 22
    assert {row.recipe for row in ROWS.values()} >= {path.stem for path in OWN}
    assert [name for name, row in ROWS.items() if not row.path.is_file()] == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_problems_are_short_and_have_a_solution(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = yaml.safe_load(path.read_text())["problem"]
    problem = make_problem(source)
    assert lines_of_code(ROOT / source.partition(":")[0]) <= 30, "a problem as a user would write it"
    values = problem.evaluation().values
    assert values is not None and bool(values.isfinite().any())


def test_errors_count_the_compared_fields_jointly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = MaskPINN("pipes", {"name": "masked", "width": 4, "blocks": 1})
    monkeypatch.setattr(board.MaskPINN, "load_from_checkpoint", lambda path: module)
    grid = module.problem.evaluation()
    np.savez(tmp_path / "poisson_classic.npz", x=grid.points[:, 0], y=grid.points[:, 1], u=grid.values[:, 0])
    found = board.errors(ROWS["Poisson2d-C"], tmp_path, tmp_path)
    truth = grid.values.numpy()
    assert found["error"] == pytest.approx(np.linalg.norm(module.predict(grid.points) - truth) / np.linalg.norm(truth))
    assert found["against_others"] == pytest.approx(found["error"])


def test_stored_runs_are_not_run_again_and_become_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, int, str]] = []

    def run(row, seed, variant, data):
        done.append((row.recipe, seed, variant))
        return RUN | {"seed": seed}

    monkeypatch.setattr(board, "run", run)
    out = tmp_path / "pinnacle.json"
    out.write_text(json.dumps({"PNd": {"mask": [RUN]}}))
    board.main(["--only", "PNd", "--seeds", "0", "1", "--variants", "mask", "--out", str(out)])
    assert done == [("poisson_nd", 1, "mask")]
    assert [r["seed"] for r in json.loads(out.read_text())["PNd"]["mask"]] == [0, 1]
    page = out.with_suffix(".md").read_text()
    assert "| PNd | 1.0e-03 (1.0e-03) | 4.7e-04 | 0.47 |" in page and "| HInv | not run |" in page
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
