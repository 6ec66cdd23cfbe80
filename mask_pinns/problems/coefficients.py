"""Coefficients of a problem: its annotated attributes, numbers or strings with a default, which the initializer takes.

class Heat(Problem):
    k: float = 0.1          # Heat(k=0.2), --problem.k 0.2
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any

import numpy as np
from torch import Tensor, nn

from mask_pinns.problems.failures import attribute_errors_to


def declare_coefficients(cls: type, taken: Collection[str]) -> None:
    """Makes a problem's class a frozen dataclass of its coefficients.

    Raises ValueError for a coefficient whose name is among those that are taken, one without a default, or one that is
    neither a number nor a string.
    """
    with attribute_errors_to("a coefficient", cls.__name__):
        dataclasses.dataclass(eq=False, kw_only=True, frozen=True)(cls)
    for name, field in coefficient_fields(cls).items():
        what = f"coefficient {name!r} of {cls.__name__}"
        if name in taken:
            raise ValueError(f"{what}: the name is taken; a declaration has no annotation, or ClassVar")
        if field.default is dataclasses.MISSING:
            raise ValueError(f"{what} has no default; write e.g. {name}: float = 1.0")
        if not isinstance(field.default, int | float | str):
            kind = type(field.default).__name__
            raise ValueError(f"{what} is a {kind}; expected a number, or a declaration without an annotation")


def refuse_trainable(cls: type) -> None:
    """Raises ValueError for an attribute of a problem's class that looks trained: nothing would train it."""
    for name, value in vars(cls).items():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, nn.Module) or (isinstance(part, Tensor) and part.requires_grad):
                raise ValueError(
                    f"{cls.__name__}.{name} is a {type(part).__name__}, which nothing would train: a coefficient that "
                    f"is to be found will be declared as {name} = Unknown(...), which this version does not have yet; "
                    f"for a constant write {name}: float = 1.0"
                )
            if isinstance(part, np.ndarray):
                raise ValueError(
                    f"{cls.__name__}.{name} is an array, of which no checkpoint or flag would know: write a number as "
                    f"a coefficient, {name}: float = 1.0, and keep a table outside the class"
                )


def coefficient_fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """The coefficients of a problem's class by name."""
    return {f.name: f for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}


def convert_coefficients(problem: Any) -> None:
    """Converts the values of a problem's coefficients to the types of their defaults, in place."""
    for name, field in coefficient_fields(type(problem)).items():
        what = f"coefficient {name!r} of {type(problem).__name__}"
        object.__setattr__(problem, name, convert_coefficient(field.default, getattr(problem, name), what))


def convert_coefficient(default: Any, value: Any, what: str) -> Any:
    """value as a number of the default's type. Raises ValueError if it is not one, or not finite."""
    kind = type(default) if isinstance(default, int | float) and not isinstance(default, bool) else None
    if kind is None:
        return value
    try:
        number = float(value)
        assert not isinstance(value, bool)
    except (TypeError, ValueError, OverflowError, AssertionError):
        raise ValueError(f"{what} is {value!r}; expected a number") from None
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError(f"{what} is {value}; expected a {'finite' if kind is float else 'whole'} number")
    return kind(number)
