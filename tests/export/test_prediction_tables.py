"""Tables of a prediction: every format gives back the same bits, and what cannot be written is one line."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mask_pinns import PROBLEMS
from mask_pinns.export import WRITERS, Prediction, tables, write_table
from mask_pinns.settings import PREDICTED

POINTS = "t,x\n0.1,0.3\n2.0,0.7\n"


def read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return {name: column.to_numpy() for name, column in zip(*_columns(parquet.read_table(path)), strict=True)}
    head, *rows = path.read_text().splitlines()
    numbers = np.array([row.split(",") for row in rows], dtype=float)
    return dict(zip(head.split(","), numbers.T, strict=True))


def _columns(table: Any) -> tuple[list[str], list[Any]]:
    return table.column_names, table.columns


def prediction(n: int, dtype: Any) -> Prediction:
    problem, random = PROBLEMS["kovasznay"](), np.random.default_rng(0)
    further = {"u_x": random.standard_normal(n).astype(dtype) * 1e-30, "P_yy": np.full(n, 1 / 3, dtype)}
    return Prediction(problem, random.random((n, 2)), random.standard_normal((n, 3)).astype(dtype), further)


def test_settings_name_the_formats_that_are_written() -> None:
    assert sorted([*WRITERS, ".vtu"]) == sorted(PREDICTED)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("n", [1, 2 * tables.ROWS + 1])
def test_what_is_read_back_are_the_same_bits(tmp_path: Path, suffix: str, n: int, dtype: Any) -> None:
    given = prediction(n, dtype)
    write_table(given, tmp_path / f"p{suffix}")
    found = read(tmp_path / f"p{suffix}")
    assert list(found) == ["x", "y", "u", "v", "P", "u_x", "P_yy"]
    for name, column in given.columns().items():
        np.testing.assert_array_equal(found[name].astype(column.dtype), column)


def test_numbers_of_a_csv_file_are_as_short_as_they_can_be() -> None:
    file = io.BytesIO()
    values = np.array([[0.1]], np.float32)
    WRITERS[".csv"](Prediction(PROBLEMS["wave"](), np.array([[0.5, 0.1]]), values, {}), file)
    assert file.getvalue() == b"x,t,u\n0.5,0.1,0.1\n"


@pytest.mark.parametrize("name", ["p.npz", "p.csv", "p.parquet", "P.CSV"])
def test_predict_writes_the_format_of_the_name(command: Any, run_a: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "points.csv").write_text(POINTS)
    flags = ["--ckpt_path", str(run_a), "--predict_points", str(tmp_path / "points.csv"), "--predict_derivatives", "tt"]
    code, out, err = command("predict", *flags, "--predict_file", str(tmp_path / name), tiny=False)
    assert (code, err) == (0, "") and f"2 points with u_tt written to {tmp_path / name}" in out
    assert not (run_a / "prediction.npz").exists()
    code, _, err = command("predict", *flags, tiny=False)
    usual = np.load(run_a / "prediction.npz")
    assert (code, err) == (0, "") and usual["points"].tolist() == [[0.3, 0.1], [0.7, 2.0]]
    if name == "p.npz":
        found = np.load(tmp_path / name)
        assert all(np.array_equal(found[key], usual[key]) for key in ("points", "values", "u_tt"))
        return
    columns = read(tmp_path / name)
    assert list(columns) == ["x", "t", "u", "u_tt"]
    np.testing.assert_array_equal(np.stack([columns["x"], columns["t"]], 1), usual["points"])
    np.testing.assert_array_equal(columns["u"], usual["values"][:, 0])
    np.testing.assert_array_equal(columns["u_tt"], usual["u_tt"])


NONSENSE = {
    "p.xlsx": "predict_file is 'p.xlsx', whose end names no format: expected a name that ends in .npz, .csv, .parquet "
    "or .vtu",
    "p": "whose end names no format",
    "nowhere/p.csv": "nowhere/p.csv: there is no folder nowhere; make it, or name another file",
    "p.vtu": "--predict_file p.vtu needs two or three coordinates in space; the problem has x, t",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_cannot_be_written_is_one_line(command: Any, run_a: Path, name: str) -> None:
    code, out, err = command("predict", "--ckpt_path", str(run_a), "--predict_file", name, tiny=False)
    assert (code, out, err.count("\n")) == (2, "", 1) and NONSENSE[name] in err, err


def test_an_unknown_end_is_answered_before_anything_is_computed(
    command: Any, run_a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mask_pinns.cli.run.build", lambda config: pytest.fail("something was computed"))
    code, _, err = command("predict", "--ckpt_path", str(run_a), "--predict_file", "p.xlsx", tiny=False)
    assert code == 2 and "expected a name that ends in" in err


def test_without_pyarrow_one_line_says_what_to_install(
    command: Any, run_a: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, out, err = command("predict", "--ckpt_path", str(run_a), "--predict_file", "p.parquet", tiny=False)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "a .parquet file needs pyarrow" in err and 'pip install "mask-pinns[export]"' in err


def test_a_name_for_paraview_writes_the_solution_in_the_domain(command: Any, tmp_path: Path) -> None:
    meshio = pytest.importorskip("meshio")
    assert command("--problem", "pipes", "--steps", "1", "--name", "a")[0] == 0
    run, file = tmp_path / "runs/a", tmp_path / "here & there.vtu"
    code, out, err = command("predict", "--ckpt_path", str(run), "--predict_file", str(file), "--vtu", tiny=False)
    assert (code, err) == (0, "") and str(file) in out and f"--vtu has no effect: {file} is such a file" in out
    assert not list(run.glob("prediction*")), "the name is the only file that is written"
    data = meshio.read(file).point_data
    assert set(data) == {"u", "u_reference", "u_error"}
    assert command("predict", "--ckpt_path", str(run), "--vtu", tiny=False)[0] == 0
    np.testing.assert_array_equal(meshio.read(run / "prediction.vtu").point_data["u"], data["u"])
