"""Statistics of features against scipy and formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mask_pinns.callbacks.features.distributions import (
    QUANTILES,
    SAMPLE_SIZE,
    Drift,
    closed_share,
    dead_share,
    effective_rank,
    moments,
    quantiles,
    sample,
    wasserstein,
)
from mask_pinns.callbacks.features.observer import gradient_statistics
from mask_pinns.jets.layers import Activation

pytestmark = pytest.mark.usefixtures("float64")


def features(seed: int = 0, n: int = 60, h: int = 7) -> torch.Tensor:
    """Skewed and heavy-tailed, with columns of different spread."""
    x = np.random.default_rng(seed).gamma(1.5, size=(n, h)) * np.linspace(0.5, 3, h)
    return torch.tensor(x)


def test_moments_equal_scipys() -> None:
    x = features()
    values, flat = moments(x), x.numpy().ravel()
    assert float(values["mean"]) == pytest.approx(flat.mean())
    assert float(values["std"]) == pytest.approx(flat.std())
    assert float(values["skewness"]) == pytest.approx(stats.skew(flat))
    assert float(values["kurtosis"]) == pytest.approx(stats.kurtosis(flat))


@pytest.mark.parametrize("scale", [1e-36, 1e-20, 1.0, 1e15])
def test_moments_of_float32_know_no_underflow(scale: float) -> None:
    """The fourth power of a spread of 1e-20 is no number of float32."""
    x = (features() * scale).float()
    flat = x.double().numpy().ravel() / scale
    values = moments(x)
    assert float(values["std"]) / scale == pytest.approx(flat.std(), rel=1e-6)
    assert float(values["skewness"]) == pytest.approx(stats.skew(flat), rel=1e-6)
    assert float(values["kurtosis"]) == pytest.approx(stats.kurtosis(flat), rel=1e-6)
    assert float(gradient_statistics(x)["gradient/norm"]) / scale == pytest.approx(np.linalg.norm(flat), rel=1e-6)
    assert float(gradient_statistics(x)["gradient/variance"]) / scale**2 == pytest.approx(flat.var(), rel=1e-6)


def test_nothing_is_known_of_what_is_no_number() -> None:
    x = torch.full((9, 4), torch.nan)
    alpha = Activation("tanh", 4)
    unknown = [*moments(x).values(), *quantiles(sample(x)).values(), *Drift()("a", sample(x)).values()]
    unknown += [effective_rank(x), dead_share(x), closed_share(x), alpha.saturation(x)]
    assert all(value.isnan() for value in unknown)


def test_quantiles_equal_numpys() -> None:
    x = features()
    expected = np.quantile(x.numpy(), list(QUANTILES.values()))
    np.testing.assert_allclose([float(q) for q in quantiles(sample(x)).values()], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_256_probes_of_256_units_are_all_counted(dtype: torch.dtype) -> None:
    """Quantiles and distances of the published width equal numpy's and scipy's over all entries."""
    a, b = (features(seed, 256, 256).to(dtype) for seed in (0, 1))
    b[:, ::9] += 0.2
    values = [float(q) for q in quantiles(sample(a)).values()]
    np.testing.assert_allclose(values, np.quantile(a.double().numpy(), list(QUANTILES.values())), rtol=1e-6)
    expected = stats.wasserstein_distance(a.numpy().ravel(), b.numpy().ravel())
    assert float(wasserstein(sample(a), sample(b))) == pytest.approx(expected, rel=1e-5)


def test_of_more_entries_a_sample_is_near() -> None:
    x, y = features(n=40_000), 1.5 * features(1, n=40_000)
    assert x.numel() > 4 * SAMPLE_SIZE >= 4 * len(sample(x))
    expected = np.quantile(x.numpy(), list(QUANTILES.values()))
    np.testing.assert_allclose([float(q) for q in quantiles(sample(x)).values()], expected, rtol=0.1, atol=0.02)
    distance = stats.wasserstein_distance(x.numpy().ravel(), y.numpy().ravel())
    assert float(wasserstein(sample(x), sample(y))) == pytest.approx(distance, rel=0.05)


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


def test_closed_masks_are_those_that_open_nowhere() -> None:
    opened = torch.full((9, 4), 0.5)
    opened[:, 1] = 0.001
    opened[:8, 2] = 0.0
    torch.testing.assert_close(closed_share(opened), torch.tensor(0.25))


def test_drift_is_in_units_of_the_spread_at_the_start() -> None:
    drift, x = Drift(), features()
    assert not any(drift("a", sample(x)).values())
    unit = x.std(correction=0)
    moved = drift("a", sample(x + 3 * unit))
    torch.testing.assert_close(moved["drift"], torch.tensor(3.0))
    torch.testing.assert_close(moved["drift_step"], torch.tensor(3.0))
    back = drift("a", sample(x + 2 * unit))
    torch.testing.assert_close(back["drift"], torch.tensor(2.0))
    torch.testing.assert_close(back["drift_step"], torch.tensor(1.0))
    assert not any(drift("b", sample(9 * x)).values()), "another name has a start of its own"
    assert not any(drift("a", sample(features(n=50))).values()), "another number of probes begins anew"


def test_what_had_no_spread_has_no_drift() -> None:
    drift, flat = Drift(), torch.full((60,), 0.3)
    for now in (flat, flat + 1):
        assert all(value.isnan() for value in drift("a", now).values())
    tiny = 1e-25 * features().float()
    assert drift("b", sample(tiny))["drift"] == 0
    assert float(drift("b", sample(2 * tiny))["drift"]) == pytest.approx(
        stats.wasserstein_distance(features().ravel(), 2 * features().ravel()) / features().numpy().std(), rel=1e-5
    )


@pytest.mark.parametrize(("points", "units"), [(256, 320), (256, 64), (1024, 7), (5000, 1), (256, 1000), (100, 511)])
def test_a_sample_has_its_size_and_equal_shares(points: int, units: int) -> None:
    """Of every unit and every point, up to one entry; none is taken twice."""
    entries = torch.arange(points * units, dtype=torch.float64).reshape(points, units)
    found = sample(entries)
    assert len(found) == len(found.unique()) == min(points * units, SAMPLE_SIZE)
    for shares, number in ((found % units, units), (found // units, points)):
        counts = torch.bincount(shares.long(), minlength=number)
        assert counts.max() - counts.min() <= 1, counts
