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

    A value without an annotation replaces the default of an inherited coefficient, and `k: float = 1` is a float.
    Raises ValueError for a coefficient whose name is among those that are taken, one without a default, one that is
    neither a number nor a string, or an inherited one that becomes something else, as a property.
    """
    _annotate(cls)
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


def _annotate(cls: type) -> None:
    """Annotates new defaults of inherited coefficients, which a dataclass would ignore; makes floats of whole ones."""
    annotations = dict(vars(cls).get("__annotations__", {}))
    for name, field in coefficient_fields(cls).items():  # those of the parent classes
        if name in vars(cls) and name not in annotations:
            value = vars(cls)[name]
            if not isinstance(value, int | float | str):
                raise ValueError(
                    f"coefficient {name!r} of {cls.__name__} is inherited and becomes a {type(value).__name__}; give "
                    "it a number, or the other thing another name"
                )
            annotations[name] = field.type
    for name, kind in annotations.items():
        if kind in (float, "float") and type(vars(cls).get(name)) is int:
            setattr(cls, name, float(vars(cls)[name]))
    cls.__annotations__ = annotations


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
