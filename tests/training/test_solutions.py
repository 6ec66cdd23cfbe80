"""A trained module from Python: saved, loaded, drawn, gone on with by another optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import QUIET, loads

from mask_pinns import (
    Box,
    Dirichlet,
    Initial,
    MaskPINN,
    NonFiniteLoss,
    Problem,
    load_solution,
    plot_solution,
    recipe_for,
    save_solution,
)

SMALL: dict[str, Any] = {
    "network": {"width": 6, "blocks": 1}, "points": {"pde": 200}, "optimizer": "gauss_newton 2", "sampler": "sobol",
}  # fmt: skip
POINTS = [[0.2, 0.1], [0.7, 4.9]]
FIT = {key: value for key, value in QUIET.items() if key != "val_check_interval"}


class Rod(Problem):
    """u_t = u_xx, which no file declares."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 5.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(torch.pi * p.x)), Dirichlet("x", u=0.0))

    def residual(self, p: Any, u: Any) -> Any:
        return u.t - u.xx


CASES = {
    "plain": ("wave", {}),
    "tangent": ("wave", {"optimizer": "gauss_newton 2, tangent 1"}),
    "windows": ("wave", {"windows": [2.0]}),
    "own": (Rod(), {}),
}


def trained(case: str, seed: int = 0) -> MaskPINN:
    problem, changes = CASES[case]
    return recipe_for(problem, seed=seed, **(SMALL | changes)).fit(**FIT)


@pytest.mark.parametrize("case", CASES)
def test_a_saved_solution_is_the_same_in_another_process(case: str, tmp_path: Path) -> None:
    model = trained(case)
    path = save_solution(model, tmp_path / "deep" / "a.ckpt")
    loads(path)  # plain values and tensors only
    again = load_solution(path, problem=Rod() if case == "own" else None)
    assert np.array_equal(model.predict(POINTS), again.predict(POINTS))
    columns, same = model.derivatives(POINTS, "x", "tt"), again.derivatives(POINTS, "x", "tt")
    assert list(columns) == ["u_x", "u_tt"] and all(np.array_equal(columns[k], same[k]) for k in columns)


def test_derivatives_are_those_of_the_predictions() -> None:
    model, h = trained("plain"), 1e-4
    shifted = [model.predict([[0.3 + k * h, 1.0]])[0, 0] for k in (-1, 0, 1)]
    found = {name: column[0] for name, column in model.derivatives([[0.3, 1.0]], "x", "xx").items()}
    assert found["u_x"] == pytest.approx((shifted[2] - shifted[0]) / (2 * h), rel=1e-4)
    assert found["u_xx"] == pytest.approx((shifted[2] - 2 * shifted[1] + shifted[0]) / h**2, rel=1e-3)


def test_the_solution_of_a_run_is_that_of_its_best_checkpoint(run_a: Path) -> None:
    best = load_solution(run_a / "checkpoints" / "best.ckpt")
    assert np.array_equal(load_solution(run_a).predict(POINTS), best.predict(POINTS))


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    path = save_solution(trained("own"), tmp_path / "rod.ckpt")
    with pytest.raises(ValueError, match="knows its problem by no name"):
        load_solution(path)
    with pytest.raises(ValueError, match="is of another"):
        load_solution(path, problem="convection")
    (tmp_path / "cut.ckpt").write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="cannot be read"):
        load_solution(tmp_path / "cut.ckpt", problem=Rod())
    with pytest.raises(ValueError, match="No such file"):
        load_solution(tmp_path / "none.ckpt")


def test_what_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    model = trained("plain")
    with torch.no_grad():
        next(model.network.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteLoss):
        save_solution(model, tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


def test_another_optimizer_goes_on_from_a_trained_module() -> None:
    first = trained("plain")
    recipe = recipe_for("wave", seed=3, **(SMALL | {"optimizer": "adam 1", "lr": 1e-12}))
    second = recipe.fit(start=first, **FIT)
    assert second is not first
    assert np.allclose(second.predict(POINTS), first.predict(POINTS), rtol=1e-6)
    assert not np.allclose(trained("plain", seed=3).predict(POINTS), first.predict(POINTS), rtol=1e-6)


def test_a_start_that_does_not_fit_is_refused() -> None:
    first = trained("plain")
    with pytest.raises(ValueError, match="start has another network"):
        recipe_for("wave", **(SMALL | {"network": {"width": 7, "blocks": 1}})).fit(start=first, **FIT)
    with pytest.raises(ValueError, match="leave start or windows out"):
        recipe_for("wave", **(SMALL | {"windows": [2.0]})).fit(start=first, **FIT)
    with pytest.raises(ValueError, match="start is a run in time windows"):
        recipe_for("wave", **SMALL).fit(start=trained("windows"), **FIT)


def test_a_picture_is_written(tmp_path: Path) -> None:
    figure = plot_solution(trained("plain"), tmp_path / "pictures" / "wave.png")
    assert (tmp_path / "pictures" / "wave.png").stat().st_size > 10_000
    assert len(figure.axes) >= 3
