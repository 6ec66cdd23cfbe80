"""Points: inside, on the right faces, reproducible, a pure function of (seed, rank, step, term)."""

from __future__ import annotations

import pytest
import torch

from mask_pinns import PROBLEMS, Box, Data, Points
from mask_pinns.datamodules import SAMPLERS, PointsDataModule
from mask_pinns.datamodules.points import generator
from mask_pinns.problems.loading import make_problem


def draw_unit(name: str, n: int, d: int, seed: int = 0) -> torch.Tensor:
    return SAMPLERS[name](n, d, generator("cpu", seed), torch.float64)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 1), (64, 2), (100, 3)])
def test_samples_lie_in_the_unit_cube(sampler: str, n: int, d: int) -> None:
    x = draw_unit(sampler, n, d)
    assert x.shape[1] == d
    assert len(x) == (int(n ** (1 / d) + 1e-9) ** d if sampler == "grid" else n)
    assert x.min() >= 0
    assert x.max() < 1
    assert x.dtype == torch.float64


def test_latin_hypercube_has_one_point_in_each_slice() -> None:
    x = draw_unit("latin_hypercube", 50, 3)
    for column in x.T:
        assert sorted((column * 50).long().tolist()) == list(range(50))


@pytest.mark.parametrize("n", [10, 1_000, 300_000])
def test_slices_of_single_precision_keep_their_points(n: int) -> None:
    x = SAMPLERS["latin_hypercube"](n, 2, generator("cpu", 0), torch.float32)
    assert all(len((column.double() * n).floor().unique()) == n for column in x.T)


def test_no_two_steps_have_the_same_seed() -> None:
    """A generator of the CPU reads 32 bits of its seed; by chance two of 100,000 steps would have the same."""
    seeds = {generator("cpu", step, 3, 0, "pde").initial_seed() % 2**32 for step in range(100_000)}
    assert len(seeds) == 100_000


def test_sobol_is_more_even_than_uniform() -> None:
    """Error of the mean of a smooth function: quasi-random points beat independent ones by far."""
    f = lambda x: torch.exp(x.sum(1)).mean() - (torch.e - 1) ** 2  # noqa: E731
    sobol = max(abs(float(f(draw_unit("sobol", 1024, 2, s)))) for s in range(10))
    uniform = sum(abs(float(f(draw_unit("uniform", 1024, 2, s)))) for s in range(10)) / 10
    assert sobol < uniform / 10


def test_grid_is_the_midpoints_of_cells() -> None:
    torch.testing.assert_close(
        draw_unit("grid", 4, 2), torch.tensor([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]).double()
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_points_lie_inside_and_on_their_faces(problem: str, sampler: str) -> None:
    problem = make_problem(problem)
    box = problem.domain
    if sampler == "grid" and not isinstance(box, Box):
        with pytest.raises(ValueError, match="the sampler grid is for boxes"):
            PointsDataModule(problem, sampler=sampler)
        return
    points = PointsDataModule(problem, points=200, sampler=sampler).draw(5, dtype=torch.float64)
    assert list(points) == [term.name for term in problem.terms]
    for term in problem.terms:
        faces = term.place(box).pieces
        for face, x in zip(faces, points[term.name].chunk(len(faces)), strict=True):
            x = x[:, : len(box)]  # what was measured there stands beside
            assert face.holds(x).all() or (isinstance(term, Data) and box.contains(Points(x, box.names)).all())
            for i, name in enumerate(box.names):
                fixed = getattr(face, "fixed", {})
                if name in fixed or abs(face.normal.get(name, 0.0)) == 1.0:
                    assert torch.all(x[:, i] == fixed.get(name, x[0, i]))
                else:
                    assert x[:, i].min() >= box.low[i]
                    assert x[:, i].max() <= box.high[i]
                    assert len(x[:, i].unique()) > 1


def test_published_numbers_of_points() -> None:
    points = PointsDataModule(make_problem("wave"), points={"pde": 5000, "initial": 400, "dirichlet_x": 400}).draw(0)
    assert {k: len(v) for k, v in points.items()} == {"pde": 5000, "initial": 400, "dirichlet_x": 800}


def test_both_walls_of_a_periodic_condition_share_their_points() -> None:
    low, high = PointsDataModule(make_problem("convection"), points=50).draw(0)["periodic_x"].chunk(2)
    assert torch.equal(low[:, 1], high[:, 1])


def test_points_are_a_pure_function_of_seed_rank_step_and_term() -> None:
    problem = make_problem("wave")
    data = PointsDataModule(problem, points=50, seed=3)
    first = data.draw(7)
    torch.rand(10)  # the global generator plays no part
    data.draw(8)
    again = PointsDataModule(problem, points=50, seed=3).draw(7)
    assert all(torch.equal(first[k], again[k]) for k in first)
    for other in (data.draw(8), data.draw(7, rank=1), PointsDataModule(problem, points=50, seed=4).draw(7)):
        assert not any(torch.equal(first[k], other[k]) for k in first)
    assert not torch.equal(first["initial"][:5, 0], first["dirichlet_x"][:5, 1] / 5)


def test_the_points_of_a_term_do_not_depend_on_the_others() -> None:
    few, many = (PointsDataModule(make_problem("wave"), points={"pde": n, "initial": 10}).draw(0) for n in (10, 99))
    assert torch.equal(few["initial"], many["initial"])


def test_ranks_share_the_points_out() -> None:
    data = PointsDataModule(make_problem("wave"), points={"pde": 100})
    assert sum(len(data.draw(0, rank=r, world_size=4)["pde"]) for r in range(4)) == 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": {"boundry": 3}}, "unknown point set of Wave 'boundry'"),
        ({"points": {"initial": 0}}, "at least 1"),
        ({"points": -5}, "at least 1"),
        ({"sampler": "latin"}, "unknown sampler"),
        ({"resample": -1}, "negative"),
    ],
)
def test_refusals(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PointsDataModule(make_problem("wave"), **arguments)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_points_do_not_depend_on_the_default_dtype(sampler: str) -> None:
    drawn = []
    for default in (torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            drawn.append(
                PointsDataModule(make_problem("wave"), points=16, sampler=sampler).draw(3, dtype=torch.float64)
            )
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(x, drawn[1][name]) for name, x in drawn[0].items())


def test_shares_of_ranks_are_equal_and_rounded_up() -> None:
    data = PointsDataModule(make_problem("wave"), points={"pde": 10, "initial": 8})
    shares = [data.draw(0, rank, 4) for rank in range(4)]
    assert {(len(x["pde"]), len(x["initial"])) for x in shares} == {(3, 2)}
    assert data.uneven(4) == "pde"
