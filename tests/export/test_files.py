"""Exported files: they run without this package, have all digits, and tell nothing of this machine."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import ROOT
from test_programs import TINY, heat, predictions, stirred

from mask_pinns import Initial, MaskPINN, export_solution
from mask_pinns.export import Export, reading, trial
from mask_pinns.export.functions import IN_FLOAT64

GELU = TINY | {"activation": "gelu"}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process, which has torch already."""

    def run(path: Path, sets: Any) -> list[Any]:
        program = reading.of_onnx(str(path)) if path.suffix == ".onnx" else reading.of_torch(str(path))
        return [program(x.numpy()) for x in sets]

    monkeypatch.setattr(trial, "run", run)


def model_in(dtype: torch.dtype, **options: Any) -> MaskPINN:
    torch.manual_seed(0)
    model = MaskPINN(heat(), GELU, **options)
    model.network.to(dtype)
    return stirred(model)


def read(made: Export, x: torch.Tensor) -> dict[str, np.ndarray]:
    program = (reading.of_onnx if made.path.suffix == ".onnx" else reading.of_torch)(str(made.path))
    return program(x.numpy())


@pytest.mark.parametrize("precision", [32, 64])
@pytest.mark.parametrize("name", ["s.onnx", "s.pt2"])
def test_a_file_has_the_digits_of_the_predictions(tmp_path: Path, here: None, name: str, precision: int) -> None:
    """In float64 with functions that onnxruntime does not have: erf of gelu."""
    dtype = torch.float32 if precision == 32 else torch.float64
    model = model_in(dtype, exact="initial", dimensionless=True)
    made = export_solution(model, tmp_path / name, ("x",))
    assert (made.outputs, made.precision, made.path) == (("u", "u_x"), precision, tmp_path / name)
    assert made.trial.values < 20 * torch.finfo(dtype).eps and made.trial.derivatives < 100 * torch.finfo(dtype).eps
    for n in (1, 33):
        x = torch.rand(n, 2, dtype=dtype)
        for key, column in predictions(model, x, ("x",)).items():
            found = read(made, x)[key]
            assert (found.dtype, found.shape) == (column.dtype, (n,))
            limit = (1e-13, 1e-5)[precision == 32]
            np.testing.assert_allclose(found, column, rtol=limit, atol=limit * np.abs(column).max())


def test_windows_are_written_in_another_precision(tmp_path: Path, here: None) -> None:
    """The model keeps its own."""
    model = model_in(torch.float64, exact="initial", windows=[0.5, 1.0])
    weights = {name: w.clone() for name, w in model.state_dict().items()}
    made = export_solution(model, str(tmp_path / "s.onnx"), (), precision=32)
    assert all(
        torch.equal(w, weights[name]) and w.dtype == weights[name].dtype for name, w in model.state_dict().items()
    )
    x = torch.rand(40, 2)
    np.testing.assert_allclose(read(made, x)["u"], model.predict(x)[:, 0], rtol=1e-5, atol=1e-6)


def test_what_float32_itself_loses_is_no_difference_of_the_file(tmp_path: Path, here: None) -> None:
    """Two large weights that cancel each other, as the phases of a training in float64 leave them."""
    model = MaskPINN(heat(), {"name": "mlp", "width": 2, "blocks": 0, "activation": "sin"})
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.copy_(torch.linspace(1.0, 1.1, weight.numel()).reshape(weight.shape))
        model.network.output.weight.copy_(torch.tensor([[3e4, -3e4]]))
    made = export_solution(model, tmp_path / "s.onnx", ("x",))
    assert made.trial.lost is not None and made.trial.lost[0] > 1e-6 and "float32 itself loses" in str(made.trial)
    model.network.double()
    assert export_solution(model, tmp_path / "s.pt2", ("x",)).trial.lost is None


def test_small_numbers_are_not_taken_for_zero(tmp_path: Path, here: None) -> None:
    """torch's own optimizer of ONNX drops + 1e-9 and * 1.000001."""
    start = Initial(u=lambda p: (torch.sin(p.x) + 1e-9) * 1.000001)
    model = MaskPINN(heat(conditions=(start,)), TINY, exact="all")
    model.network.double()
    assert export_solution(model, tmp_path / "s.onnx").trial.values < 1e-14


@pytest.mark.parametrize("name", ["s.onnx", "s.pt2"])
def test_the_file_says_what_it_is_and_nothing_of_this_machine(tmp_path: Path, here: None, name: str) -> None:
    export_solution(model_in(torch.float32), tmp_path / name)
    if name == "s.pt2":
        with zipfile.ZipFile(tmp_path / name) as archive:
            content = b"".join(archive.read(member) for member in archive.namelist())
            assert archive.read("s/extra/coordinates") == b"x, t"
    else:
        content = (tmp_path / name).read_bytes()
        facts = {p.key: p.value for p in pytest.importorskip("onnx").load(tmp_path / name).metadata_props}
        assert facts["coordinates"] == "x, t" and facts["trained on"] == "x from 0 to 1, t from 0 to 1"
    for path in (str(ROOT), sys.prefix, str(tmp_path), "site-packages", "networks/"):
        assert path.encode() not in content, path


