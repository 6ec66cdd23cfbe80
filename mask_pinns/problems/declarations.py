"""Checks of what a problem and its conditions declare; each says what was expected and what came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from mask_pinns.jet import Derivatives
from mask_pinns.numbers import is_finite
from mask_pinns.problems.domain import Box
from mask_pinns.problems.fields import Field


def check_shape(x: Any, n: int, what: str) -> Tensor:
    """x itself, if it is a tensor of shape (n,). Raises ValueError with the shape got and the shape expected."""
    if isinstance(x, Field):
        x = x.value
    if not isinstance(x, Tensor):
        raise ValueError(f"{what} is a {type(x).__name__}; expected a tensor of shape ({n},)")
    if x.shape != (n,):
        raise ValueError(f"{what} has shape {tuple(x.shape)}; expected ({n},), one number per point")
    if not x.is_floating_point():
        raise ValueError(f"{what} is of {x.dtype}; expected real floating-point numbers")
    return x


def check_targets(condition: str, targets: Mapping[str, Any], fields: Sequence[str]) -> None:
    """Raises ValueError for a target that names none of the fields, or is neither a number nor a function."""
    for key, target in targets.items():
        if key.partition("_")[0] not in fields:
            raise ValueError(f"condition {condition!r} sets {key!r}; the fields are {', '.join(fields)}")
        if not callable(target) and not is_finite(target):
            raise ValueError(
                f"condition {condition!r}: the target of {key} is {target!r}; expected a finite number, or a "
                "function of the points"
            )


def checked_names(names: Any, owner: str) -> tuple[str, ...]:
    """Names of derivatives as a tuple. Raises ValueError for anything but a sequence of words."""
    if isinstance(names, str):
        raise ValueError(f'{owner}: derivatives is a string; write ("{names}",)')
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f'{owner}: derivatives is {names!r}; expected names by coordinate letters, e.g. ("t", "xx")')
    return tuple(names)


def check_derivatives(names: Iterable[str], box: Box, owner: str) -> None:
    """Raises ValueError for a derivative by something that is no coordinate, or of too high an order."""
    for name in names:
        for letter in name:
            if letter not in box:
                raise ValueError(
                    f"{owner} declares the derivative {name!r}, but {letter!r} is no coordinate; "
                    f"the domain has {', '.join(box.names)}"
                )
    Derivatives(names)
