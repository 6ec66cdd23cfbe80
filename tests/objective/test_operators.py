"""Collapsed streams: used where they are allowed, refused where not, and equal to the uncollapsed ones."""

from __future__ import annotations

import pytest
import torch
from helpers import small_network

from mask_pinns import PROBLEMS, Box, Dirichlet, Objective, Problem
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.objective.operators import maximal

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("activation", ["gelu", "tanh", "sin"])
@pytest.mark.parametrize(
    ("declared", "operators"),
    [
        ((), {"+": (("tt", 1.0), ("xx", -2.0), ("yy", 0.5))}),
        ((), {"+": (("t", 1.0), ("x", 30.0))}),
        (("x",), {"+": (("t", 1.0), ("xxx", 0.3))}),
        (("y",), {"+": (("tt", 1.0), ("xxxx", 0.3), ("xxyy", 0.5)), "*": (("y", 1.0), ("xy", 2.0))}),
    ],
)
def test_operators_equal_nested_autograd(activation: str, declared, operators) -> None:
    network = small_network("masked", 3, 2, activation)
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    derivatives = Derivatives(declared, operators)
    jet, reference = (engine(network, x, "txy", derivatives) for engine in (by_jet, by_autograd))
    for m in derivatives.indices:
        torch.testing.assert_close(jet[m].expand_as(reference[m]), reference[m], rtol=1e-10, atol=1e-12, msg=m)


def test_product_of_jets_with_operators() -> None:
    x = torch.randn(5, 2)
    derivatives = Derivatives((), {"+": (("xxt", 1.0), ("tt", -0.5))})
    network = small_network("mlp", 2, 1, "tanh")

    class Squared(torch.nn.Module):
        def forward(self, p):
            return network(p) ** 2

    jet = by_jet(network, x, "xt", derivatives)
    torch.testing.assert_close((jet * jet)["+"], by_autograd(Squared(), x, "xt", derivatives)["+"])


