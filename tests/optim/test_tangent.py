"""The tangent of a network against differences in the weights, and its least squares against those written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import fit, same_weights, small_network
from torch import Tensor

from mask_pinns import Derivatives, Jet, JetNetwork, MaskPINN, Objective
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets.network import Tangent, without_tangent
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.objective.residual_squares import ResidualSquares, require_tangent
from mask_pinns.optim.tangent import CAUTION, LADDER, DampedFit
from mask_pinns.problems.loading import make_problem

pytestmark = pytest.mark.usefixtures("float64")

NAMES = ("x", "t")
WANTED = Derivatives(["xx", "t"])


def with_tangent(network: JetNetwork, seed: int = 0) -> JetNetwork:
    network.tangent = Tangent(network)
    generator = torch.Generator().manual_seed(seed)
    for direction in network.tangent.directions:
        direction.copy_(torch.randn(direction.shape, generator=generator, dtype=direction.dtype))
    return network


def streams(network: JetNetwork, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        jet = network(Jet.of_coordinates(x, NAMES, WANTED))
    return {m: s.expand(len(x), -1) for m, s in jet.streams.items()}


def moved(network: JetNetwork, x: Tensor, step: float) -> dict[str, Tensor]:
    """The layers' streams with weights w + step s."""
    assert network.tangent is not None
    own = dict(network.named_parameters())
    before = {name: own[name].detach().clone() for name in network.tangent.names}
    with torch.no_grad(), without_tangent(network):
        for name, direction in network.tangent.parts.items():
            own[name].add_(step * direction)
        found = streams(network, x)
        for name, value in before.items():
            own[name].copy_(value)
    return found


def test_the_tangent_is_the_change_with_the_weights() -> None:
    network, x = with_tangent(small_network("masked", 2, 1)), torch.rand(7, 2)
    with without_tangent(network):
        plain = streams(network, x)
    ahead, behind = moved(network, x, 1e-5), moved(network, x, -1e-5)
    for m, found in streams(network, x).items():
        slope = (ahead[m] - behind[m]) / 2e-5
        torch.testing.assert_close(found - plain[m], slope, rtol=1e-6, atol=1e-6 * float(slope.abs().max() + 1))


def test_its_derivatives_are_those_of_nested_autograd() -> None:
    network, x = with_tangent(small_network("masked", 2, 1)), torch.rand(5, 2, requires_grad=True)
    found = streams(network, x.detach())
    u = network(x)
    (slopes,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slopes[:, 0].sum(), x)
    torch.testing.assert_close(found[""], u.detach())
    torch.testing.assert_close(found["t"][:, 0], slopes[:, 1].detach())
    torch.testing.assert_close(found["xx"][:, 0], second[:, 0])


def test_conditions_by_construction_hold_with_a_tangent() -> None:
    module = MaskPINN("wave", {"name": "masked", "width": 5, "blocks": 1}, exact="all").double()
    with_tangent(module.network)
    low, high = module.problem.domain["x"]
    walls = torch.stack([torch.tensor([low, high] * 4), torch.rand(8) * 5], 1)
    order = [module.problem.domain.names.index(name) for name in ("x", "t")]
    assert np.abs(module.predict(walls[:, order])).max() < 1e-12


@pytest.mark.parametrize(("rows", "size"), [(12, 5), (5, 5), (4, 9)])
@pytest.mark.parametrize("damping", [1e-9, 1e-2, 10.0])
def test_the_fit_is_that_of_the_damped_system(rows: int, size: int, damping: float) -> None:
    torch.manual_seed(rows)
    j, v = torch.randn(rows, size), torch.randn(rows)
    expected = torch.linalg.solve(j.T @ j + damping * torch.eye(size), -j.T @ v)
    torch.testing.assert_close(DampedFit(j, v).step(damping), expected, rtol=1e-5, atol=1e-5)


def test_the_damping_has_the_least_error_of_cross_validation() -> None:
    torch.manual_seed(1)
    j = torch.randn(30, 8) * 10.0 ** -(torch.arange(8.0) / 4)
    v = j @ torch.randn(8) + 0.3 * torch.randn(30)
    fit, scores = DampedFit(j, v), []
    ladder = LADDER * torch.linalg.matrix_norm(j, 2) ** 2
    for damping in ladder:
        hat = j @ torch.linalg.solve(j.T @ j + damping * torch.eye(8), j.T)
        scores.append((v - hat @ v).square().sum() / (30 - CAUTION * hat.trace()) ** 2)
    best = int(torch.stack(scores).argmin())
    assert 0 < best < 10, "neither end of the ladder"
    assert fit.best_damping() == pytest.approx(float(ladder[best]), rel=1e-9)


