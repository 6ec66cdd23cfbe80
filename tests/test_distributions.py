"""Statistics of features against scipy and formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from callbacks.distributions import (
    QUANTILES,
    SAMPLE,
    dead_share,
    effective_rank,
    quantiles,
    sample,
    shape,
    wasserstein,
)
from callbacks.feature_statistics import Drift

pytestmark = pytest.mark.usefixtures("float64")


def features(seed: int = 0, n: int = 60, h: int = 7) -> torch.Tensor:
    """Skewed and heavy-tailed, with columns of different spread."""
    x = np.random.default_rng(seed).gamma(1.5, size=(n, h)) * np.linspace(0.5, 3, h)
    return torch.tensor(x)


def test_moments_equal_scipys() -> None:
    x = features()
    found, flat = shape(x), x.numpy().ravel()
    assert float(found["mean"]) == pytest.approx(flat.mean())
    assert float(found["std"]) == pytest.approx(flat.std())
    assert float(found["skewness"]) == pytest.approx(stats.skew(flat))
    assert float(found["kurtosis"]) == pytest.approx(stats.kurtosis(flat))


def test_quantiles_equal_numpys() -> None:
    x = features()
    expected = np.quantile(x.numpy(), list(QUANTILES.values()))
    np.testing.assert_allclose([float(q) for q in quantiles(x).values()], expected)


def test_quantiles_of_more_entries_than_a_sample_are_near() -> None:
    x = features(n=4000)
    assert x.numel() > 5 * SAMPLE
    expected = np.quantile(x.numpy(), list(QUANTILES.values()))
    np.testing.assert_allclose([float(q) for q in quantiles(x).values()], expected, rtol=0.15, atol=0.02)


@pytest.mark.parametrize("n", [60, 1000])
def test_distances_equal_scipys(n: int) -> None:
    a, b = features(0, n), 2 * features(1, n) + 0.3
    expected = stats.wasserstein_distance(sample(a).numpy(), sample(b).numpy())
    assert float(wasserstein(sample(a), sample(b))) == pytest.approx(expected)
    assert len(sample(a)) <= SAMPLE
    if a.numel() <= SAMPLE:
        assert torch.equal(sample(a), a.flatten().sort().values)


def test_effective_rank_counts_directions() -> None:
    torch.manual_seed(0)
    directions = torch.linalg.qr(torch.randn(200, 5)).Q
    directions -= directions.mean(0)
    three = torch.linalg.qr(directions[:, :3]).Q @ torch.linalg.qr(torch.randn(8, 3)).Q.T
    torch.testing.assert_close(effective_rank(three + 4.0), torch.tensor(3.0))
    x = features()
    p = np.linalg.svd(x.numpy() - x.numpy().mean(0), compute_uv=False)
    assert float(effective_rank(x)) == pytest.approx(np.exp(stats.entropy(p / p.sum())))
    assert effective_rank(torch.ones(9, 4)) == 0


def test_dead_units_are_those_that_do_not_move() -> None:
    x = features()
    assert dead_share(x) == 0
    x[:, 2] = 5.0
    x[:, 4] *= 1e-6
    torch.testing.assert_close(dead_share(x), torch.tensor(2 / 7))
    assert dead_share(torch.zeros(9, 4)) == 1


def test_drift_is_in_units_of_the_spread_at_the_start() -> None:
    drift, x = Drift(), features()
    assert not any(drift("a", x).values())
    unit = x.std(correction=0)
    moved = drift("a", x + 3 * unit)
    torch.testing.assert_close(moved["drift"], torch.tensor(3.0))
    torch.testing.assert_close(moved["drift_step"], torch.tensor(3.0))
    back = drift("a", x + 2 * unit)
    torch.testing.assert_close(back["drift"], torch.tensor(2.0))
    torch.testing.assert_close(back["drift_step"], torch.tensor(1.0))
    assert not any(drift("b", 9 * x).values()), "another name has a start of its own"
