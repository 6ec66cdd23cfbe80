"""Checks whether a value that a user wrote is a number."""

from __future__ import annotations

import math
import numbers
import sys


def is_number(x: object) -> bool:
    """Whether x is one real number, of Python, numpy, or a tensor; NaN and infinity are."""
    torch = sys.modules.get("torch")  # the command line checks numbers without it; then nothing is a tensor
    if torch is not None and isinstance(x, torch.Tensor):
        return x.ndim == 0 and not x.is_complex()
    return isinstance(x, numbers.Real) and not isinstance(x, bool)


def is_finite(x: object) -> bool:
    """Whether x is one real number that a float can hold: not NaN, not infinite, not 10**400."""
    try:
        return is_number(x) and math.isfinite(float(x))  # type: ignore[arg-type]
    except OverflowError:
        return False


def is_number_in_text(text: str) -> bool:
    """Whether a text is a number, NaN and infinity included."""
    try:
        float(text)
    except ValueError:
        return False
    return True
