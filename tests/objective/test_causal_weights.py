"""Causal weights of points in time, against computations written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from causal import causal_parts
from helpers import fit, module
from torch import Tensor

from mask_pinns import MaskPINN, Objective
from mask_pinns.objective.adaptive_weights import (
    CAUSAL_TIME_BINS,
    LEAST_CAUSAL_WEIGHT,
    causal_weights,
)
from mask_pinns.objective.jacobian import Jacobian


@pytest.fixture(autouse=True)
def _float64(float64: None) -> None:
    """All of it in float64."""


def by_hand(residuals: list[Tensor], time: Tensor, epsilon: float) -> Tensor:
    """Point by point, bin by bin."""
    bins = [min(int(t * CAUSAL_TIME_BINS), CAUSAL_TIME_BINS - 1) for t in time.tolist()]
    means = []
    for k in range(CAUSAL_TIME_BINS):
        inside = [sum(float(r.detach()[i]) ** 2 for r in residuals) for i, b in enumerate(bins) if b == k]
        means.append(sum(inside) / len(inside) if inside else 0.0)
    return torch.tensor([math.exp(-epsilon * sum(means[:b])) for b in bins])


@pytest.mark.parametrize("n", [9, 500])
@pytest.mark.parametrize("fields", [1, 2])
def test_causal_weights_equal_a_direct_computation_and_fall_in_time(n: int, fields: int) -> None:
    torch.manual_seed(n)
    time = torch.cat([torch.rand(n - 2), torch.tensor([0.0, 1.0])])
    residuals = [torch.randn(n, requires_grad=True) for _ in range(fields)]
    weights = causal_weights(residuals, time, 0.1)
    torch.testing.assert_close(weights, by_hand(residuals, time, 0.1))
    ordered = weights[time.argsort()]
    assert (ordered.diff() <= 0).all()
    assert ordered[0] == 1 and ordered[-1] < 0.9
    assert not weights.requires_grad
    assert torch.equal(causal_weights(residuals, time, 0.0), torch.ones(n))


@pytest.mark.parametrize("engine", ["jet", "autograd"])
@pytest.mark.parametrize("problem", ["burgers", "wave", "klein_gordon"])
def test_loss_and_residual_vector_carry_the_causal_weights(problem: str, engine: str) -> None:
    objective, network, points = causal_parts(problem, engine)
    loss, terms = objective.loss(network, points)
    plain = Objective(objective.problem, weights={"pde": 0.3}, derivatives=engine)
    before, unweighted = plain.loss(network, points)
    torch.testing.assert_close(terms, unweighted)  # what is logged has no weights
    r = plain.residuals(network, points)["pde"].vector
    low, high = objective.problem.domain["t"]
    time = (points["pde"][:, objective.problem.domain.names.index("t")] - low) / (high - low)
    weights = by_hand([r], time, 2.0)
    assert weights.min() < 0.5
    torch.testing.assert_close(loss, before - 0.3 * (1 - weights) @ r.square() / len(r))
    torch.testing.assert_close(objective.residual_vector(network, points).square().sum(), loss)
    torch.testing.assert_close(objective.unadapted_loss(network, points), before)


@pytest.mark.parametrize("chunk", [7, 1000])
def test_the_jacobian_carries_the_causal_weights(chunk: int) -> None:
    objective, network, points = causal_parts()
    v = objective.residual_vector(network, points)
    parameters = list(network.parameters())
    gradient = torch.autograd.grad(objective.loss(network, points)[0], parameters, allow_unused=True)
    expected = torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for g, p in zip(gradient, parameters, strict=True)]
    )
    blocks = list(Jacobian(objective, network, chunk).blocks(points))
    torch.testing.assert_close(sum(b.square().sum() for b, _ in blocks), v.detach().square().sum())
    torch.testing.assert_close(sum(2 * j.T @ b for b, j in blocks), expected, rtol=1e-9, atol=1e-11)
    Jacobian(objective, network).check(points)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_causal_weights_compile_in_one_graph() -> None:
    objective, network, points = causal_parts()
    compiled = torch.compile(objective.loss, fullgraph=True, backend="eager", dynamic=False)
    torch.testing.assert_close(compiled(network, points)[0], objective.loss(network, points)[0])


def test_causal_weights_that_are_refused() -> None:
    with pytest.raises(ValueError, match="need a coordinate t, but Helmholtz has x, y"):
        MaskPINN("helmholtz", causal=1.0)
    with pytest.raises(ValueError, match=r"causal is -1\.0"):
        MaskPINN("wave", causal=-1.0)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--problem", "helmholtz", "--causal", "1"], "need a coordinate t, but Helmholtz has x, y"),
        (["--causal", "-1"], "causal"),
        (["--causal", "much"], "causal"),
        (["--balance", "-1"], "balance"),
        (["--balance", "0.5"], "balance"),
    ],
)
def test_flags_that_are_refused(command, flags: list[str], message: str) -> None:
    torch.set_default_dtype(torch.float32)
    code, _, err = command("--steps", "1", *flags)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


@pytest.mark.parametrize("optimizer", ["adam", "gauss_newton", "lbfgs"])
def test_causal_runs_train(command, optimizer: str) -> None:
    torch.set_default_dtype(torch.float32)
    code, _, err = command("--causal", "1", "--steps", "3", "--optimizer", optimizer)
    assert (code, err) == (0, "")


def test_fixed_causal_weights_stay_while_the_network_moves() -> None:
    objective, network, points = causal_parts()
    loss, _ = objective.loss(network, points)
    objective.freeze_causal_weights(network, points)
    torch.testing.assert_close(objective.loss(network, points)[0], loss)
    weights = objective.adaptive.frozen_causal_weights.clone()
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(1.5)
    r = objective.residuals(network, points)["pde"]
    torch.testing.assert_close(r.adaptive_weight, weights)
    fixed = objective.loss(network, points)[0]
    objective.adaptive.frozen_causal_weights = None
    assert not torch.isclose(objective.loss(network, points)[0], fixed), "free weights follow the network"


def test_later_times_keep_a_little_weight_if_asked() -> None:
    objective, network, points = causal_parts()
    objective.freeze_causal_weights(network, points)
    free = objective.adaptive.frozen_causal_weights.clone()
    objective.freeze_causal_weights(network, points, least=0.5)
    assert free.min() < 0.5
    torch.testing.assert_close(objective.adaptive.frozen_causal_weights, free.clamp(min=0.5))


def test_causal_weights_of_ranks_are_those_of_all_points() -> None:
    torch.manual_seed(0)
    time, residual = torch.rand(200), torch.randn(200)
    halves = [slice(0, 100), slice(100, 200)]
    sums: list[Tensor] = []

    def gather(x: Tensor) -> Tensor:
        sums.append(x)
        return x

    for half in halves:
        causal_weights([residual[half]], time[half], 0.1, gather)
    mean = torch.stack(sums).mean(0)
    parts = [causal_weights([residual[half]], time[half], 0.1, lambda _: mean) for half in halves]
    torch.testing.assert_close(torch.cat(parts), causal_weights([residual], time, 0.1))


@pytest.mark.parametrize("optimizer", ["gauss_newton", "ssbroyden", "lbfgs"])
def test_a_step_that_searches_sees_one_loss(optimizer: str) -> None:
    """Causal weights are fixed within the step: at its end they are those of its start."""
    m = module(optimizer, causal=5.0)
    seen: list[Tensor] = []
    whole = m.objective.term_residuals

    def noted(term: Any, jet: Any, x: Tensor, *unknowns: Any) -> Any:
        residuals = whole(term, jet, x, *unknowns)
        if term.name == "pde" and len(x) == 100:  # not the few points of a check
            seen.append(residuals["pde"].adaptive_weight.detach().clone())
        return residuals

    m.objective.term_residuals = noted  # type: ignore[method-assign]
    fit(m, 1)
    first, *rest = seen  # the evaluation that fixes them, and those of the step
    assert len(rest) > 1 and first.min() < 0.9
    assert all(torch.equal(w, first.clamp(min=LEAST_CAUSAL_WEIGHT)) for w in rest)
