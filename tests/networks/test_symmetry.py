"""Fields even or odd by construction: to rounding, with their derivatives and Jacobian, and only where it is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import CALM, loads

from mask_pinns import NETWORKS, Box, Dirichlet, Initial, MaskPINN, Neumann, Objective, Periodic, Problem
from mask_pinns.callbacks.features.probes import capture_layers
from mask_pinns.checkpoints.compatibility import differences
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.networks.assembly import assemble
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.loading import make_problem


class Pair(Problem):
    """u odd and v even in x, both even in y, in a box whose middle is not zero."""

    domain = Box(x=(-1.0, 2.0), t=(0.5, 2.0), y=(0.0, 3.0))
    fields = ("u", "v")
    derivatives = ("t", "xx", "yy")

    def residual(self, p, u, v):
        return u.t - u.xx - u.yy + u * v, v.t - v.xx - v.yy + u.x


SYMMETRY = {"x": {"u": "odd", "v": "even"}, "y": "even"}
SIGNS = {"x": torch.tensor([-1.0, 1.0]), "y": torch.tensor([1.0, 1.0])}
SHIFT = {"x": (0, 1.0), "y": (2, 3.0)}


def build(name: str, symmetry: dict[str, Any], **ends: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    options = {"name": name, "width": 6, "blocks": 1, "activation": "tanh", **CALM.get(name, {})}
    network = assemble(options, Pair(), symmetry=symmetry, **ends).eval()
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


def points(n: int = 9) -> torch.Tensor:
    low, high = torch.tensor(Pair.domain.low), torch.tensor(Pair.domain.high)
    return low + (high - low) * torch.rand(n, 3, generator=torch.Generator().manual_seed(2))


def mirrored(x: torch.Tensor, name: str) -> torch.Tensor:
    column, total = SHIFT[name]
    image = x.clone()
    image[:, column] = total - x[:, column]
    return image


@pytest.mark.parametrize("ends", [{}, {"embedding": {"periodic": ["y"], "scale": {"x": 2.0}}}])
@pytest.mark.parametrize("name", NETWORKS)
def test_it_holds_to_rounding_and_is_not_zero(float64, name: str, ends) -> None:
    network, x = build(name, SYMMETRY, **ends), points()
    for coordinate, signs in SIGNS.items():
        torch.testing.assert_close(network(mirrored(x, coordinate)), network(x) * signs, rtol=1e-12, atol=1e-13)
    assert network(x).abs().amin(0).min() > 1e-6
    assert not torch.allclose(network(x), build(name, {}, **ends)(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_jets_equal_nested_autograd(float64, name: str) -> None:
    derivatives = Derivatives(("xxx", "ty"), {"+": (("t", 1.0), ("xx", -2.0))})
    network, names = build(name, SYMMETRY), Pair.domain.names
    jet, reference = (engine(network, points(), names, derivatives) for engine in (by_jet, by_autograd))
    for m in derivatives.indices:
        torch.testing.assert_close(jet[m], reference[m], rtol=1e-9, atol=1e-10, msg=m)


def test_rows_of_the_jacobian_are_those_of_both_images(float64) -> None:
    """Against the gradient of each residual by itself."""
    problem, network = Pair(), build("masked", SYMMETRY)
    jacobian = Jacobian(Objective(problem), network)
    jacobian.check({"pde": points()})
    x = {"pde": points(4)}
    rows = torch.cat([j for _, j in jacobian.blocks(x)])
    parameters = list(network.parameters())
    for value, row in zip(Jacobian(Objective(problem), network).vector(x), rows, strict=True):
        own = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(row, torch.cat([g.flatten() for g in own]), rtol=1e-10, atol=1e-12)


def test_layers_are_recorded_at_the_points_themselves(float64) -> None:
    """As in the same network without the symmetry, though every layer is passed four times."""
    mirrored_too, alone = (
        capture_layers(build("masked", s), points(), Pair.domain.names, ("xx",)) for s in (SYMMETRY, {})
    )
    assert mirrored_too.keys() == alone.keys()
    for name, layer in mirrored_too.items():
        own = alone[name]
        assert layer.weight is None or torch.equal(layer.weight, own.weight)
        for stage, values in layer.stages.items():
            torch.testing.assert_close(values, own.stages[stage], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("problem", "symmetry", "exact"),
    [
        ("burgers", {"x": "odd"}, "all"),
        ("burgers", {"x": "odd"}, ()),
        ("wave", {"x": "even"}, "all"),
        ("helmholtz", {"x": "odd", "y": "odd"}, ()),
        ("allen_cahn", {"x": "even"}, ["initial"]),
        ("allen_cahn", {"x": "even"}, ()),
    ],
)
def test_problems_that_have_it_meet_their_conditions_with_it(float64, problem: str, symmetry, exact) -> None:
    own = make_problem(problem)
    network = assemble("masked", own, exact=exact, symmetry=symmetry)
    reference = own.evaluation()
    for name, parity in symmetry.items():  # as the known solution does
        axis = own.domain.names.index(name)
        shape = [len(reference.points[:, i].unique()) for i in range(2)]
        grid = reference.values.reshape(*shape)
        torch.testing.assert_close(grid.flip(axis), grid * (1.0 if parity == "even" else -1.0), rtol=0, atol=1e-9)
        points = reference.points[::97]
        x = points.clone()
        x[:, axis] = sum(own.domain[name]) - x[:, axis]
        sign = 1.0 if parity == "even" else -1.0
        torch.testing.assert_close(network(x), network(points) * sign, rtol=1e-9, atol=1e-9)


class Slope(Problem):
    """Laplace between walls of different values: not even in x; its equation is."""

    domain = Box(x=(0.0, 1.0), y=(0.0, 1.0))
    derivatives = ("xx", "yy")
    conditions = (
        Dirichlet("x", name="left", side="low", u=0.0),
        Dirichlet("x", name="both", u=lambda p: p.x),
        Periodic("y"),
    )

    def residual(self, p, u):
        return u.xx + u.yy


class OneWall(Slope):
    """A symmetric function would meet the condition on the other wall too, where it is not prescribed."""

    conditions = (Dirichlet("x", side="low", u=lambda p: p.x + p.y), Periodic("y"))


class Mixed(Slope):
    """A value on one wall, a slope on the other."""

    conditions = (Dirichlet("x", side="low", u=1.0), Neumann("x", side="high", u=0.0), Periodic("y"))


class Table(Slope):
    """The middle of 0.1 and 0.4 is no number of float64: images of walls are not found by equality."""

    domain = Box(x=(0.1, 0.4), y=(0.0, 1.0))
    conditions = (Dirichlet("x", u=lambda p: (p.x - 0.1) / 0.3), Periodic("y"))


class Failing(Slope):
    def residual(self, p, u):
        return {}["no such thing"]


REFUSED = [
    ("burgers", {"x": "even"}, (), "Burgers with u even in x: its equation is not; leave out --symmetry.x"),
    ("convection", {"x": "odd"}, (), "its equation is not"),
    ("burgers", {"y": "odd"}, (), "unknown coordinate of a symmetry: 'y'; known: x, t"),
    ("burgers", {"x": "od"}, (), "unknown parity 'od'; did you mean 'odd'"),
    ("burgers", {"x": {"v": "odd"}}, (), "the symmetry in x is given for v; the fields are u"),
    ("wave_two_modes", {"x": "even"}, (), "its condition 'initial' is not"),
    ("wave_two_modes", {"x": "even"}, "all", "its exact conditions are not"),
    (Slope(), {"x": "even"}, (), "its condition 'left' is not"),
    (OneWall(), {"x": "even"}, (), "its condition 'dirichlet_x' holds on one side only"),
    (Table(), {"x": "even"}, (), "its condition 'dirichlet_x' is not"),
    (Mixed(), {"x": "even"}, (), "its condition 'dirichlet_x' holds on one side only"),
    (Failing(), {"x": "even"}, (), "KeyError"),
]


@pytest.mark.parametrize(("problem", "symmetry", "exact", "message"), REFUSED)
def test_symmetries_that_do_not_hold_are_refused(problem, symmetry, exact, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        MaskPINN(problem, {"name": "masked", "width": 4}, exact=exact, symmetry=symmetry)


def test_conditions_of_equal_sides_and_those_along_the_mirror_are_no_contradiction() -> None:
    """Two conditions of the same kind, one on each wall, are symmetric together."""

    class Fine(Slope):
        left, right = (Dirichlet("x", name=side, side=side, u=1.0) for side in ("low", "high"))
        conditions = (left, right, Periodic("y", order=1), Initial(u=0.0))
        domain = Box(x=(0.0, 1.0), y=(0.0, 1.0), t=(0.0, 1.0))

    assert MaskPINN(Fine(), {"name": "masked", "width": 4}, symmetry={"x": "even", "y": "even"}).network.symmetry


def test_a_run_keeps_it_and_a_checkpoint_is_bound_to_it(command, tmp_path: Path) -> None:
    flags = ["--problem", "burgers", "--symmetry.x", "odd", "--steps", "2", "--optimizer", "gauss_newton"]
    assert command(*flags, "--name", "a", "--compile", "off")[0] == 0
    run = tmp_path / "runs/a"
    assert loads(run / "checkpoints/last.ckpt")["hyper_parameters"]["symmetry"] == {"x": "odd"}
    assert "symmetry:\n  x: odd\n" in (run / "config.yaml").read_text()
    assert command("test", "--ckpt_path", str(run), tiny=False)[0] == 0
    assert command("--resume", str(run), "--steps", "3", tiny=False)[0] == 0
    given, left_out = {"symmetry": {"x": "odd"}}, {"symmetry": None}
    assert differences(given, left_out) == {"symmetry": "x odd there, none here"}
    assert differences(left_out, given) == {"symmetry": "none there, x odd here"}
    assert differences({}, left_out) == {}, "a checkpoint of before"


def test_residuals_that_are_no_numbers_show_no_symmetry() -> None:
    """A root of a temperature: probes keep its offset, and where all is NaN nothing is shown."""

    class Gas(Problem):
        domain = Box(x=(-1.0, 1.0))
        derivatives = ("xx",)
        conditions = (Dirichlet("x", u=300.0),)
        floor: float = 273.0

        def residual(self, p, u):
            return u.xx - p.x * torch.sqrt(u - self.floor)

    for problem in (Gas(), Gas(floor=1e9)):
        with pytest.raises(ValueError, match="leave out --symmetry"):
            MaskPINN(problem, {"name": "masked", "width": 4, "blocks": 1}, symmetry={"x": "even"})
