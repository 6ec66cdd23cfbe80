"""Tables of measurements: every form of them, and nonsense in them, which one line answers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from malformed import one_line, tried

from mask_pinns import Box, Data, Problem
from mask_pinns.problems.conditions.tables import folder_of, read_table

ROWS = {"x": [0.1, 0.5, 0.9], "t": [0.0, 0.5, 1.0], "u": [1.0, float("nan"), -2e-3]}
TEXT = "x,t,u\n0.1,0,1\n0.5,0.5,\n0.9,1,-2e-3\n"


class Frame:
    """What a DataFrame has."""

    columns = tuple(ROWS)

    def __getitem__(self, name: str) -> Any:
        return np.array(ROWS[name])


SAME: dict[str, Any] = {
    "mapping": ROWS,
    "None is missing": {**ROWS, "u": [1.0, None, -2e-3]},
    "tensors": {name: torch.tensor(column, dtype=torch.float64) for name, column in ROWS.items()},
    "masked": {**ROWS, "u": np.ma.masked_invalid(ROWS["u"])},
    "structured": np.array(list(zip(*ROWS.values(), strict=True)), dtype=[(name, float) for name in ROWS]),
    "frame": Frame(),
    "csv": TEXT,
    "csv of another system": "\ufeff" + TEXT.replace("\n", "\r\n") + "\r\n",
    "csv by numpy.savetxt": "# " + TEXT,
    "csv with spaces": '"x" , "t", "u"\n 0.1, 0 , 1\n\n0.5,0.5, NaN\n0.9,1, -2e-3',
}


def as_source(given: Any, folder: Path) -> Any:
    """The source itself, or the path of a .csv file with this text."""
    if not isinstance(given, str):
        return given
    (folder / "a.csv").write_text(given, encoding="utf-8")
    return folder / "a.csv"


@pytest.mark.parametrize("form", SAME)
def test_every_form_of_a_table(form: str, tmp_path: Path) -> None:
    table = read_table(as_source(SAME[form], tmp_path), Path(), "owner")
    assert table.names == ("x", "t", "u") and len(table) == 3
    for name, column in ROWS.items():
        np.testing.assert_array_equal(table.column(name), column)


def test_files_of_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", **{name: np.array(column) for name, column in ROWS.items()})
    np.testing.assert_array_equal(read_table("a.npz", tmp_path, "owner").column("t"), ROWS["t"])
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    columns = SimpleNamespace(read_table=lambda path: Frame())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", columns)
    np.testing.assert_array_equal(read_table("a.parquet", tmp_path, "owner").column("u"), ROWS["u"])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r"owner: a.parquet needs pyarrow to be read: pip install pyarrow"):
        read_table("a.parquet", tmp_path, "owner")


def test_relative_paths_start_beside_the_class_that_declares_the_conditions() -> None:
    class Here(Problem):
        conditions = ()

    class There(Here):
        __module__ = "torch"

    assert folder_of(There, "conditions") == folder_of(Here, "conditions") == Path(__file__).parent
    assert folder_of(type("Typed", (), {"__module__": "nowhere", "conditions": ()}), "conditions") == Path()


BROKEN: dict[str, tuple[Any, str]] = {
    "no number": (TEXT.replace("0.9", "0,9"), "a.csv, line 4 has 4 cells; the header has 3 columns"),
    "a word": (TEXT.replace("-2e-3", "cold"), "a.csv, row 3 (line 4), column 'u': 'cold' is no number"),
    "a missing coordinate": (TEXT.replace("0.9", ""), "a.csv, row 3 (line 4), column 'x': this coordinate is missing"),
    "a coordinate that is NaN": (TEXT.replace("0.9", "nan"), "row 3 (line 4), column 'x': this coordinate is missing"),
    "an infinite value": (TEXT.replace("-2e-3", "-inf"), "row 3 (line 4), column 'u' is -inf"),
    "an infinite coordinate": ({**ROWS, "x": [0.1, np.inf, 0.9]}, "its table, row 2, column 'x' is inf"),
    "outside": (TEXT.replace("0.9", "1.1"), "row 3 (line 4), column 'x': x = 1.1 lies outside of the domain's [0, 1]"),
    "later": ({**ROWS, "t": [0.0, 1.0, 1.0 + 1e-6]}, "row 3, column 't': t = 1 lies outside"),
    "no values": (TEXT.replace("0,1\n", "0,\n").replace("-2e-3", "nan"), "column 'u' has no values"),
    "no rows": ("x,t,u\n", "a.csv is empty; expected a row for each measurement"),
    "nothing": ("", "a.csv is empty; expected a header"),
    "no header": (TEXT[6:], "begins with '0.1, 0, 1'; expected a header"),
    "semicolons": (TEXT.replace(",", ";"), "has semicolons; expected commas"),
    "two of a name": (TEXT.replace("x,t,u", "x,t,x"), "has two columns called 'x'"),
    "a column without name": (TEXT.replace("x,t,u", "x,t,"), "column 3 of its header 'x, t, ' has no name"),
    "a column less": (TEXT.replace("x,t,u", "x,y,u"), "a.csv has no column for the coordinate 't'; it has x, y, u"),
    "nothing measured": ({"x": [0.1], "t": [0.1]}, "has no measured quantity; it has x, t"),
    "another column": ({**ROWS, "sensor": ["a", "b", "c"]}, "has a column 'sensor'; known are the coordinates x, t"),
    "another derivative": ({**ROWS, "u_y": [1, 2, 3]}, "has a column 'u_y'; known are"),
    "no derivative": ({**ROWS, "u_": [1, 2, 3]}, "has a column 'u_'; known are"),
    "a high derivative": ({**ROWS, "u_xxxxx": [1, 2, 3]}, "condition 'data': "),
    "unequal lengths": ({**ROWS, "u": [1.0]}, "its table has columns of unequal length: 3 of x, 3 of t, 1 of u"),
    "two dimensions": ({**ROWS, "u": np.ones((3, 1))}, "its table, column 'u' has shape (3, 1)"),
    "one number": ({**ROWS, "u": 1.0}, "its table, column 'u' has shape ()"),
    "texts": ({**ROWS, "u": ["1", "2", "3"]}, "its table, column 'u' holds <U1; expected real numbers"),
    "complex": ({**ROWS, "u": [1j, 2, 3]}, "column 'u' holds complex128"),
    "objects": ({**ROWS, "u": [{}, 2, 3]}, "column 'u' holds object"),
    "ragged": ({**ROWS, "u": [[1], [2, 3]]}, "its table, column 'u' is no array"),
    "a number for a name": ({**ROWS, 3: [1, 2, 3]}, "has a column that is called 3"),
    "no columns": ({}, "its table is empty"),
    "no table": (3, "source is 3; expected a file, or a table"),
    "an array": (np.ones((3, 3)), "expected a file, or a table of named columns"),
    "no file": (Path("none.csv"), "none.csv does not exist: there is no file"),
    "another kind of file": (Path("a.xlsx"), "a.xlsx is no .csv, .npz, .parquet file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_nonsense_is_answered_in_one_line(case: str, tmp_path: Path) -> None:
    given, words = BROKEN[case]
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is checked below)
        tried(conditions=(Data(as_source(given, tmp_path)),))
    line = one_line(error.value)
    assert line.startswith("condition 'data'") and words in line, line


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_damaged_files(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"a{ending}").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(ValueError, match=rf"condition 'data': a{ending} ") as error:
        tried(conditions=(Data(str(tmp_path / f"a{ending}")),))
    one_line(error.value)


NOISE: list[tuple[Any, dict[str, Any], str]] = [
    (0.0, {}, "noise is 0.0; expected a number above 0"),
    (float("nan"), {}, "noise is nan"),
    ([0.1], {}, "noise is [0.1]"),
    ({"u": -1.0}, {}, "noise is -1.0"),
    ({"v": 0.1}, {}, "noise names 'v'; the quantities are u"),
    ("sigma", {}, "has no column for the noise 'sigma'; it has x, t, u"),
    ("sigma", {"sigma": [0.1, 0.1, 0.0]}, "row 3, column 'sigma': the noise of u is 0.0; expected a number above 0"),
    ({"u": "sigma"}, {"sigma": [None, 0.1, 0.1]}, "row 1, column 'sigma': the noise of u is nan"),
    ("sigma", {"sigma": [0.1, np.inf, 0.1]}, "row 2, column 'sigma' is inf"),
]


@pytest.mark.parametrize(("noise", "further", "words"), NOISE, ids=[words for *_, words in NOISE])
def test_noise_that_is_none(noise: Any, further: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is checked below)
        tried(conditions=(Data({**ROWS, **further}, noise=noise),))
    assert words in one_line(error.value) and "condition 'data'" in str(error.value), error.value


OBSERVED: list[tuple[Any, str]] = [
    (3, "observe is 3; expected a function"),
    (lambda p, u: (u, u), "observe gives 2 tensors; the table has the quantities u"),
    (lambda p, u: {"flux": u}, "observe gives 'flux'; the table has the quantities u"),
    (lambda p, u: u[:1], "what observe gives for u has shape (1,); expected (3,)"),
    (lambda p, u: None, "what observe gives for u is a NoneType"),
    (lambda p, u: u.xx, "uses u.xx, which is not declared"),
    (lambda p: p.x, "takes 1 positional argument"),
]


@pytest.mark.parametrize(("observe", "words"), OBSERVED, ids=[words for _, words in OBSERVED])
def test_observations_that_do_not_fit(observe: Any, words: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is checked below)
        tried(conditions=(Data(ROWS, observe=observe),))
    assert words in one_line(error.value), error.value


def test_a_point_at_the_end_of_the_domain_may_be_rounded() -> None:
    Data({**ROWS, "t": [0.0, 0.5, 1.0 + 1e-12]}).check(Box(x=(0.0, 1.0), t=(0.0, 1.0)), ("u",))
