"""Problems by specification: by name, from a file of the user's own, with a reference beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mask_pinns import PROBLEMS, MaskPINN
from mask_pinns.problems.loading import describe, make_problem


@pytest.mark.parametrize("name", PROBLEMS)
def test_specs_make_the_problem_again(name: str) -> None:
    problem = make_problem(name)
    again = make_problem(describe(problem))
    assert type(again) is type(problem)
    assert again.coefficients() == problem.coefficients()


FILE = """
from mask_pinns import Box, Initial, Problem

class Mine(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    conditions = (Initial(u=0.0),)
    rate: float = 1.0

    def residual(self, p, u):
        return u.t + self.rate * u
"""


def test_a_problem_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    problem = make_problem({"name": f"{tmp_path}/mine.py:Mine", "rate": 3})
    assert problem.coefficients() == {"rate": 3.0}
    assert make_problem(describe(problem)).coefficients() == {"rate": 3.0}
    assert make_problem(f"{tmp_path}/mine.py").title == "Mine"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("wav", "unknown problem 'wav'; did you mean 'wave'"),
        ({"name": "wave", "beta": 3}, "coefficient of problem 'wave': 'beta'; known: c|known: c"),
        ({"name": "wave", "c": "fast"}, "coefficient 'c' of Wave is 'fast'; expected a number"),
        ({"name": "wave", "c": float("nan")}, "finite"),
        ({"name": "wave", "c": 10**400}, "coefficient 'c' of Wave"),
        ({"name": "helmholtz", "a": 1.5}, "whole number"),
        ("nowhere.py:Mine", "does not exist"),
    ],
)
def test_specs_that_make_no_problem(spec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_problem(spec)


def test_modules_beside_a_problem_file_are_imported(tmp_path: Path) -> None:
    for k, folder in enumerate((tmp_path / "one", tmp_path / "other")):
        folder.mkdir()
        (folder / "rates_beside.py").write_text(f"from more_beside_{k} import RATE\n")
        (folder / f"more_beside_{k}.py").write_text(f"RATE = {k + 2}.0\n")
        (folder / "mine.py").write_text(FILE.replace("1.0\n\n", "RATE\n\n") + "\nMine.__doc__ = 'Mine.'\n")
        (folder / "mine.py").write_text("from rates_beside import RATE\n" + (folder / "mine.py").read_text())
    path = list(sys.path)
    try:
        assert make_problem(f"{tmp_path}/one/mine.py:Mine").coefficients() == {"rate": 2.0}
        with pytest.raises(ValueError, match="another module rates_beside is imported already"):
            make_problem(f"{tmp_path}/other/mine.py:Mine")
    finally:
        sys.path[:] = path
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/rates_beside.py").symlink_to(tmp_path / "one/rates_beside.py")
    (tmp_path / "linked/mine.py").symlink_to(tmp_path / "one/mine.py")
    try:
        assert make_problem(f"{tmp_path}/linked/mine.py:Mine").coefficients() == {"rate": 2.0}, "the same module"
    finally:
        sys.path[:] = path
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "mine.py").write_text("import torch\n" + FILE)
    for _ in range(2):  # a file that was refused is not half loaded
        with pytest.raises(ValueError, match="another module torch is imported already"):
            make_problem(f"{tmp_path}/mine.py")


def test_problem_files_that_fail_say_so(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(ValueError, match=r"bad.py fails: ZeroDivisionError"):
        make_problem(f"{tmp_path}/bad.py:Mine")
    (tmp_path / "good.py").write_text(FILE)
    with pytest.raises(ValueError, match="did you mean 'Mine'"):
        make_problem(f"{tmp_path}/good.py:Min")


@pytest.mark.parametrize("broken", ["missing", "nan", "shape"])
def test_references_that_do_not_fit_are_refused(tmp_path: Path, broken: str) -> None:
    (tmp_path / "mine.py").write_text(FILE.replace("rate: float", 'reference = "r.npz"\n    rate: float'))
    arrays = {"x": np.linspace(0, 1, 3), "t": np.linspace(0, 1, 4), "u": np.zeros((3, 4))}
    if broken == "nan":
        arrays["u"][1, 1] = np.nan
    if broken == "shape":
        arrays["u"] = np.zeros((4, 3))
    if broken == "missing":
        del arrays["t"]
    np.savez(tmp_path / "r.npz", **arrays)
    message = {"missing": "no array 't'", "nan": "not finite", "shape": "its axes say"}[broken]
    with pytest.raises(ValueError, match=message):
        make_problem(f"{tmp_path}/mine.py:Mine").evaluation()


@pytest.mark.parametrize(
    "line", ["conditions = (Initial(u=self.k),)", "conditions = (Initial(u=lambda p: self.k * p.x),)"]
)
def test_self_where_there_is_none_is_explained(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.py").write_text(
        "from mask_pinns import Box, Initial, Problem\n\nclass Mine(Problem):\n"
        "    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))\n    derivatives = ('t',)\n    k: float = 1.0\n"
        f"    {line}\n\n    def residual(self, p, u):\n        return u.t\n"
    )
    with pytest.raises(ValueError, match=r"NameError.*@property def conditions"):
        MaskPINN(f"{tmp_path}/mine.py:Mine", {"name": "masked", "width": 4}).check()
