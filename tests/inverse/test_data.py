"""Measurements as a condition: what counts, where it is missing, how it travels to the loss and its Jacobian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import fit, small_network
from malformed import refused

from mask_pinns import Box, Data, Dirichlet, Disk, MaskPINN, Objective, PointsDataModule, Problem
from mask_pinns.cli.plan import plan
from mask_pinns.jets import Jet
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.derived.determinacy import coupled_terms
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.problems.derived.statement import contradiction, statement

pytestmark = pytest.mark.usefixtures("float64")
K = 0.1
NAN = float("nan")


def table(n: int = 7, seed: int = 0, noise: float = 0.0) -> dict[str, np.ndarray]:
    """Measurements of u = exp(-K pi^2 t) sin(pi x), and of its slope."""
    draw = np.random.default_rng(seed)
    x, t = draw.random(n), draw.random(n)
    decay, e = np.exp(-K * np.pi**2 * t), noise * draw.standard_normal(n)
    return {"x": x, "t": t, "u": decay * np.sin(np.pi * x) + e, "u_x": np.pi * decay * np.cos(np.pi * x)}


def cooling(*conditions: Any, **attributes: Any) -> Any:
    own = {
        "domain": Box(x=(0.0, 1.0), t=(0.0, 1.0)), "derivatives": ("t", "xx"),
        "conditions": (Dirichlet("x", u=0.0), *conditions), "residual": lambda self, p, u: u.t - K * u.xx,
    }  # fmt: skip
    return type("Cooling", (Problem,), own | attributes)()


def vectors(problem: Any, points: Any = None, seed: int = 0) -> tuple[dict[str, torch.Tensor], Any]:
    """The residuals at the rows of the table by their names, and the network."""
    network = small_network("masked", len(problem.domain), len(problem.fields), seed=seed)
    residuals = Objective(problem).residuals(network, points or PointsDataModule(problem, points=9).draw(0))
    return {name: r.vector.detach() for name, r in residuals.items() if name.startswith("data")}, network


def of(rows: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: rows[name] for name in names}


# ---- residuals ----------------------------------------------------------------------------------------------------


def test_residuals_are_differences_over_the_noise() -> None:
    rows = table()
    rows["sigma"] = np.linspace(0.1, 0.7, 7)
    found, network = vectors(cooling(Data(rows, noise={"u": 0.05, "u_x": "sigma"})))
    x = torch.tensor(np.stack([rows["x"], rows["t"]], 1), requires_grad=True)
    u = network(x)[:, 0]
    (slope,) = torch.autograd.grad(u.sum(), x)
    expected = {"data.u": (torch.tensor(rows["u"]) - u) / 0.05}
    expected["data.u_x"] = (torch.tensor(rows["u_x"]) - slope[:, 0]) / torch.tensor(rows["sigma"])
    assert found.keys() == expected.keys()
    for name, vector in expected.items():
        torch.testing.assert_close(found[name], vector.detach(), rtol=1e-12, atol=1e-12)


def test_one_quantity_has_the_name_of_the_condition_and_no_noise_is_one() -> None:
    rows = of(table(), "x", "t", "u")
    found, network = vectors(cooling(Data(rows)))
    by_noise, _ = vectors(cooling(Data(rows, noise=0.25)))
    u = network(torch.tensor(np.stack([rows["x"], rows["t"]], 1)))[:, 0].detach()
    torch.testing.assert_close(found["data"], torch.tensor(rows["u"]) - u)
    torch.testing.assert_close(by_noise["data"], 4.0 * found["data"])


def test_missing_values_do_not_count() -> None:
    """The mean square over all rows is that over the rows with a value; noise may be missing there, too."""
    rows = of(table(), "x", "t", "u") | {"sigma": np.full(7, 0.1)}
    whole, _ = vectors(cooling(Data(rows, noise="sigma")))
    rows["u"] = rows["u"].copy()
    rows["u"][[1, 4]] = rows["sigma"][[1, 4]] = NAN
    found, _ = vectors(cooling(Data(rows, noise="sigma")))
    present = ~np.isnan(rows["u"])
    assert not found["data"][~present].any()
    torch.testing.assert_close(found["data"].square().mean(), whole["data"][present].square().mean())


@pytest.mark.parametrize("kind", ["tensor", "field", "tuple", "dict"])
def test_quantities_that_are_observed(kind: str) -> None:
    """One column for each; a single tensor may be called anything."""
    flux: dict[str, Any] = {
        "tensor": lambda p, u: -K * u.x + p.t,
        "field": lambda p, u: u,
        "tuple": lambda p, u: (u, u.x),
        "dict": lambda p, u: {"u_x": u.x, "u": u.abs()},
    }
    rows = table() if kind in ("tuple", "dict") else of(table(), "x", "t", "u") | {"reading": table()["u_x"]}
    if kind in ("tensor", "field"):
        del rows["u"]
    problem = cooling(Data(rows, observe=flux[kind], derivatives=("x",)))
    found, network = vectors(problem)
    assert list(found) == (["data.u", "data.u_x"] if "u" in rows else ["data"])
    u = network(torch.tensor(np.stack([rows["x"], rows["t"]], 1)))[:, 0].detach()
    expected = {"field": rows.get("reading"), "tuple": rows.get("u"), "dict": rows.get("u")}.get(kind)
    if expected is not None:
        torch.testing.assert_close(
            next(iter(found.values())), torch.tensor(expected) - (abs(u) if kind == "dict" else u)
        )


def test_on_a_domain_with_shape_and_with_several_fields() -> None:
    rows = {"x": [0.0, 0.5], "y": [1.0, 0.5], "v": [0.1, 0.2]}  # one of them on the circle, up to rounding
    disk = Disk(x=0.0, y=0.0, radius=1.0)
    flow: dict[str, Any] = {
        "domain": disk, "fields": ("u", "v"), "derivatives": ("x", "y"),
        "residual": lambda self, p, u, v: (u.x - v.y, u.y + v.x),
    }  # fmt: skip
    assert vectors(cooling(**flow, conditions=(Data(rows), Dirichlet(disk, u=1.0))))[0]["data"].shape == (2,)
    outside = Data({"x": [0.0, 0.8], "y": [0.0, 0.8], "u": [1.0, 1.0]})
    refused("row 2, column 'x': the point x = 0.8, y = 0.8 lies outside", **flow, conditions=outside)


# ---- points -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["latin_hypercube", "sobol", "grid"])
def test_every_rank_and_every_step_has_all_rows(sampler: str) -> None:
    rows = table()
    problem = cooling(Data(rows))
    data = PointsDataModule(problem, points=20, sampler=sampler)
    first = data.draw(0, 0, 2)["data"]
    assert torch.equal(first[:, :4], torch.tensor(np.stack(list(rows.values()), 1)))
    assert torch.equal(first, data.draw(5, 1, 2)["data"])
    assert data.draw(0, dtype=torch.float32)["data"].dtype == torch.float32
    assert data.counts["data"] == 7 and data.uneven(2) == ""
    with pytest.raises(ValueError, match=r"points for 'data': 5; all 7 rows of its table are taken"):
        PointsDataModule(problem, points={"pde": 20, "data": 5})


def test_check_points_start_again_where_there_are_few() -> None:
    place = Data({"x": [0.1, 0.2], "t": [0.3, 0.4], "u": [1.0, 2.0]}).place(Box(x=(0, 1), t=(0, 1)))
    assert place.check_points(torch.empty(0), 3)[:, 2].tolist() == [1.0, 2.0, 1.0]


def test_the_plan_counts_the_rows() -> None:
    module = MaskPINN(cooling(Data(table())), {"name": "masked", "width": 4, "blocks": 1}, exact="auto").double()
    points = PointsDataModule(module.problem, points=30, hard=module.objective.hard).draw(0)
    assert dict(plan(module, points, 2))["term data"].startswith("7 points; data.u (weight 1), data.u_x")
    assert "has noise" in module.network.soft_reasons["data"]  # type: ignore[index, union-attr]
    with pytest.raises(ValueError, match="condition 'data' of Cooling, a Data, cannot be made exact"):
        MaskPINN(module.problem, "masked", exact="data")


# ---- the loss -----------------------------------------------------------------------------------------------------


def test_jacobian_equals_autograd_and_chunks_equal_the_whole() -> None:
    rows = table()
    rows["u"][2] = NAN
    problem = cooling(Data(rows, noise={"u": 0.1}, weight=3.0))
    objective, network = Objective(problem), small_network("masked", 2, 1)
    points = PointsDataModule(problem, points=9).draw(0)
    term, parameters = problem.terms[-1], {k: p.detach() for k, p in network.named_parameters()}

    def vector(parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        jet = Jet.of_coordinates(points["data"][:, :2], ("x", "t"), objective.needs["data"].derivatives)
        outputs = torch.func.functional_call(network, parameters, (jet,))
        return torch.cat([r.scaled for r in objective.term_residuals(term, outputs, points["data"]).values()])

    by_name = torch.func.jacrev(vector)(parameters)
    expected = torch.cat([by_name[k].flatten(1) for k in parameters], 1)
    for chunk, chunks in ((1000, 1), (3, 3)):
        rows_of = [j for _, j in Jacobian(objective, network, chunk).blocks(points)][-2 * chunks :]
        in_order = torch.cat(rows_of[::2] + rows_of[1::2])  # u of each chunk, then u_x
        torch.testing.assert_close(in_order, expected, rtol=1e-10, atol=1e-10)
        assert expected[2].abs().max() == 0.0 < expected[9].abs().max()


def test_nested_derivatives_give_the_same_residuals() -> None:
    problem = cooling(Data(table(), noise=0.1))
    network, points = small_network("masked", 2, 1), PointsDataModule(problem, points=9).draw(0)
    by_engine = [Objective(problem, derivatives=e).residual_vector(network, points) for e in ("jet", "autograd")]
    torch.testing.assert_close(*by_engine)


def test_gauss_newton_fits_the_measurements() -> None:
    problem = cooling(Data(table(30, noise=0.01), noise={"u": 0.01}))
    torch.manual_seed(0)
    module = MaskPINN(problem, {"name": "masked", "width": 8, "blocks": 1}, "gauss_newton", exact="auto")
    points = PointsDataModule(problem, points=60, hard=module.objective.hard).draw(0)
    first, _ = module.double().objective.loss(module.network, points)
    fit(module, 12, points=60)
    loss, terms = module.objective.loss(module.network, points)
    assert loss < 1e-2 * first and terms["data.u"] < 3.0


def test_values_give_fields_their_size_and_noise_gives_residuals_theirs() -> None:
    rows = of(table(), "x", "t", "u")
    rows["u"] = 300.0 + 10.0 * np.linspace(-1.0, 1.0, 7)
    rows["u"][3] = NAN
    problem = cooling(conditions=(Data(rows, noise=2.0), Data(rows, name="b")))
    scales = characteristic_scales(problem)
    assert (scales.offsets["u"], scales.sizes["u"]) == (pytest.approx(300.0), pytest.approx(10.0))
    assert scales.residuals["data"] == pytest.approx((7 / 6 * 6 / 7) ** 0.5 * 10 / 2.0, rel=0.3)
    assert coupled_terms(problem) == []


def test_symmetry_and_periodicity_do_not_ask_for_images() -> None:
    rows = of(table(), "x", "t", "u")
    problem = cooling(conditions=(Dirichlet("x", u=0.0), Data(rows)))
    MaskPINN(problem, {"name": "masked", "width": 4, "blocks": 1}, symmetry={"x": "even"}).check()
    free = cooling(conditions=(Data(rows),))
    MaskPINN(free, {"name": "masked", "width": 4, "blocks": 1}, embedding={"periodic": ["x"]}).check()


# ---- changes ------------------------------------------------------------------------------------------------------


def test_a_statement_notices_what_changes() -> None:
    rows = table()
    there = statement(cooling(Data(rows, noise=0.1)))
    assert contradiction(there, statement(cooling(Data(table(), noise=0.1)))) == ""
    for column in ("x", "u", "u_x"):
        changed = rows | {column: rows[column] + 1e-4 * (np.arange(7) == 3)}
        assert "'data" in contradiction(there, statement(cooling(Data(changed, noise=0.1)))), column
    for other in (Data(rows, noise=0.11), Data({k: v[1:] for k, v in rows.items()}, noise=0.1)):
        assert "'data" in contradiction(there, statement(cooling(other)))


FILE = """
from mask_pinns import Box, Data, Dirichlet, Problem

