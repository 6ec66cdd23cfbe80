"""Programs of solutions: what a trace gives are the predictions, for every part that a network can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mask_pinns import (
    NETWORKS,
    Box,
    Dirichlet,
    Disk,
    GridField,
    Initial,
    MaskPINN,
    Neumann,
    Problem,
    RandomField,
    Unknown,
)
from mask_pinns.domains.places import kronecker
from mask_pinns.export.files import FORMATS, replaced
from mask_pinns.export.functions import IN_FLOAT64, REPLACED, aten
from mask_pinns.export.program import evaluation, names_of_outputs, trace
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd
from mask_pinns.jets.network import Tangent
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective.prediction import further_columns
from mask_pinns.settings import EXPORTED

pytestmark = pytest.mark.usefixtures("float64")
TINY = {"name": "masked", "width": 2, "blocks": 0, "activation": "sin"}


def stirred(model: MaskPINN, tangent: bool = False) -> MaskPINN:
    """A module whose weights, and tangents if it shall have them, have no special values."""
    torch.manual_seed(1)
    network: Any = model.network
    with torch.no_grad():
        for part in getattr(network, "parts", [network]) if tangent else []:
            part.tangent = Tangent(part)
            for direction in part.tangent.directions:
                direction += 0.1 * torch.randn_like(direction)
        for name, weight in network.named_parameters():
            weight += 0.1 * torch.randn_like(weight) if "directions" not in name else 0.0
    return model


class Heat(Problem):
    """Its parts are exchanged below."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Initial(u=lambda p: torch.sin(torch.pi * p.x)), Dirichlet("x", u=0.0))

    def residual(self, p: Any, u: Any, *others: Any) -> Any:
        return u.t - 0.1 * u.xx


def wave(p: Any) -> Any:
    return torch.cos(torch.pi * p.x)


def heat(**parts: Any) -> Problem:
    problem: Problem = type("Heat", (Heat,), parts)()
    return problem


class Pipe(Problem):
    """On a shape."""

    domain = Disk(x=0.0, y=0.0, radius=1.0)
    derivatives = ("xx", "yy")
    conditions = (Dirichlet(Disk(x=0.0, y=0.0, radius=1.0), u=lambda p: torch.atan(p.x)),)

    def residual(self, p: Any, u: Any) -> Any:
        return u.xx + u.yy


AXIS = np.linspace(0.0, 1.0, 9)
GRID = GridField({"x": AXIS, "u": np.sin(np.pi * AXIS)}, "u", ["x"])
RANDOM = RandomField("x", length=0.3, waves=4)
CASES: dict[str, Callable[[], tuple[MaskPINN, tuple[str, ...]]]] = {
    "soft": lambda: (MaskPINN("wave", TINY), ("xt", "tx")),
    "exact": lambda: (MaskPINN("wave", TINY, exact="all", dimensionless=True), ("x", "tt")),
    "symmetry": lambda: (MaskPINN("burgers", TINY, exact="all", symmetry={"x": "odd"}), ("x",)),
    "embedding": lambda: (
        MaskPINN("convection", TINY, embedding={"periodic": "x", "harmonics": 2, "fourier": 2, "normalize": True}),
        ("x",),
    ),
    "fields": lambda: (MaskPINN("kovasznay", TINY, dimensionless=True), ("yy",)),
    "known part and features": lambda: (
        MaskPINN(heat(known_part=lambda self, p: torch.sinh(p.x), features=lambda self, p: (torch.cosh(p.x),)), TINY),
        ("x",),
    ),
    "shape": lambda: (MaskPINN(Pipe(), TINY, exact="all"), ("x",)),
    "flux": lambda: (
        MaskPINN(heat(conditions=(Initial(u=wave), Neumann("x", u=0.0))), TINY, exact="all"),
        ("x",),
    ),
    "unknown function": lambda: (
        MaskPINN(heat(unknowns=(Unknown("a", of="x", network={"width": 3}),)), TINY, exact="auto"),
        ("t", "x"),
    ),
    "grid field": lambda: (MaskPINN(heat(conditions=(Initial(u=GRID),)), TINY, exact="all"), ("x", "t")),
    "random field": lambda: (MaskPINN(heat(conditions=(Initial(u=RANDOM),)), TINY, exact="all"), ("x",)),
    "tangent": lambda: (stirred(MaskPINN(heat(), TINY, exact="all"), tangent=True), ("x",)),
    "windows": lambda: (MaskPINN(heat(), TINY, exact="initial", windows=[0.2, 0.5, 1.0]), ("x",)),
    "windows with tangents": lambda: (
        stirred(MaskPINN(heat(), TINY, exact="initial", windows=[0.5, 1.0]), tangent=True),
        ("t",),
    ),
    "windows apart": lambda: (MaskPINN("wave", TINY, windows=[1.0, 5.0]), ("t",)),
    **{f"network {n}": lambda n=n: (MaskPINN(heat(), {"name": n, "width": 2, "blocks": 1}), ("x",)) for n in NETWORKS},
}  # fmt: skip