def trained(steps: int, tangent: int, **options: object) -> MaskPINN:
    torch.manual_seed(0)
    phases = f"gauss_newton {steps}, tangent {tangent}" if tangent else f"gauss_newton {steps}"
    network = {"name": "masked", "width": 8, "blocks": 1, "activation": "sin", "first_scale": 2.0}
    module = MaskPINN("wave", network, optimizer=phases, exact="all", exact_time=1.0)
    fit(module, steps + tangent, points=1000, resample=0, **options)
    return module


def test_it_finds_what_gauss_newton_leaves() -> None:
    """The loss of the same weights falls by orders of magnitude; in a linear problem it takes a single step."""
    before, after = trained(20, 0), trained(20, 2)
    losses = []
    for module in (before, after):
        points = PointsDataModule(module.problem, points=400).draw(10**6)
        points = {name: x.double() for name, x in points.items()}
        losses.append(float(module.objective.unadapted_loss(module.network, points).detach()))
    own = dict(after.network.named_parameters())
    assert all(torch.equal(p, own[name]) for name, p in before.network.named_parameters()), "the weights stay"
    assert losses[1] < 5e-2 * losses[0], losses


@pytest.mark.parametrize("name", ["wave", "burgers"])
def test_the_rows_are_the_slopes_of_the_residuals_by_the_direction(name: str) -> None:
    problem = make_problem(name)
    network, objective = small_network("masked", 2, 1), Objective(problem)
    points = {name: x.double() for name, x in PointsDataModule(problem, points=20).draw(0).items()}
    squares = ResidualSquares(Jacobian(objective, network), points)
    s = torch.randn(len(squares.shift))
    squares.shift = s
    assert torch.equal(squares.shift, s)
    vectors, rows = zip(*squares.blocks(), strict=True)
    v, j = torch.cat(vectors), torch.cat(rows)
    torch.testing.assert_close(v, squares.residuals()[0])
    d, step = torch.randn_like(s), 1.0 if name == "wave" else 1e-5  # the wave equation is linear
    ends = []
    for sign in (1, -1):
        squares.shift = s + sign * step * d
        ends.append(squares.residuals()[0])
    torch.testing.assert_close(
        (ends[0] - ends[1]) / (2 * step), j @ d, rtol=1e-6, atol=1e-6 * float((j @ d).abs().max())
    )


def test_a_run_with_a_tangent_is_saved_and_goes_on(command, tmp_path: Path) -> None:
    flags = ("--exact", "all", "--optimizer", "gauss_newton 3, tangent")
    assert command("--steps", "6", *flags, "--name", "whole")[0] == 0
    assert command("--steps", "5", *flags, "--name", "half")[0] == 0
    assert command("--resume", str(tmp_path / "runs/half"), "--steps", "6", tiny=False)[0] == 0
    modules = [
        MaskPINN.load_from_checkpoint(tmp_path / f"runs/{name}/checkpoints/last.ckpt", map_location="cpu")
        for name in ("whole", "half")
    ]
    assert modules[0].network.tangent is not None and same_weights(*modules)
    code, _, err = command("test", "--ckpt_path", str(tmp_path / "runs/whole"), tiny=False)
    assert (code, err) == (0, "")
    words = ["--from", str(tmp_path / "runs/whole"), "--optimizer", "gauss_newton 1", "--steps", "1", "--name", "next"]
    code, _, err = command(*words, tiny=False)
    assert (code, err) == (0, "")


def test_windows_begin_where_the_tangent_ends(command, tmp_path: Path) -> None:
    flags = ("--exact", "all", "--optimizer", "gauss_newton 9, tangent 1", "--steps", "10", "--windows", "2")
    flags = (*flags, "--points", "400")
    code, _, err = command(*flags, "--name", "run")
    assert (code, err) == (0, "")
    module = MaskPINN.load_from_checkpoint(tmp_path / "runs/run/checkpoints/best.ckpt", map_location="cpu")
    first, second = module.network.parts
    assert first.tangent is not None and second.tangent is not None
    end = module.network.ends[0]
    order = module.problem.domain.names.index("t")
    low, high = module.problem.domain["x"]
    x = torch.linspace(low, high, 9)
    points = torch.stack([torch.full_like(x, end), x] if order == 0 else [x, torch.full_like(x, end)], 1).double()
    with torch.no_grad():
        torch.testing.assert_close(first(points), second(points), rtol=0, atol=1e-12)


def test_what_cannot_have_a_tangent_is_refused(command) -> None:
    for flags, message in [
        (("--optimizer", "tangent 1, adam 1", "--steps", "2"), "has to be the last one"),
        (("--problem", "cooling", "--optimizer", "tangent", "--steps", "1"), "unknown"),
        (("--optimizer", "tangent", "--steps", "1", "--optimizer.tries", "0"), "tries"),
    ]:
        code, _, err = command(*flags)
        assert code == 2 and message in err and err.count("\n") == 1, err
    with pytest.raises(ValueError, match="no tangent"):
        require_tangent(torch.nn.Linear(2, 1))
