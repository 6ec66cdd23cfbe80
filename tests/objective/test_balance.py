"""Balance: multipliers of residuals from their gradients, against computations written out."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from causal import causal_parts
from helpers import fit, module, same_weights

from mask_pinns import MaskPINN, Objective
from mask_pinns.callbacks import LastCheckpoint
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective import AdaptiveWeights
from mask_pinns.objective.adaptive_weights import (
    balance_multipliers,
)
from mask_pinns.objective.checks import check_objective
from mask_pinns.objective.jacobian import Jacobian


@pytest.fixture(autouse=True)
def _float64(float64: None) -> None:
    """All of it in float64."""


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