STREAMS = {  # what travels in the interior: fewer than value and every derivative
    "wave": ["t", "x", "+0"],
    "convection": ["+0"],
    "helmholtz": ["x", "y", "+0"],
    "burgers": ["x", "+0"],
    "kdv": ["x", "xx", "+0"],
    "allen_cahn": ["x", "+0"],
    "klein_gordon": ["t", "x", "+0"],
    "kovasznay": ["x", "y", "+0"],
    "wave_two_modes": ["t", "x", "+0"],
    "pipes": ["x", "y", "+0"],
    "poisson_boltzmann": ["x", "y", "+0"],
    "lid_cavity": ["x", "y", "+0"],
    "back_step": ["x", "y", "xx", "yy"],  # its equation is multiplied by a weight that depends on the point
    "l_shape": ["x", "y", "+0"],
    "plate": ["x", "y", "xx", "xy", "yy"],
    "heat_ball": ["v", "w", "x", "y", "z", "+0"],
    "wave_long": ["t", "x", "+0"],
    "convection_long": ["+0"],
    "burgers_periodic": ["x", "+0"],
    "kuramoto_sivashinsky": ["x", "xx", "xxx", "+0"],
    "lorenz": ["t"],
    "ginzburg_landau": ["x", "+0"],
    "gray_scott": ["x", "y", "+0", "+1"],
    "cooling": ["t", "x", "xx"],  # its coefficient changes in training, and so below
    "burgers_inverse": ["t", "x", "xx"],
    "lorenz_inverse": ["t"],
    "robin_inverse": ["x", "+0"],  # its coefficient is in a condition
    "poisson_inverse": ["x", "y", "xx", "yy"],
    "heat_inverse": ["t", "x", "y", "xx", "yy"],
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_streams_of_the_known_problems(name: str) -> None:
    assert list(Objective(PROBLEMS[name]()).needs["pde"].derivatives.indices[1:]) == STREAMS[name]


def test_maximal_derivatives() -> None:
    assert maximal(Derivatives(("xxx", "t", "xy"))) == ["t", "xy", "xxx"]


def declare(residual, derivatives=("tt", "xx"), fields=("u",)) -> Problem:
    attributes = {
        "domain": Box(x=(0.0, 1.0), t=(0.0, 1.0)), "derivatives": derivatives, "fields": fields, "residual": residual,
        "conditions": (Dirichlet("x", **{fields[0]: 0.0}),),
    }  # fmt: skip
    return type("Mine", (Problem,), attributes)()


LINEAR = {
    "weights": lambda s, p, u: 2 * u.tt - u.xx / 3 + u**2 - p.x,
    "signs": lambda s, p, u: -(u.xx - u.tt) + 1.0 - (p.x - u.tt) * 1,
    "other side": lambda s, p, u: torch.sin(p.x) - 4.0 * (u.tt + 0.5 * u.xx) - u * u.x,
    "one unused": lambda s, p, u: u.tt + u,
    "none used": lambda s, p, u: u - p.x,
    "nested": lambda s, p, u: sum([u.tt, u.xx, u]),
}
NOT_COLLAPSED = {
    "product": lambda s, p, u: u.tt - u * u.xx,
    "square": lambda s, p, u: u.tt**2 - u.xx,
    "function": lambda s, p, u: u.tt - torch.exp(u.xx),
    "variable coefficient": lambda s, p, u: u.tt - (1 + p.x) * u.xx,
    "divided by a tensor": lambda s, p, u: u.tt / (1 + p.x) - u.xx,
    "branch on values": lambda s, p, u: u.tt - u.xx if p.x.mean() > 0.5 else u.tt + u.xx,
    "branch on a derivative": lambda s, p, u: u.tt - u.xx if u.tt is not None and u.tt.mean() > 0 else u.tt,
    "where": lambda s, p, u: torch.where(p.x > 0.9, u.tt, u.xx),
    "two combinations": lambda s, p, u: (u.tt - u.xx, u.tt + u.xx),
    "slice": lambda s, p, u: torch.cat([u.tt[:2], u.xx[2:]]),
}


def both(problem: Problem):
    network = small_network("masked", 2, len(problem.fields), "tanh")
    points = PointsDataModule(problem, points=20).draw(0)
    return [Objective(problem, derivatives=engine).residuals(network, points) for engine in ("jet", "autograd")]


@pytest.mark.parametrize("case", [*LINEAR, *NOT_COLLAPSED])
def test_residuals_come_out_the_same(case: str) -> None:
    collapsed, reference = both(declare((LINEAR | NOT_COLLAPSED)[case]))
    for name, residual in collapsed.items():
        torch.testing.assert_close(residual.vector, reference[name].vector, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("case", LINEAR)
def test_linear_residuals_are_collapsed(case: str) -> None:
    assert Objective(declare(LINEAR[case])).needs["pde"].parts


@pytest.mark.parametrize("case", NOT_COLLAPSED)
def test_other_residuals_keep_their_streams(case: str) -> None:
    assert not Objective(declare(NOT_COLLAPSED[case])).needs["pde"].parts


def test_a_system_shares_one_laplacian() -> None:
    def flow(s, p, u, v):
        return (u.t + u * u.x - 0.1 * (u.xx + u.tt) - v, v.t + u * v.x - 0.3 * (v.xx + v.tt))

    problem = declare(flow, fields=("u", "v"))
    assert list(Objective(problem).needs["pde"].derivatives.indices[1:]) == ["t", "x", "+0"]
    collapsed, reference = both(problem)
    for name, residual in collapsed.items():
        torch.testing.assert_close(residual.vector, reference[name].vector, rtol=1e-9, atol=1e-9, msg=name)


def test_terms_of_equal_need_share_one_pass() -> None:
    assert [len(terms) for terms in Objective(PROBLEMS["burgers"]()).passes.values()] == [1, 2]
