"""Dense quasi-Newton methods: the published update written out, functions with known minima, state, options."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mask_pinns.optim.broyden import VARIANTS, SelfScaledBroyden, ssbroyden

Loss = Callable[[torch.Tensor], torch.Tensor]


def parameters(n: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.nn.Parameter(torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def closure(optimizer: torch.optim.Optimizer, p: torch.Tensor, f: Loss) -> Callable[[], torch.Tensor]:
    def call() -> torch.Tensor:
        optimizer.zero_grad()
        loss = f(p)
        loss.backward()
        return loss

    return call


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def bumpy(x: torch.Tensor) -> torch.Tensor:
    """Not convex, all variables coupled."""
    a = torch.linspace(0.5, 4, len(x) ** 2, dtype=x.dtype).reshape(len(x), -1).cos()
    return ((a @ x - 1) ** 2).sum() + torch.sin(3 * x).sum() + 0.1 * (x**4).sum()


def gradient(f: Loss, x: torch.Tensor) -> np.ndarray:
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(f(x), x)[0].numpy()


def published(variant: str, H: np.ndarray, s: np.ndarray, y: np.ndarray, scale_first: bool) -> np.ndarray:
    """The update letter by letter; s'Bs by solving with H, not by the step length."""
    n, r, Hy = len(s), 1 / (y @ s), H @ y
    h, b = r * (y @ Hy), r * (s @ np.linalg.solve(H, s))
    c = b * h - 1
    theta, tau = 0.0, min(1, 1 / b) if variant == "ssbfgs" else 1.0
    if variant == "ssbroyden":
        rho_minus = min(1, h * (1 - math.sqrt(abs(c) / (1 + c))))
        theta = max((rho_minus - 1) / c, min(1 / rho_minus, (1 - b) / b))
        rho, sigma = min(1, 1 / b), 1 + theta * c
        power = abs(sigma) ** (1 / (1 - n))
        tau = min(rho * power, sigma) if theta <= 0 else rho * min(power, 1 / theta)
    if scale_first:
        tau = h / (1 + theta * c)
    phi, v = (1 - theta) / (1 + c * theta), r * s - Hy / (y @ Hy)
    rest = H - np.outer(Hy, Hy) / (y @ Hy) + phi * (y @ Hy) * np.outer(v, v)
    return rest / tau + r * np.outer(s, s)


