"""Error metrics against their formulas, over several chunks, field by field."""

from __future__ import annotations

import pytest
import torch

from mask_pinns.metrics import CONSTANT, TIME, Errors, SolutionErrors


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def over_chunks(metric: SolutionErrors, *tensors: torch.Tensor) -> Errors:
    for parts in zip(*(x.split([7, 1, len(x) - 8]) for x in tensors), strict=True):
        metric.update(*parts)
    return metric.compute()


def test_errors_over_chunks_are_those_of_all_points_field_by_field() -> None:
    """A velocity of 0.1 beside a pressure of 1e5 does not disappear; the worst field leads."""
    true = random(30, 2) * torch.tensor([0.1, 1e5])
    predicted = true + random(30, 2, seed=1) * torch.tensor([0.01, 1.0])
    errors = over_chunks(SolutionErrors(["", ""]), predicted, true)
    difference = predicted - true
    torch.testing.assert_close(errors.rel_l2, difference.norm(dim=0) / true.norm(dim=0))
    torch.testing.assert_close(errors.max_error, difference.abs().amax(0))
    assert errors.worst[0] == errors.rel_l2[0] > 1e3 * errors.rel_l2[1]
    kinds = ("val/max_error", "val/rel_l2")
    assert sorted(errors.named(("u", "P"), "val")) == [k + field for k in kinds for field in ("", "/P", "/u")]


def test_a_field_whose_true_values_are_not_known_is_left_out() -> None:
    true, predicted = random(30, 2), random(30, 2, seed=1)
    true[:, 1] = torch.nan
    errors = over_chunks(SolutionErrors(["", ""]), predicted, true)
    assert errors.rel_l2.isnan().tolist() == [False, True]
    assert errors.worst[0] == errors.rel_l2[0]
    assert "val/rel_l2/v" not in errors.named(("u", "v"), "val")


def test_a_field_that_is_zero_is_compared_with_all_fields() -> None:
    true, predicted = random(30, 2), random(30, 2, seed=1)
    true[:, 1] = 0.0
    errors = over_chunks(SolutionErrors(["", ""]), predicted, true)
    torch.testing.assert_close(errors.rel_l2[1], predicted[:, 1].norm() / true.norm())


@pytest.mark.parametrize("free", [CONSTANT, TIME])
def test_a_free_field_is_compared_without_its_mean(free: str) -> None:
    """A constant, or a function of time, added to a field that is determined up to it changes nothing."""
    time = torch.arange(6, dtype=torch.float64).repeat(5)
    true, noise = random(30, 2), 0.1 * random(30, 2, seed=1)
    shift = 3.0 if free == CONSTANT else torch.sin(time)
    found = [
        over_chunks(SolutionErrors(["", free], time.unique()), predicted, true, time)
        for predicted in (true + noise, true + noise + torch.stack([0 * time, shift + 0 * time], 1))
    ]
    for before, after in zip(*found, strict=True):
        torch.testing.assert_close(before, after)
    groups = [slice(None)] if free == CONSTANT else [time == t for t in time.unique()]
    without = [torch.cat([x[g, 1] - x[g, 1].mean() for g in groups]) for x in (noise, true)]
    torch.testing.assert_close(found[1].rel_l2[1], without[0].norm() / without[1].norm())
    torch.testing.assert_close(found[1].max_error[1], without[0].abs().amax())
