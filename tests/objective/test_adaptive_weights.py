"""Weights that the training finds itself: causal weights and gradient balance, against computations written out."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from helpers import fit, module, same_weights, small_network
from torch import Tensor

from mask_pinns import MaskPINN, Objective
from mask_pinns.callbacks import LastCheckpoint
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective import AdaptiveWeights
from mask_pinns.objective.adaptive_weights import (
    CAUSAL_TIME_BINS,
    LEAST_CAUSAL_WEIGHT,
    balance_multipliers,
    causal_weights,
)
from mask_pinns.objective.checks import check_objective
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.problems.loading import make_problem


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


def causal_parts(problem: str = "burgers", engine: str = "jet") -> tuple[Objective, torch.nn.Module, dict[str, Tensor]]:
    p = make_problem(problem)
    objective = Objective(p, weights={"pde": 0.3}, derivatives=engine, causal=2.0)
    return objective, small_network("masked", len(p.domain), len(p.fields)), PointsDataModule(p, points=40).draw(0)


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


# ---- balance ---------------------------------------------------------------------------------------------------


def balancing(optimizer: Any = "adam", every: int = 2, **options: Any) -> MaskPINN:
    return module(optimizer, balance=every, weights={"initial": 5.0}, **options)


@pytest.mark.parametrize("causal", [0.0, 3.0])
def test_balanced_multipliers_equal_a_direct_computation(causal: float) -> None:
    """Five Adam steps on the points of each step, in plain torch."""
    m = balancing(causal=causal, lr=0.01)
    by_hand = copy.deepcopy(m.network).double()
    trainer = fit(m, 5)
    data, objective = (
        PointsDataModule(m.problem, points=100),
        Objective(m.problem, weights={"initial": 5.0}, causal=causal),
    )
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01, fused=True)
    names = ["pde", "initial.u", "initial.u_t", "dirichlet_x"]
    multipliers = dict.fromkeys(names, 1.0)
    for step in range(5):
        residuals = objective.residuals(by_hand, data.draw(step, dtype=torch.float64))
        parts = {k: r.scaled.square().sum() for k, r in residuals.items()}
        if step % 2 == 0:
            norms = {}
            for k, part in parts.items():
                gradients = torch.autograd.grad(part, list(by_hand.parameters()), retain_graph=True, allow_unused=True)
                norms[k] = math.sqrt(sum(float(g.square().sum()) for g in gradients if g is not None))
            multipliers = {k: 0.9 * m + 0.1 * sum(norms.values()) / norms[k] for k, m in multipliers.items()}
        optimizer.zero_grad()
        sum(multipliers[k] * part for k, part in parts.items()).backward()
        optimizer.step()
    assert max(multipliers.values()) > 1.5
    torch.testing.assert_close(
        m.adaptive_weights.multipliers, torch.tensor(list(multipliers.values())), rtol=1e-8, atol=0
    )
    for own, other in zip(m.network.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-8, atol=1e-10)
    logged = [float(trainer.callback_metrics[f"weight/{k}"]) for k in names]
    assert logged == m.adaptive_weights.multipliers.tolist()


def test_loss_vector_and_jacobian_agree_on_the_multipliers() -> None:
    objective, network, points = causal_parts()
    objective.adaptive = AdaptiveWeights(causal=2.0, balance=1)
    objective.adaptive.start(check_objective(objective, network))
    objective.adaptive.multipliers.copy_(torch.tensor([2.0, 3.0, 5.0]))
    residuals = objective.residuals(network, points)
    causal = Objective(objective.problem, weights={"pde": 0.3}, causal=2.0).residuals(network, points)
    expected = sum(m * r.scaled.square().sum() for m, r in zip((2, 3, 5), causal.values(), strict=True))
    loss, _ = objective.loss(network, points)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.stack([r.part for r in residuals.values()]).sum(), expected)
    torch.testing.assert_close(objective.residual_vector(network, points).square().sum(), expected)
    blocks = list(Jacobian(objective, network).blocks(points))
    torch.testing.assert_close(sum(b.square().sum() for b, _ in blocks), expected.detach())
    Jacobian(objective, network).check(points)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_loss_follows_the_multipliers_without_compiling_again() -> None:
    from torch._dynamo.testing import CompileCounter

    objective, network, points = causal_parts()
    objective.adaptive = AdaptiveWeights(causal=2.0, balance=1)
    objective.adaptive.start(check_objective(objective, network))
    count = CompileCounter()
    compiled = torch.compile(objective.loss, fullgraph=True, backend=count, dynamic=False)
    for factor in (1.0, 7.0):
        objective.adaptive.multipliers.fill_(factor)
        torch.testing.assert_close(compiled(network, points)[0], objective.loss(network, points)[0])
    assert count.frame_count == 1


PHASES = [
    [{"optimizer": "adam", "steps": 4}, {"optimizer": second, "max_iter": 4}] for second in ("lbfgs", "ssbroyden")
]


@pytest.mark.parametrize("optimizer", ["adam", *PHASES, "gauss_newton"], ids=str)
def test_balanced_runs_resume_exactly(tmp_path: Path, optimizer: Any) -> None:
    whole, half, rest = (balancing(optimizer, every=3) for _ in range(3))
    fit(whole, 11)
    fit(half, 6, [LastCheckpoint(tmp_path, 100)])
    fit(rest, 11, ckpt_path=tmp_path / "last.ckpt")
    assert same_weights(whole, rest)
    assert not torch.equal(rest.adaptive_weights.multipliers, half.adaptive_weights.multipliers)
    again = MaskPINN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True, map_location="cpu")
    assert torch.equal(again.adaptive_weights.multipliers, half.adaptive_weights.multipliers)


def test_curvature_is_judged_anew_when_the_multipliers_change() -> None:
    seen = []

    class Watch(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            (state,) = trainer.optimizers[0].state.values()
            seen.append(state["n_iter"])

    fit(balancing({"optimizer": "lbfgs", "max_iter": 3}), 4, [Watch()])
    assert seen == [3, 6, 3, 6]


def test_a_residual_without_a_gradient_keeps_its_multiplier() -> None:
    new = balance_multipliers(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 0.0, 1.0]))
    torch.testing.assert_close(new, torch.tensor([0.9 + 0.125, 2.0, 2.7 + 0.5]))
    nan = balance_multipliers(torch.tensor([1.0, 2.0]), torch.tensor([4.0, math.nan]))
    torch.testing.assert_close(nan, torch.tensor([1.0, 2.0]))


def test_without_balance_a_checkpoint_has_no_multipliers() -> None:
    assert not any("multipliers" in name for name in module().state_dict())
    with pytest.raises(ValueError, match="balance is -1"):
        module(balance=-1)


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

    def noted(term: Any, jet: Any, x: Tensor) -> Any:
        residuals = whole(term, jet, x)
        if term.name == "pde" and len(x) == 100:  # not the few points of a check
            seen.append(residuals["pde"].adaptive_weight.detach().clone())
        return residuals

    m.objective.term_residuals = noted  # type: ignore[method-assign]
    fit(m, 1)
    first, *rest = seen  # the evaluation that fixes them, and those of the step
    assert len(rest) > 1 and first.min() < 0.9
    assert all(torch.equal(w, first.clamp(min=LEAST_CAUSAL_WEIGHT)) for w in rest)