def program_of(model: MaskPINN, derivatives: tuple[str, ...], end: str = "p.pt2") -> Any:
    network, problem = model.network, model.problem
    points = problem.domain.section({}).draw(5, kronecker)
    with evaluation_mode(network):
        evaluate, names = evaluation(network, problem, derivatives), names_of_outputs(problem, derivatives)
        return trace(network, evaluate, names, points, replaced(Path(end), torch.float64)).module()


def predictions(model: MaskPINN, x: torch.Tensor, derivatives: tuple[str, ...]) -> dict[str, np.ndarray]:
    fields = dict(zip(model.problem.fields, model.predict(x).T, strict=True))
    return fields | further_columns(model.objective, model.network, x, derivatives)


@pytest.mark.parametrize("name", CASES)
def test_a_program_gives_the_predictions_at_any_number_of_points(name: str) -> None:
    torch.manual_seed(0)
    model, derivatives = CASES[name]()
    stirred(model)
    program = program_of(model, derivatives)
    for n in (1, 50):
        x = model.problem.domain.section({}).draw(50, kronecker)[-n:]
        found, expected = program(x), predictions(model, x, derivatives)
        assert list(found) == list(expected)
        for key, column in expected.items():
            assert found[key].shape == (n,)
            np.testing.assert_allclose(found[key].detach(), column, rtol=1e-11, atol=1e-11 * np.abs(column).max())


def test_derivatives_are_those_of_nested_autograd() -> None:
    model = stirred(MaskPINN("wave", TINY, exact="all", dimensionless=True))
    x = model.problem.domain.section({}).draw(30, kronecker)
    found = program_of(model, ("x", "tt", "xt"))(x)
    expected = by_autograd(model.network.eval(), x, model.problem.domain.names, Derivatives(["x", "tt", "tx"]))
    for key, m in (("u_x", "x"), ("u_tt", "tt"), ("u_xt", "tx")):
        np.testing.assert_allclose(found[key].detach(), expected[m].detach()[:, 0], rtol=1e-9, atol=1e-11)


def test_points_at_the_end_of_a_window_belong_to_it() -> None:
    model = stirred(MaskPINN("wave", TINY, windows=[1.0, 5.0]))
    x = torch.tensor([[0.3, 1.0], [0.3, np.nextafter(1.0, 2.0)], [0.3, -1.0], [0.3, 7.0]])
    found = program_of(model, ())(x)["u"].detach().numpy()
    np.testing.assert_array_equal(found, model.predict(x)[:, 0])
    assert abs(found[1] - found[0]) > 1e-3


def test_an_export_leaves_nothing_at_the_ends_of_windows() -> None:
    model = stirred(MaskPINN(heat(), TINY, exact="all", windows=[0.5, 1.0]))
    x = model.problem.domain.section({}).draw(20, kronecker)
    before = model.predict(x)
    weights = {name: w.clone() for name, w in model.state_dict().items()}
    model.train()
    program_of(model, ("x",))
    assert not any(end._kept for end in model.network.handovers()) and len(model.network.handovers()) == 1
    np.testing.assert_array_equal(model.predict(x), before)
    assert model.network.training and all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())


def test_a_function_that_decides_by_values_is_one_line() -> None:
    def start(p: Any) -> Any:
        return torch.sin(torch.pi * p.x) * (2.0 if float(getattr(p.x, "value", p.x).max()) > 0.5 else 1.0)

    model = MaskPINN(heat(conditions=(Initial(u=start),)), TINY, exact="all")
    with pytest.raises(ValueError, match=r"its program depends on the values of points .*torch's functions of p\.x"):
        program_of(model, ())


REFERENCES: dict[Any, Callable[[torch.Tensor], torch.Tensor]] = {
    aten.erf.default: torch.erf,
    aten.sinh.default: torch.sinh,
    aten.cosh.default: torch.cosh,
    aten.atan.default: torch.arctan,
    aten.expm1.default: torch.expm1,
    aten.log_sigmoid_forward.default: torch.nn.functional.logsigmoid,
}


@pytest.mark.parametrize("operation", REFERENCES, ids=str)
def test_functions_in_place_of_others_have_their_digits(operation: Any) -> None:
    x = torch.cat(
        [torch.linspace(-9, 9, 4001), 10.0 ** torch.linspace(-12, 1, 99), -(10.0 ** torch.linspace(-12, 1, 9))]
    )
    made = (IN_FLOAT64 | REPLACED)[operation](x)
    made, expected = made[0] if isinstance(made, tuple) else made, REFERENCES[operation](x)
    assert ((made - expected).abs() <= 2e-15 * expected.abs().clamp(min=1.0)).all()


@pytest.mark.parametrize("right", [True, False])
def test_places_on_an_axis_are_counted(right: bool) -> None:
    axis, x = torch.linspace(0, 1, 9), torch.tensor([-0.1, 0.0, 0.1, 0.125, 0.9999, 1.0, 1.2])
    made = REPLACED[aten.searchsorted.Tensor](axis, x, right=right)
    assert torch.equal(made, torch.searchsorted(axis, x, right=right))


def test_formats_are_those_of_the_settings() -> None:
    assert tuple(FORMATS) == EXPORTED