class Cooling(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t", "xx")
    conditions = (Dirichlet("x", u=0.0), Data("thermometers.csv", noise=0.01))

    def residual(self, p, u):
        return u.t - 0.1 * u.xx
"""


def test_a_run_with_a_table_beside_the_file_of_the_problem(command: Any, tmp_path: Path) -> None:
    """It goes on with the same table only; the table sets the number of its points."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "cooling.py").write_text(FILE)
    (folder / "thermometers.csv").write_text("x,t,u\n0.5,0.1,0.9\n0.2,0.4,\n0.7,0.6,0.5\n")
    words = ["--problem", str(folder / "cooling.py"), "--steps", "2", "--name", "a"]
    code, _, err = command(*words, "--points.data", "5")
    assert code == 2 and "all 3 rows of its table are taken" in err, err
    assert command(*words)[0] == 0
    resume = ["--resume", str(tmp_path / "runs/a"), "--steps", "3"]
    (folder / "thermometers.csv").write_text("x,t,u\n0.5,0.1,0.9\n0.2,0.4,\n0.7,0.6,0.51\n")
    code, _, err = command(*resume, tiny=False)
    assert code == 2 and "the residual 'data' says something else" in err and err.count("\n") == 1, err
    (folder / "thermometers.csv").write_text("x,t,u\n0.5,0.1,0.90\n0.2,0.4,nan\n0.7,0.6,0.5\n")
    assert command(*resume, tiny=False)[0] == 0
