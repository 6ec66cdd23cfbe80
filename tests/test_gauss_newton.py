"""The Jacobian against autograd, and Gauss-Newton against formulas written out."""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from conftest import small_network
from torch import Tensor, nn

from datamodules import PointsDataModule
from mask_pinns import NETWORKS, PROBLEMS, MaskPINN, Objective
from mask_pinns.jacobian import Jacobian
from mask_pinns.jet import Jet
from mask_pinns.networks import JetNetwork
from mask_pinns.optim.gauss_newton import GaussNewton, MatrixFree, ParameterSpace, SampleSpace
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("chunk", [5, 1000])
def test_jacobian_equals_autograd_row_by_row(problem: str, network: str, chunk: int) -> None:
    p = make_problem(problem)
    objective = Objective(p, {p.terms[-1].name: 3.0})
    model = small_network(network, len(p.domain), len(p.fields))
    points = PointsDataModule(p, 11).draw(0)
    v = objective.residual_vector(model, points)
    parameters = list(model.parameters())
    rows = []
    for number in v:
        gradient = torch.autograd.grad(number, parameters, retain_graph=True, allow_unused=True)
        parts = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, parameters, strict=True)]
        rows.append(torch.cat([g.flatten() for g in parts]))
    found = list(Jacobian(objective, model, chunk).blocks(points))
    squares = sum(b.square().sum() for b, _ in found)
    torch.testing.assert_close(squares, v.square().sum())
    if chunk == 1000:  # in one piece the order of the rows is that of the vector
        torch.testing.assert_close(torch.cat([b for b, _ in found]), v.detach())
        torch.testing.assert_close(torch.cat([j for _, j in found]), torch.stack(rows), rtol=1e-9, atol=1e-11)
    gram = sum(j.T @ j for _, j in found)
    expected = torch.stack(rows).T @ torch.stack(rows)
    torch.testing.assert_close(gram, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
    Jacobian(objective, model).check(points)


def test_jacobian_of_an_embedded_network_with_exact_conditions() -> None:
    embedding = {"periodic": ["x"], "fourier": 3, "fourier_trainable": True}
    module = MaskPINN("convection", {"name": "masked", "width": 6, "blocks": 1}, embedding=embedding, exact="initial")
    module = module.double()
    points = PointsDataModule(module.problem, 9, exact=module.objective.exact).draw(0)
    assert list(points) == ["pde"]
    jacobian = Jacobian(module.objective, module.network)
    jacobian.check(points)
    ((_, j),) = jacobian.blocks(points)
    for i in (0, 8):
        number = module.objective.residual_vector(module.network, points)[i]
        gradient = torch.autograd.grad(number, list(module.network.parameters()), allow_unused=True)
        parts = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, module.parameters(), strict=True)]
        torch.testing.assert_close(j[i], torch.cat([g.flatten() for g in parts]), rtol=1e-9, atol=1e-12)


def test_a_parameter_that_does_not_fit_is_named() -> None:
    class Mixing(JetNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.core = small_network("masked", 2, 1)
            self.matrix = nn.Parameter(torch.eye(2))

        def layers(self, jet: Jet) -> Jet:
            return self.core(jet.map(lambda s: s @ self.matrix))

    problem = make_problem("wave")
    jacobian = Jacobian(Objective(problem), Mixing())
    with pytest.raises(ValueError, match="parameter 'matrix'"):
        jacobian.check(PointsDataModule(problem, 5).draw(0))
    with pytest.raises(ValueError, match="derivatives by jets"):
        Jacobian(Objective(problem, derivatives="autograd"), Mixing())


class Curve:
    """Least squares by hand: fit a exp(b x) + c to data; three parameters or, with `wide`, more than residuals."""

    def __init__(self, parameters: list[nn.Parameter], x: Tensor, y: Tensor, blocks: int = 2) -> None:
        self.parameters, self.x, self.y, self.pieces = parameters, x, y, blocks
        self.rows: int | None = len(x)

    def residuals(self, x: Tensor, y: Tensor, p: Tensor) -> Tensor:
        a, b, c, *rest = p
        return a * torch.exp(b * x) + c + sum(r * x**k for k, r in enumerate(rest, 2)) - y

    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters])

    def loss(self) -> Tensor:
        return self.residuals(self.x, self.y, self.flat()).square().sum()

    def blocks(self) -> Any:
        for x, y in zip(self.x.chunk(self.pieces), self.y.chunk(self.pieces), strict=True):
            f = lambda p, x=x, y=y: self.residuals(x, y, p)  # noqa: E731
            yield f(self.flat()), torch.func.jacrev(f)(self.flat())

    def total(self, x: Tensor) -> Tensor:
        return x


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
    found = form(problem)
    exact = form is not MatrixFree
    step = found.step(damping)
    tolerance = 1e-7 if exact else 2e-2
    assert torch.linalg.norm(step - expected) <= tolerance * torch.linalg.norm(expected)
    predicted = (v @ v) - (v + j @ step).square().sum()
    torch.testing.assert_close(found.predicted(step), predicted, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(torch.tensor(found.scale), (j.T @ j).diagonal().mean())
    torch.testing.assert_close(found.loss, v @ v)


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
    problem.loss = lambda: torch.tensor(float("nan"))  # type: ignore[method-assign]
    optimizer.step(lambda: problem)
    assert torch.equal(problem.flat(), before)
    assert optimizer.state[problem.parameters[0]]["damping"] == pytest.approx(damping / 10 * 27)


@pytest.mark.parametrize("options", [{"damping": 0.0}, {"ratio": 1.0}, {"shrink": 0.5}, {"grow": 1.0}, {"tries": 0}])
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
    monkeypatch.setattr("mask_pinns.optim.memory.available_memory", lambda device: 100)
    with pytest.raises(ValueError, match=what + r".* but 0.0 GB are free.*smaller width or fewer points"):
        GaussNewton(problem.parameters).step(lambda: problem)
    GaussNewton(problem.parameters, largest=2).step(lambda: problem)  # no matrix, no memory


def test_rows_are_counted_once_for_each_number_of_points() -> None:
    problem = make_problem("wave")
    objective = Objective(problem)
    jacobian = Jacobian(objective, small_network("masked", 2, 1))
    looks: list[int] = []
    whole = objective.residual_vector
    objective.residual_vector = lambda *a: (looks.append(1), whole(*a))[1]  # type: ignore[method-assign]
    data = PointsDataModule(problem, {"pde": 9, "initial": 5, "dirichlet_x": 4})
    assert jacobian.rows(data.draw(0)) == jacobian.rows(data.draw(1)) == 9 + 2 * 5 + 2 * 4
    assert len(looks) == 1
    assert jacobian.rows(PointsDataModule(problem, 20).draw(0)) == 20 + 2 * 2 + 2 * 2