def test_another_process_reads_it_without_this_package(tmp_path: Path) -> None:
    made = export_solution(model_in(torch.float64), tmp_path / "s.onnx", ("x",))
    assert made.trial.values < 1e-14 and "at 512 points and 1 point" in str(made.trial)
    np.savez(tmp_path / "x.npz", some=np.array([[0.5, 0.5]]))
    command = [sys.executable, str(reading.__file__), "s.onnx", "x.npz", "y.npz"]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0
    assert list(np.load(tmp_path / "y.npz")) == ["some u", "some u_x"]
    code = f"import mask_pinns, runpy; runpy.run_path({str(reading.__file__)!r}, {{}}, '__main__')"
    command = [sys.executable, "-c", code, "s.onnx", "x.npz", "y.npz"]
    failed = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert failed.returncode == 1 and "this process has imported mask_pinns" in failed.stderr


def test_a_file_that_differs_is_not_written(tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(IN_FLOAT64, next(iter(IN_FLOAT64)), lambda x: torch.tanh(1.2 * x))  # for erf
    (tmp_path / "s.onnx").write_text("older")
    with pytest.raises(ValueError, match=r"the exported u differs from the prediction by .*: the file is not written"):
        export_solution(model_in(torch.float64), tmp_path / "s.onnx")
    assert (tmp_path / "s.onnx").read_text() == "older" and len(list(tmp_path.iterdir())) == 1


def test_what_onnxruntime_lacks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(IN_FLOAT64, next(iter(IN_FLOAT64)))
    with pytest.raises(ValueError, match=r"cannot be run: .*Erf.*; take --export_precision 32 .* or a \.pt2 file"):
        export_solution(model_in(torch.float64), tmp_path / "s.onnx")


NONSENSE: dict[str, tuple[dict[str, Any], str]] = {
    "end": ({"path": "s.txt"}, r"s\.txt: expected a name that ends in \.onnx or \.pt2"),
    "folder": ({"path": "nowhere/s.pt2"}, "there is no folder nowhere"),
    "derivative": ({"derivatives": ("z",)}, "'z' is no coordinate"),
    "precision": ({"precision": 16}, "precision is 16; expected 32, 64"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_cannot_be_exported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    options, message = NONSENSE[name]
    with pytest.raises(ValueError, match=message):
        export_solution(model_in(torch.float32), **({"path": "s.pt2"} | options))
    assert not list(tmp_path.iterdir())


def test_a_network_that_is_not_made_of_jets_has_values_alone(tmp_path: Path, here: None) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    model = MaskPINN(heat(), network, derivatives="autograd")
    assert export_solution(model, tmp_path / "s.pt2").outputs == ("u",)
    with pytest.raises(ValueError, match="Sequential is not made of layers that act on jets: its deriv"):
        export_solution(model, tmp_path / "s.pt2", ("x",))


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_without_a_package_one_line_says_what_to_install(
    command: Any, run_a: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = command("export", "--ckpt_path", str(run_a), tiny=False)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"an .onnx file needs {package}" in err and 'pip install "mask-pinns[export]"' in err


def test_the_command_writes_into_the_run_folder(command: Any, run_a: Path, here: None) -> None:
    code, out, err = command("export", "--ckpt_path", str(run_a), "--predict_derivatives", "x", tiny=False)
    assert (code, err) == (0, ""), err
    assert f"u, u_x at any points (x, t), in float64, written to {run_a / 'solution.onnx'}" in out
    assert "largest relative difference to the predictions" in out and "at 512 points and 1 point" in out


def test_the_command_takes_a_name_and_a_precision(command: Any, run_a: Path, tmp_path: Path, here: None) -> None:
    flags = ["--export_file", str(tmp_path / "s.pt2"), "--export_precision", "32"]
    code, out, err = command("export", "--ckpt_path", str(run_a), *flags, tiny=False)
    assert (code, err) == (0, "") and "in float32" in out
    assert torch.export.load(tmp_path / "s.pt2").module()(torch.rand(3, 2))["u"].dtype == torch.float32


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--export_file", "s.h5"], "whose end names no format: expected a name that ends in .onnx or .pt2"),
        (["--export_precision", "16"], "export_precision"),
        (["--predict_derivatives", "z"], "'z' is no coordinate"),
    ],
)
def test_flags_of_export_are_answered_in_one_line(command: Any, run_a: Path, flags: list[str], message: str) -> None:
    code, out, err = command("export", "--ckpt_path", str(run_a), *flags, tiny=False)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err
