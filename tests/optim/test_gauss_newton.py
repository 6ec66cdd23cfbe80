"""Gauss-Newton against formulas written out: steps, corrections, forms of the linear system, memory."""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from helpers import small_network
from torch import Tensor, nn

from mask_pinns import Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.residual_squares import ResidualSquares
from mask_pinns.optim.gauss_newton import GaussNewton, _TrialParameters
from mask_pinns.optim.linear_solvers import MatrixFree, ParameterSpace, SampleSpace, choose_linear_solver
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")


class Curve:
    """Least squares by hand: fit a exp(b x) + c to data; three parameters or, with `wide`, more than residuals."""

    def __init__(self, parameters: list[nn.Parameter], x: Tensor, y: Tensor, blocks: int = 2) -> None:
        self.parameters, self.x, self.y, self.pieces = parameters, x, y, blocks
        self.rows, self.shared = len(x), False

    def at(self, x: Tensor, y: Tensor, p: Tensor) -> Tensor:
        a, b, c, *rest = p
        return a * torch.exp(b * x) + c + sum(r * x**k for k, r in enumerate(rest, 2)) - y

    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters])

    def residuals(self) -> tuple[Tensor, Tensor]:
        v = self.at(self.x, self.y, self.flat())
        return v, v @ v

    def blocks(self) -> Any:
        for x, y in zip(self.x.chunk(self.pieces), self.y.chunk(self.pieces), strict=True):
            f = lambda p, x=x, y=y: self.at(x, y, p)  # noqa: E731
            yield f(self.flat()), torch.func.jacrev(f)(self.flat())

    def total(self, x: Tensor) -> Tensor:
        return x


class Valley(Curve):
    """Rosenbrock's function as a sum of squares."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__(parameters, torch.zeros(2), torch.zeros(2), blocks=1)

    def at(self, x: Tensor, y: Tensor, p: Tensor) -> Tensor:
        return torch.stack([10 * (p[1] - p[0] ** 2), 1 - p[0]])


def curve(n: int = 40, size: int = 3) -> Curve:
    x = torch.linspace(0, 1, n)
    parameters = [nn.Parameter(torch.tensor([1.0, 0.5])), nn.Parameter(torch.zeros(size - 2))]
    return Curve(parameters, x, 2.0 * torch.exp(-1.5 * x) + 0.3)


@pytest.mark.parametrize("damping", [1e-6, 1e-2, 10.0])
@pytest.mark.parametrize(
    ("form", "size"), [(ParameterSpace, 3), (ParameterSpace, 6), (SampleSpace, 3), (SampleSpace, 6), (MatrixFree, 3)]
)
def test_every_form_takes_the_damped_step(form: Any, size: int, damping: float) -> None:
    problem = curve(5 if size == 6 else 40, size)
    v, j = (torch.cat(parts) for parts in zip(*problem.blocks(), strict=True))
    expected = torch.linalg.solve(j.T @ j + damping * torch.eye(size), -j.T @ v)
    solver = form(problem)
    exact = form is not MatrixFree
    step = solver.step(damping)
    tolerance = 1e-7 if exact else 2e-2
    assert torch.linalg.norm(step - expected) <= tolerance * torch.linalg.norm(expected)
    predicted = (v @ v) - (v + j @ step).square().sum()
    torch.testing.assert_close(solver.predicted(step), predicted, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(torch.tensor(solver.scale), (j.T @ j).diagonal().mean())
    torch.testing.assert_close(solver.loss, v @ v)


@pytest.mark.parametrize(("form", "size"), [(ParameterSpace, 3), (SampleSpace, 6), (MatrixFree, 3)])
def test_the_answer_to_another_right_side(form: Any, size: int) -> None:
    problem = curve(5 if size == 6 else 40, size)
    _, j = (torch.cat(parts) for parts in zip(*problem.blocks(), strict=True))
    w = torch.linspace(-1, 2, len(j))
    solved = form(problem)
    solved.step(1e-2)
    left = (j.T @ j + 1e-2 * torch.eye(size)) @ solved.solve_rhs(w, 1e-2) + j.T @ w
    assert torch.linalg.norm(left) <= (1e-2 if form is MatrixFree else 1e-9) * torch.linalg.norm(j.T @ w)


def test_corrections_bring_a_long_step_back_into_the_valley() -> None:
    """Rosenbrock's; each correction is what the formula says."""
    valley = Valley([nn.Parameter(torch.tensor([-1.2, 1.0]))])
    form, optimizer = ParameterSpace(valley), GaussNewton(valley.parameters, corrections=5)
    trial, step = _TrialParameters(valley.parameters, valley), form.step(0.3)
    prediction = form.v + form.jvp(step)
    corrected = list(optimizer._corrected(form, trial, step, prediction, 0.3))
    losses = [float(loss) for loss, _ in corrected]
    assert losses[0] > float(form.loss) > 1.2 * losses[-1], "the linear step would be worse than no step"
    _, j = (torch.cat(parts) for parts in zip(*valley_at(trial.before[0]).blocks(), strict=True))
    moved = valley_at(trial.before[0] + step).residuals()[0]
    expected = step - torch.linalg.solve(j.T @ j + 0.3 * torch.eye(2), j.T @ (moved - prediction))
    torch.testing.assert_close(corrected[1][1], expected)


