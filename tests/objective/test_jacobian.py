"""The Jacobian against autograd, row by row."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network
from torch import nn

from mask_pinns import NETWORKS, PROBLEMS, MaskPINN, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import Jet, JetNetwork
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")


DECOUPLED = [name for name in NETWORKS if name != "batchnorm"]
"""Networks in which no point depends on another one; Gauss-Newton refuses the rest."""


CASES = [
    (problem, DECOUPLED[(i + shift) % len(DECOUPLED)], chunk)
    for i, problem in enumerate(PROBLEMS) for shift, chunk in ((0, 5), (3, 1000))
]  # fmt: skip
"""Every problem and every network in several chunks and in one."""


@pytest.mark.parametrize(("problem", "network", "chunk"), CASES)
def test_jacobian_equals_autograd_row_by_row(problem: str, network: str, chunk: int) -> None:
    p = make_problem(problem)
    objective = Objective(p, weights={p.terms[-1].name: 3.0})
    model = small_network(network, len(p.domain), len(p.fields))
    points = PointsDataModule(p, points=11).draw(0)
    v = objective.residual_vector(model, points)
    parameters = list(model.parameters())
    rows = []
    for number in v:
        gradient = torch.autograd.grad(number, parameters, retain_graph=True, allow_unused=True)
        parts = [torch.zeros_like(p) if g is None else g for g, p in zip(gradient, parameters, strict=True)]
        rows.append(torch.cat([g.flatten() for g in parts]))
    blocks = list(Jacobian(objective, model, chunk).blocks(points))
    squares = sum(b.square().sum() for b, _ in blocks)
    torch.testing.assert_close(squares, v.square().sum())
    if chunk == 1000:  # in one piece the order of the rows is that of the vector
        torch.testing.assert_close(torch.cat([b for b, _ in blocks]), v.detach())
        torch.testing.assert_close(torch.cat([j for _, j in blocks]), torch.stack(rows), rtol=1e-9, atol=1e-11)
    gram = sum(j.T @ j for _, j in blocks)
    expected = torch.stack(rows).T @ torch.stack(rows)
    torch.testing.assert_close(gram, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
    Jacobian(objective, model).check(points)


def test_jacobian_of_an_embedded_network_with_exact_conditions() -> None:
    embedding = {"periodic": ["x"], "fourier": 3, "fourier_trainable": True}
    module = MaskPINN("convection", {"name": "masked", "width": 6, "blocks": 1}, embedding=embedding, exact="initial")
    module = module.double()
    points = PointsDataModule(module.problem, points=9, hard=module.objective.hard).draw(0)
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
        jacobian.check(PointsDataModule(problem, points=5).draw(0))
    with pytest.raises(ValueError, match="derivatives by jets"):
        Jacobian(Objective(problem, derivatives="autograd"), Mixing())


def test_rows_are_counted_once_for_each_number_of_points() -> None:
    problem = make_problem("wave")
    objective = Objective(problem)
    jacobian = Jacobian(objective, small_network("masked", 2, 1))
    evaluations: list[int] = []
    whole = objective.residual_vector
    objective.residual_vector = lambda *a: (evaluations.append(1), whole(*a))[1]  # type: ignore[method-assign]
    data = PointsDataModule(problem, points={"pde": 9, "initial": 5, "dirichlet_x": 4})
    assert jacobian.rows(data.draw(0)) == jacobian.rows(data.draw(1)) == 9 + 2 * 5 + 2 * 4
    assert len(evaluations) == 1
    assert jacobian.rows(PointsDataModule(problem, points=20).draw(0)) == 20 + 2 * 2 + 2 * 2


def test_a_condition_that_holds_by_symmetry_is_no_mistake() -> None:
    """Odd in x and y and periodic, the network is zero on the boundary: rows there are sums that cancel."""
    words = {"embedding": {"periodic": ["x", "y"], "harmonics": 6}, "symmetry": {"x": "odd", "y": "odd"}}
    module = MaskPINN("helmholtz", {"name": "masked", "width": 8, "blocks": 1, "activation": "sin"}, **words)
    for module_of_dtype in (module.float(), module.double()):
        like = next(module_of_dtype.parameters())
        Jacobian(module.objective, module.network).check(module.objective.check_points(like))
