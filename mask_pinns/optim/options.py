"""Options of optimizers, checked before one is built: by name, by the type of their defaults, and by range.

Optimizers check little: a string as tolerance fails in the middle of a step, and `max_iter: 0` silently trains nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mask_pinns.checks import is_finite
from mask_pinns.registry import check_options

NOT_OPTIONS = {
    "params", "lr", "fused", "variant",  # set by the phase, or by its optimizer's name
    "maximize", "differentiable", "capturable", "foreach",  # maximization, and uses that do not occur here
}  # fmt: skip
"""Arguments of optimizers that are not options of a phase."""
MAY_BE_ZERO = {"corrections"}
"""Options with whole numbers that may be 0; the others must be 1 or more."""
CHOICES = {"line_search_fn": ("strong_wolfe",), "data_format": ("channels_first", "channels_last")}
"""Allowed words of an option, by its name."""


def check_options_of(build: Callable[..., Any], options: Mapping[str, Any], optimizer: str, what: str) -> None:
    """Raises ValueError for an option that `build` does not take, or a value that does not fit it."""
    parameters = inspect.signature(build, eval_str=True).parameters
    known = {n: p for n, p in parameters.items() if n not in NOT_OPTIONS and p.kind is not p.VAR_KEYWORD}
    check_options(options, known, f"option of {optimizer}")
    for name, value in options.items():
        if expected := _expected_instead(known[name], value):
            raise ValueError(f"{what}: {name} is {value!r}; expected {expected}")


def _expected_instead(parameter: inspect.Parameter, value: Any) -> str | None:
    """What is expected instead of this value; None if it fits. An option with default None takes a number."""
    name, default = parameter.name, parameter.default
    if name in CHOICES:
        return None if value in list(CHOICES[name]) else " or ".join(CHOICES[name])
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return None if isinstance(value, str) else "a word"
    if isinstance(default, tuple):
        fits = isinstance(value, list | tuple) and len(value) == len(default) and all(map(is_finite, value))
        return None if fits else f"{len(default)} numbers, e.g. {list(default)}"
    if isinstance(default, int) and parameter.annotation is not float:
        least = 0 if name in MAY_BE_ZERO else 1
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63
        return None if fits else f"a whole number, {least} or more"
    return None if is_finite(value) else "a finite number"
