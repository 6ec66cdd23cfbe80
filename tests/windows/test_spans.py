"""Where time is cut: what `--windows` says, and how `auto` goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mask_pinns import Box
from mask_pinns.windows import resolved
from mask_pinns.windows.spans import following, shorter

UNIT = Box(t=(0.0, 1.0))


def test_ends() -> None:
    assert resolved(["4"], UNIT) == [0.25, 0.5, 0.75, 1.0] == resolved([4], UNIT)
    assert resolved([0.2, "0.5"], UNIT) == [0.2, 0.5, 1.0] == resolved(["0.2", "0.5", "1"], UNIT)
    assert resolved(["auto"], UNIT) is None
    for wrong in (["0"], ["0.5", "0.2"], ["2.0"], ["-0.1"], ["many"], ["auto", "3"], ["1001"], ["0.5", "0.5"], ["nan"]):
        with pytest.raises(ValueError, match="--windows"):
            resolved(wrong, UNIT)


def test_auto_makes_the_next_window_longer_or_shorter() -> None:
    def after(length: float, share: float) -> float:
        return following(UNIT, [SimpleNamespace(start=0.0, end=length, share=share)]) - length

    assert following(UNIT, []) == 0.125
    assert after(0.1, 0.3) == pytest.approx(0.15) and after(0.1, 0.6) == pytest.approx(0.1)
    assert after(0.1, 0.9) == pytest.approx(0.075)
    assert following(UNIT, [SimpleNamespace(start=0.5, end=0.9, share=0.6)]) == 1.0
    assert shorter(0.5, 0.7, UNIT) == pytest.approx(0.6) and shorter(0.5, 0.501, UNIT) is None