@pytest.mark.parametrize("scaling", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_update_is_the_published_one(variant: str, scaling: bool) -> None:
    p = parameters(7)
    optimizer = SelfScaledBroyden([p], variant=variant, max_iter=1, initial_scaling=scaling)
    H = np.eye(7)
    for iteration in range(12):
        x, before = p.detach().clone(), gradient(bumpy, p)
        optimizer.step(closure(optimizer, p, bumpy))
        s, y = (p.detach() - x).numpy(), gradient(bumpy, p) - before
        assert np.allclose(s / np.linalg.norm(s), -H @ before / np.linalg.norm(H @ before), rtol=1e-9, atol=1e-9)
        expected = published(variant, H, s, y, scaling and iteration == 0)
        H = optimizer.state[p]["H"].numpy().copy()
        np.testing.assert_allclose(H, expected, rtol=1e-7, atol=1e-9 * abs(expected).max())
        np.testing.assert_allclose(H @ y, s, rtol=1e-7, atol=1e-9, err_msg="the secant equation")
        assert np.array_equal(H, H.T)
    assert optimizer.state[p]["updates"] == 12


@pytest.mark.parametrize("b", [0.05, 0.3, 0.8, 3.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_update_in_every_branch_of_theta_and_tau(variant: str, seed: int, b: float) -> None:
    """b = s'H^-1 s / y's on either side of 1/2 and of 1, where the published formula changes."""
    rng = np.random.default_rng(seed)
    root, s = rng.normal(size=(6, 6)), rng.normal(size=6)
    H = root @ root.T + 0.1 * np.eye(6)
    y = np.linalg.solve(H, s) + 0.1 * rng.normal(size=6)
    y *= np.sign(y @ s)
    H *= (s @ np.linalg.solve(H, s)) / (y @ s) / b
    p = parameters(6)
    optimizer = SelfScaledBroyden([p], variant=variant)
    optimizer.state[p] = {"H": torch.from_numpy(H.copy()), "updates": 1, "evaluations": 0}
    optimizer._update(torch.from_numpy(s), torch.from_numpy(y), float(s @ np.linalg.solve(H, s)))
    updated = optimizer.state[p]["H"].numpy()
    expected = published(variant, H, s, y, False)
    np.testing.assert_allclose(updated, expected, rtol=1e-9, atol=1e-9 * abs(expected).max())
    assert np.linalg.eigvalsh(updated).min() > 0


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_at_theta_zero_the_update_is_bfgs_of_the_scaled_matrix(tau: float) -> None:
    """(I - r s y') H/tau (I - r y s') + r s s': the textbook's product form; tau = min(1, 1/b) makes it ssbfgs."""
    rng = np.random.default_rng(0)
    root, s, y = rng.normal(size=(5, 5)), rng.normal(size=5), rng.normal(size=5)
    y *= np.sign(y @ s)
    H = root @ root.T
    r = 1 / (y @ s)
    H *= (s @ np.linalg.solve(H, s)) * r * tau  # makes b = 1/tau
    factor = np.eye(5) - r * np.outer(s, y)
    expected = factor @ (H / tau) @ factor.T + r * np.outer(s, s)
    np.testing.assert_allclose(published("bfgs" if tau == 1 else "ssbfgs", H, s, y, False), expected, rtol=1e-9)


@pytest.mark.parametrize("h", [1.5, 40.0])
def test_where_no_scaling_is_due_ssbroyden_is_bfgs(h: float) -> None:
    """b = s'H^-1 s / y's = 1: H^-1 has the right curvature along s."""
    assert ssbroyden(h, 1.0, 9) == (0.0, 1.0, 1.0) == VARIANTS["bfgs"](h, 1.0, 9)


@given(h=st.floats(1e-12, 1e12), b=st.floats(1e-12, 1e12), n=st.integers(1, 8000))
def test_theta_and_tau_keep_the_matrix_positive_definite(h: float, b: float, n: int) -> None:
    """theta <= 1, sigma = 1 + c theta > 0 and 0 < tau <= 1, whatever rounding does to c."""
    theta, sigma, tau = ssbroyden(h, b, n)
    assert math.isfinite(theta) and theta <= 1 and sigma > 0 and 0 < tau <= 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_quadratic_is_solved_in_about_n_iterations_by_near_exact_line_searches(variant: str) -> None:
    n = 10
    scale = torch.logspace(0, 2, n, dtype=torch.float64)
    p = parameters(n)
    optimizer = SelfScaledBroyden([p], variant=variant, max_iter=n + 4, c2=1e-3)
    optimizer.step(closure(optimizer, p, lambda x: (scale * x * x).sum()))
    assert float((scale * p.detach() ** 2).sum()) < 1e-18
    if variant == "bfgs":
        H = optimizer.state[p]["H"]
        torch.testing.assert_close(H, torch.diag(1 / (2 * scale)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n", [2, 10])
@pytest.mark.parametrize("variant", VARIANTS)
def test_rosenbrock(variant: str, n: int) -> None:
    p = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64).repeat(n // 2))
    optimizer = SelfScaledBroyden([p], variant=variant, max_iter=150)
    optimizer.step(closure(optimizer, p, rosenbrock))
    assert float(rosenbrock(p.detach())) < 1e-12
    assert optimizer.state[p]["evaluations"] < 400


def test_float32_and_several_parameters() -> None:
    """One of them, without a gradient, stays where it is."""
    a, b, idle = (torch.nn.Parameter(torch.full(shape, 0.5)) for shape in ((2, 3), (4,), (2,)))
    optimizer = SelfScaledBroyden([a, idle, b])

    def f() -> torch.Tensor:
        optimizer.zero_grad()
        loss = rosenbrock(torch.cat([a.reshape(-1), b]))
        loss.backward()
        return loss

    for _ in range(5):
        loss = optimizer.step(f)
    assert float(loss.detach()) < 1e-8
    assert torch.equal(idle.detach(), torch.full((2,), 0.5))
    assert optimizer.state[a]["H"].shape == (12, 12)
    assert optimizer.state[a]["H"].dtype == torch.float32


def test_state_travels_to_the_last_bit() -> None:
    def train(p: torch.Tensor, steps: int, state: dict | None = None) -> dict:
        optimizer = SelfScaledBroyden([p], max_iter=4)
        if state is not None:
            file = io.BytesIO()
            torch.save(state, file)
            file.seek(0)
            optimizer.load_state_dict(torch.load(file, weights_only=True))
        for _ in range(steps):
            optimizer.step(closure(optimizer, p, bumpy))
        return optimizer.state_dict()

    whole, halves = parameters(9), parameters(9)
    at_once = train(whole, 6)
    in_two = train(halves, 3, train(halves, 3))
    assert torch.equal(whole, halves)
    assert torch.equal(at_once["state"][0]["H"], in_two["state"][0]["H"])
    assert at_once["state"][0]["updates"] == in_two["state"][0]["updates"] > 12


def trained() -> tuple[torch.Tensor, SelfScaledBroyden]:
    p = parameters(5)
    optimizer = SelfScaledBroyden([p], max_iter=6)
    optimizer.step(closure(optimizer, p, bumpy))
    return p, optimizer


def test_fresh_points_keep_a_positive_definite_matrix_symmetrized() -> None:
    p, optimizer = trained()
    H = optimizer.state[p]["H"].clone()
    optimizer.state[p]["H"][0, 1] += 1e-3
    optimizer.points_changed()
    H[0, 1] += 5e-4
    H[1, 0] += 5e-4
    torch.testing.assert_close(optimizer.state[p]["H"], H, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("broken", [-1.0, math.nan])
def test_fresh_points_drop_any_other_matrix(broken: float) -> None:
    p, optimizer = trained()
    optimizer.state[p]["H"][2, 2] = broken
    optimizer.points_changed()
    assert not optimizer.state
    optimizer.points_changed()  # with nothing remembered, nothing happens
    assert not optimizer.state[p]


@pytest.mark.parametrize("broken", [-1.0, math.nan])
def test_a_matrix_that_gives_no_descent_is_dropped(broken: float) -> None:
    p, optimizer = trained()
    optimizer.state[p]["H"] *= broken
    before = float(optimizer.step(closure(optimizer, p, bumpy)).detach())
    assert float(bumpy(p.detach())) < before
    assert optimizer.state[p]["updates"] <= 6


def test_negative_curvature_moves_the_point_but_not_the_matrix() -> None:
    p = parameters(3)
    optimizer = SelfScaledBroyden([p], max_iter=1, max_search=1)
    before = float(optimizer.step(closure(optimizer, p, lambda x: -(x * x).sum())).detach())
    assert -float((p.detach() ** 2).sum()) < before
    assert optimizer.state[p]["updates"] == 0
    assert torch.equal(optimizer.state[p]["H"], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize(
    "f", [lambda x: (x * torch.nan).sum(), lambda x: 0 * x.sum(), lambda x: (1 / torch.zeros(1)) * x.sum()]
)
def test_where_there_is_nothing_to_do_nothing_moves(f: Loss) -> None:
    p = parameters(3)
    before = p.detach().clone()
    optimizer = SelfScaledBroyden([p])
    optimizer.step(closure(optimizer, p, f))
    assert torch.equal(p.detach(), before)


def test_no_step_ends_higher_than_it_began() -> None:
    """A rough function with NaN in it; the next step's first evaluation is where the last one ended."""
    p = parameters(4)
    optimizer = SelfScaledBroyden([p], max_iter=3, max_search=4)

    def rough(x: torch.Tensor) -> torch.Tensor:
        return (x**2).sum() + 0.5 * torch.sin(40 * x).sum() - 0.01 * torch.log(2.0 - x).sum()

    losses = [float(optimizer.step(closure(optimizer, p, rough)).detach()) for _ in range(20)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(losses))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "ssbroyde"}, "did you mean 'ssbroyden'"),
        ({"max_iter": 0}, "max_iter is 0"),
        ({"max_search": 0}, "max_search is 0"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"c1": 0.9, "c2": 0.1}, "expected 0 < c1 < c2 < 1"),
    ],
)
def test_refused_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SelfScaledBroyden([parameters(2)], **options)


def test_one_group_only() -> None:
    with pytest.raises(ValueError, match="2 parameter groups; SelfScaledBroyden takes one"):
        SelfScaledBroyden([{"params": [parameters(2)]}, {"params": [parameters(2)]}])
