"""How large the difference between a value and the baseline is: a factor with its interval, over independent units.

Settings of one problem resemble each other, and so do networks of several sizes that are trained from one seed: they
are not independent evidence. With settings from several problems the unit is the problem; with a single problem it is
the seed, and nothing is said about other problems. The value of a unit is the mean over its pairs of

    d = log10 min(error, 1) - log10 min(baseline's error, 1)

in which an error above 1, and that of a cell that failed, counts as 1: nothing was learned. Over K units with mean d
and standard deviation s, the factor is 10^d with the 95 % interval d +- t(0.975, K - 1) s / sqrt(K), and p is that of
the t-test: valid for few units if their values are about normal. For several tests, p is corrected by Holm (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from studies.grid import Study

NOTHING_LEARNED = 1.0
"""Relative error of a field that is zero everywhere: no worse one counts as worse."""
LEVEL = 0.05
"""Probability of an error of the first kind, over all tests together."""


@dataclass(frozen=True)
class Effect:
    """The geometric mean of error / baseline's error over units, its 95 % interval, and p; NaN without two units.

    `corrected` is p after the correction for all tests made.
    """

    value: str
    unit: str
    units: int
    factor: float
    low: float
    high: float
    p: float
    corrected: float

    @property
    def shown(self) -> bool:
        """Whether a difference is shown."""
        return self.corrected < LEVEL


def unit_of(pairs: pd.DataFrame, study: Study) -> str:
    """The column whose values are independent: the problem if there are several, else the seed; "" if there is none."""
    several = [name for name in ("problem", "seed") if name in study.columns.values() and pairs[name].nunique() > 1]
    return several[0] if several else ""


def effect(pairs: pd.DataFrame, study: Study, value: str) -> Effect:
    """The effect of one value, from its pairs (`evidence.pairs`), without a correction for other tests."""
    rows = pairs[pairs["value"] == value]
    unit = unit_of(rows, study)
    error, base = (np.log10(rows[name].clip(upper=NOTHING_LEARNED)) for name in ("error", "base"))
    difference = error - base
    means = difference.groupby(rows[unit]).mean() if unit else difference.iloc[:0]
    if means.nunique() < 2:  # no units, or all agree to the last digit, as clipped errors can: no spread
        return Effect(value, unit, len(means), 10.0 ** means.mean(), *[float("nan")] * 4)
    test = ttest_1samp(means, 0.0)
    low, high = test.confidence_interval(1 - LEVEL)
    return Effect(value, unit, len(means), 10.0 ** means.mean(), 10.0**low, 10.0**high, test.pvalue, test.pvalue)


def corrected(effects: Sequence[Effect]) -> list[Effect]:
    """The effects with p corrected for all tests among them: Holm's step-down method."""
    tested = sorted((e for e in effects if e.p == e.p), key=lambda e: e.p)
    highest, by_id = 0.0, {}
    for rank, e in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * e.p))
        by_id[id(e)] = highest
    return [replace(e, corrected=by_id.get(id(e), e.corrected)) for e in effects]
