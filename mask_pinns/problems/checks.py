"""Checks of what a problem and its conditions declare; each message says what was expected and what was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from mask_pinns.checks import is_finite
from mask_pinns.domains import Domain
from mask_pinns.jets import Derivatives
from mask_pinns.problems.fields import Field


def check_shape(x: Any, n: int, what: str) -> Tensor:
    """x, if it is a tensor of shape (n,). Raises ValueError with its shape and the expected one."""
    if isinstance(x, Field):
        x = x.value
    if not isinstance(x, Tensor):
        raise ValueError(f"{what} is a {type(x).__name__}; expected a tensor of shape ({n},)")
    if x.shape != (n,):
        raise ValueError(f"{what} has shape {tuple(x.shape)}; expected ({n},), one number per point")
    if not x.is_floating_point():
        raise ValueError(f"{what} is of {x.dtype}; expected real floating-point numbers")
    return x


def checked_names(names: Any, owner: str) -> tuple[str, ...]:
    """Names of derivatives as a tuple. Raises ValueError for anything but a sequence of strings."""
    if isinstance(names, str):
        raise ValueError(f'{owner}: derivatives is a string; write ("{names}",)')
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f'{owner}: derivatives is {names!r}; expected names by coordinate letters, e.g. ("t", "xx")')
    return tuple(names)


def check_derivatives(names: Iterable[str], domain: Domain, owner: str) -> None:
    """Raises ValueError for a derivative by something that is not a coordinate, or of too high an order."""
    for name in names:
        for letter in name:
            if letter not in domain:
                raise ValueError(
                    f"{owner} declares the derivative {name!r}, but {letter!r} is no coordinate; "
                    f"the domain has {', '.join(domain.names)}"
                )
    Derivatives(names)


def check_scales(scales: Any, fields: Sequence[str], owner: str) -> None:
    """Raises ValueError for anything but positive numbers by names of fields."""
    if not isinstance(scales, Mapping):
        raise ValueError(f'{owner}: scales is {scales!r}; expected sizes of fields, e.g. {{"{fields[0]}": 100.0}}')
    for name, size in scales.items():
        if name not in fields:
            raise ValueError(f"{owner}: scales has {name!r}; the fields are {', '.join(fields)}")
        if not (is_finite(size) and size > 0):
            raise ValueError(f"{owner}: the scale of {name} is {size!r}; expected a number above 0")