def valley_at(x: Tensor) -> Valley:
    return Valley([nn.Parameter(x.detach().clone())])


@pytest.mark.parametrize("chunk", [5, 1000])
def test_residuals_and_products_are_in_the_order_of_the_blocks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("wave")
    jacobian = Jacobian(Objective(problem), small_network("masked", 2, 1), chunk)
    points = PointsDataModule(problem, points=11).draw(0)
    squares = ResidualSquares(jacobian, points)
    v, j = (torch.cat(parts) for parts in zip(*squares.blocks(), strict=True))
    torch.testing.assert_close(squares.residuals(), (v, v @ v))
    w, s = torch.linspace(-1, 2, len(v)), torch.linspace(-2, 1, j.shape[1])
    for stored in (2**27, j.shape[1] * 12):
        monkeypatch.setattr("mask_pinns.optim.linear_solvers.MAX_STORED_ENTRIES", stored)
        for form in (ParameterSpace(squares), MatrixFree(squares), SampleSpace(squares)):
            torch.testing.assert_close(form.v, v)
            torch.testing.assert_close(form.jvp(s), j @ s, rtol=1e-9, atol=1e-9)
            if not isinstance(form, SampleSpace):
                torch.testing.assert_close(form.vjp(w), j.T @ w, rtol=1e-9, atol=1e-9)


def test_corrections_follow_a_bent_valley_in_fewer_steps() -> None:
    """Rosenbrock's valley, v = (10 (y - x^2), 1 - x), and none where it is turned off."""

    def steps(**options: float) -> int:
        valley = Valley([nn.Parameter(torch.tensor([-1.2, 1.0]))])
        optimizer = GaussNewton(valley.parameters, **options)
        return next(n for n in range(200) if float(optimizer.step(lambda: valley)) < 1e-20)

    assert steps() <= 0.75 * steps(corrections=0)


def test_it_converges_quadratically_on_a_fit_without_residual() -> None:
    problem = curve()
    optimizer = GaussNewton(problem.parameters)
    losses = [float(optimizer.step(lambda: problem)) for _ in range(14)]
    assert losses[-1] < 1e-24
    assert all(b <= a for a, b in pairwise(losses)), "no step makes it worse"
    torch.testing.assert_close(problem.flat(), torch.tensor([2.0, -1.5, 0.3]), rtol=1e-9, atol=1e-9)


def test_a_step_that_fails_leaves_the_parameters_and_raises_the_damping() -> None:
    problem = curve()
    optimizer = GaussNewton(problem.parameters, tries=3)
    optimizer.step(lambda: problem)
    before, damping = problem.flat(), optimizer.state[problem.parameters[0]]["damping"]
    problem.residuals = lambda: (torch.zeros(40), torch.tensor(float("nan")))  # type: ignore[method-assign]
    optimizer.step(lambda: problem)
    assert torch.equal(problem.flat(), before)
    assert optimizer.state[problem.parameters[0]]["damping"] == pytest.approx(damping / 10 * 27)


@pytest.mark.parametrize(
    "options", [{"damping": 0.0}, {"ratio": 1.0}, {"shrink": 0.5}, {"grow": 1.0}, {"tries": 0}, {"corrections": -1}]
)
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected damping > 0"):
        GaussNewton(curve().parameters, **options)


@pytest.mark.parametrize(("size", "rows", "what"), [(3, 40, r"J'J of 3 parameters"), (6, 5, r"J \(5 x 6\) and J J'")])
def test_memory_is_announced_once_and_refused_before_it_is_taken(
    caplog: Any, monkeypatch: pytest.MonkeyPatch, size: int, rows: int, what: str
) -> None:
    caplog.set_level(logging.INFO)
    problem = curve(rows, size)
    optimizer = GaussNewton(problem.parameters)
    for _ in range(2):
        optimizer.step(lambda: problem)
    (record,) = caplog.records
    assert re.match(what, record.getMessage())
    monkeypatch.setattr("mask_pinns.memory.available_memory", lambda device: 100)
    with pytest.raises(ValueError, match=what + r".* but 0.0 GB are free.*smaller width or fewer points"):
        GaussNewton(problem.parameters).step(lambda: problem)
    GaussNewton(problem.parameters, largest=2).step(lambda: problem)  # no matrix, no memory


