"""Files with the points of a prediction: what can be read is read as meant, anything else answered in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mask_pinns import PROBLEMS
from mask_pinns.datamodules.points_file import PointsFileError, outside, read_points

POINTS = np.array([[0.5, 0.0], [0.25, 1.5]])
"""Points (x, t)."""
GOOD = {
    "plain": "0.5,0.0\n0.25,1.5\n",
    "spaces, comments and blank lines": "# points\n\n 0.5 , 0.0  # the first\n\n0.25,1.5",
    "header": "x,t\n0.5,0.0\n0.25,1.5\n",
    "header in another order": "t, x\n0.0,0.5\n1.5,0.25\n",
    "header in quotes": '"t","x"\r\n0.0,0.5\r\n1.5,0.25\r\n',
    "header of numpy.savetxt": "# t,x\n0.0,0.5\n1.5,0.25\n",
    "mark of a spreadsheet": "\ufefft,x\n0,5e-1\n15e-1,.25\n",
}
BAD = {
    "": "has no points",
    "\n\n \n": "has no points",
    "# nothing\n#\n": "has no points",
    "x,t\n": "has no points",
    "x,y\n1,2\n": "begins with 'x,y'; expected numbers, or a header with x, t in any order",
    "x,x\n1,2\n": "begins with 'x,x'",
    "1,2\n3\n": "line 2: '3'; expected 2 numbers",
    "1,2\n3,4,5\n": "line 2: '3,4,5'; expected 2 numbers",
    "x,t\n1,2\n3,4,5\n": "line 3: '3,4,5'; expected 2 numbers",
    "1,2,\n3,4,\n": "line 1: '1,2,'",
    "1;2\n3;4\n": "has semicolons; expected commas",
    "0,5;1,0\n": "has semicolons; expected commas",
    "1\t2\n": "begins with",
    "1,2\nx,t\n3,y\n": "line 3: '3,y'",
    "1,2+3j\n": "line 1: '1,2+3j'",
    "1,True\n": "line 1: '1,True'",
    "1,nan\n": "has t = nan in point 1 of 1; expected finite numbers",
    "1,2\n1e400,0\n": "has x = inf in point 2 of 2",
    "1,2,3\n": "has shape (1, 3); expected (N, 2): x, t",
    "1_0,2\n": "1_0",
}
ARRAYS: dict[str, Any] = {
    "complex128; expected an array of real numbers": POINTS + 1j,
    "holds bool": POINTS > 0,
    "holds <U3": POINTS.astype("U3"),
    "holds Python objects": POINTS.astype(object),
    "x = nan in point 1": POINTS * np.nan,
    "has t = -inf in point 2": np.array([[0, 0], [0, -np.inf]]),
    "has no points": POINTS[:0],
    "has shape (2,); expected (N, 2): x, t": POINTS[0],
    "has shape (2, 1)": POINTS[:, :1],
    "has shape ()": np.float64(3),
}


def read(path: Path) -> np.ndarray:
    return read_points(str(path), ("x", "t"))


@pytest.mark.parametrize("name", GOOD)
def test_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / "p.csv").write_text(GOOD[name], encoding="utf-8", newline="")
    assert np.array_equal(read(tmp_path / "p.csv"), POINTS)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_arrays(tmp_path: Path, kind: Any) -> None:
    np.save(tmp_path / "p.npy", POINTS.astype(kind))
    assert np.array_equal(read(tmp_path / "p.npy"), POINTS)
    np.save(tmp_path / "p.npy", np.array([[1, 2]]))
    assert read(tmp_path / "p.npy").dtype == np.float64


@pytest.mark.parametrize("text", BAD)
def test_tables_that_are_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text, newline="")
    with pytest.raises(PointsFileError) as error:
        read(tmp_path / "p.csv")
    assert BAD[text] in str(error.value) and "p.csv" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("message", ARRAYS)
def test_arrays_that_are_wrong(tmp_path: Path, message: str) -> None:
    np.save(tmp_path / "p.npy", ARRAYS[message], allow_pickle=True)
    with pytest.raises(PointsFileError) as error:
        read(tmp_path / "p.npy")
    assert message in str(error.value) and "p.npy" in str(error.value) and "\n" not in str(error.value)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe0\x00,\x001\x00")
    (tmp_path / "p.npy").write_text("1,2\n")
    with (tmp_path / "several.npy").open("wb") as file:
        np.savez(file, a=POINTS, b=POINTS)
    for name, message in (("p.csv", "cannot be read"), ("p.npy", "cannot be read"), ("several.npy", "several arrays")):
        with pytest.raises(PointsFileError, match=message):
            read(tmp_path / name)


def test_points_outside_the_domain_are_counted() -> None:
    domain = PROBLEMS["wave"]().domain
    assert outside(POINTS, domain) == "" and outside(np.array([[0.0, 0.0], [1.0, 5.0]]), domain) == ""
    far = np.array([[1.1, 0.0], [0.5, -1.0], [0.5, 1.0]])
    assert outside(far, domain) == "2 of 3 points lie outside x in [0, 1], t in [0, 5], where nothing was trained"


def test_a_prediction_says_so(command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("t,x\n9,0.5\n1,0.5\n")
    words = ["--ckpt_path", str(trained), "--predict_points", str(tmp_path / "p.csv")]
    code, out, err = command("predict", *words, tiny=False)
    assert (code, err) == (0, "") and "1 of 2 points lie outside" in out
    with np.load(trained / "prediction.npz") as file:
        assert np.array_equal(file["points"], [[0.5, 9.0], [0.5, 1.0]])