@pytest.mark.parametrize(
    ("rows", "size", "form"),
    [
        (40, 3, ParameterSpace),
        (5, 6, SampleSpace),
        (50, 60, MatrixFree),
        (-5, 6, ParameterSpace),
        (70, 60, MatrixFree),
    ],
)
def test_the_form_is_chosen_by_size(rows: int, size: int, form: Any) -> None:
    """Five residuals of a rank that shares them with others: written -5."""
    assert choose_linear_solver(abs(rows), size, largest=40, shared=rows < 0) is form


@pytest.mark.parametrize("damping", [1e-2, 1e-9])
def test_steps_are_the_same_where_j_is_not_stored(damping: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected tries and corrections among them: what is made again is made at the start of the step."""

    def path() -> Tensor:
        valley = Valley([nn.Parameter(torch.tensor([-1.2, 1.0]))])
        optimizer = GaussNewton(valley.parameters, damping=damping)
        for _ in range(8):
            optimizer.step(lambda: valley)
        return valley.flat()

    expected = path()
    monkeypatch.setattr("mask_pinns.optim.linear_solvers.MAX_STORED_ENTRIES", 0)
    torch.testing.assert_close(path(), expected, rtol=1e-12, atol=1e-12)


def test_options_that_a_checkpoint_does_not_know_are_those_given_now() -> None:
    optimizer = GaussNewton(curve().parameters)
    state = optimizer.state_dict()
    del state["param_groups"][0]["corrections"]
    again = GaussNewton(curve().parameters, corrections=3)
    again.load_state_dict(state)
    assert again.param_groups[0]["corrections"] == 3


def test_the_first_damping_of_a_step_depends_on_the_step_before() -> None:
    """`shrink` after a step whose first try was taken, else `grow`; never below the rounding of J'J."""
    problem = curve()
    optimizer = GaussNewton(problem.parameters, shrink=10.0, grow=3.0)
    state, solver = optimizer.state[problem.parameters[0]], ParameterSpace(problem)
    for bold, factor in ((True, 10.0), (False, 3.0)):
        state["damping"], state["bold"] = 0.6, bold
        assert optimizer._first_damping(solver) == pytest.approx(0.6 / factor)
    state["damping"], state["bold"] = 1e-300, True
    optimizer.step(lambda: problem)
    assert state["damping"] >= torch.finfo(torch.float64).eps * solver.scale


def test_corrections_end_where_one_does_not_halve_the_loss() -> None:
    valley = Valley([nn.Parameter(torch.tensor([-1.2, 1.0]))])
    solver, optimizer = ParameterSpace(valley), GaussNewton(valley.parameters, corrections=50)
    trial, step = _TrialParameters(valley.parameters, valley), solver.step(0.3)
    losses = [float(loss) for loss, _ in optimizer._corrected(solver, trial, step, solver.v + solver.jvp(step), 0.3)]
    ratios = [later / earlier for earlier, later in pairwise(losses)]
    assert 1 < len(losses) < 51
    assert all(ratio < 0.5 for ratio in ratios[:-1]) and ratios[-1] >= 0.5


def test_a_damping_without_factorization_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding errors leave no factorization below some damping; that costs a try once, not in every step."""
    problem, limit, failures = curve(), 1e-3, []
    optimizer, step = GaussNewton(problem.parameters, shrink=10.0), ParameterSpace.step

    def limited(solver: ParameterSpace, damping: float) -> Tensor | None:
        failures[-1] += damping < limit * solver.scale
        return None if damping < limit * solver.scale else step(solver, damping)

    monkeypatch.setattr(ParameterSpace, "step", limited)
    for _ in range(12):
        failures.append(0)
        optimizer.step(lambda: problem)
    assert 1 <= sum(failures) <= 5, "one in every step without a memory"
    least = optimizer.state[problem.parameters[0]]["least"]
    assert limit <= least <= 3 * limit / 0.9


def test_the_least_damping_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A factorization may fail by chance: each step allows a little less again, down to what rounding errs."""
    problem = curve()
    optimizer = GaussNewton(problem.parameters)
    optimizer.step(lambda: problem)
    state = optimizer.state[problem.parameters[0]]
    state["least"] = 1e-2
    for _ in range(60):
        optimizer.step(lambda: problem)
    assert state["least"] < 1e-4
