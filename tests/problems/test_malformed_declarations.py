"""Malformed declarations: properties that fail, coefficients that are none, initializers that would skip the checks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from malformed import give_up, one_line, refused

from mask_pinns import Box, Dirichlet, Problem


def failing(error: Exception) -> Any:
    return property(lambda self: give_up(error))


@pytest.mark.parametrize("name", ["domain", "fields", "derivatives", "conditions", "reference", "grid"])
@pytest.mark.parametrize("error", [KeyError("why"), AttributeError("why"), ValueError("why")], ids=repr)
def test_properties_that_fail(name: str, error: Exception) -> None:
    refused(f"{name} of Mine fails: {type(error).__name__}: ", **{name: failing(error)})


@pytest.mark.parametrize("name", ["name", "domain", "derivatives", "terms", "residual", "title", "solution"])
def test_coefficients_whose_name_is_taken(name: str) -> None:
    with pytest.raises(ValueError, match=f"coefficient '{name}' of Mine"):
        type("Mine", (Problem,), {"__annotations__": {name: float}, name: 1.0})


@pytest.mark.parametrize("default", [(1, 2), 1j, len, None, torch.zeros(2), [1], {"a": 1}], ids=repr)
def test_coefficients_that_are_no_number(default: Any) -> None:
    with pytest.raises(ValueError, match=r"coefficient.* of Mine") as error:
        type("Mine", (Problem,), {"__annotations__": {"k": float}, "k": default})
    assert "k" in one_line(error.value)


@pytest.mark.parametrize("name", ["__init__", "__post_init__"])
def test_initializers_of_the_users_own(name: str) -> None:
    """Theirs would skip every check."""
    with pytest.raises(ValueError, match=f"Mine defines {name}"):
        type("Mine", (Problem,), {name: lambda self: None})


def test_a_coefficient_without_a_default() -> None:
    with pytest.raises(ValueError, match="'k' of Mine has no default"):
        type("Mine", (Problem,), {"__annotations__": {"k": float}})


class Rod(Problem):
    domain = Box(x=(0.0, 1.0))
    derivatives = ("xx",)
    conditions = (Dirichlet("x", u=0.0),)
    k: float = 1
    modes: int = 2

    def residual(self, p, u):
        return self.k * u.xx - self.modes


def test_a_subclass_gives_a_coefficient_another_default() -> None:
    """Without an annotation, too: a dataclass alone would keep the parent's. A float may be written without a point."""

    class Copper(Rod):
        k = 3

    class Warm(Copper):
        modes = 4

    assert [cls().k for cls in (Rod, Copper, Warm)] == [1.0, 3.0, 3.0]
    assert (Rod(k=2.5).k, Copper(k=0.5).k, Warm().modes) == (2.5, 0.5, 4)
    assert Warm().coefficients() == {"k": 3.0, "modes": 4} and isinstance(Warm().k, float)


def test_a_coefficient_does_not_become_something_else() -> None:
    with pytest.raises(ValueError, match="coefficient 'k' of Odd is inherited and becomes a property"):
        type("Odd", (Rod,), {"k": property(lambda self: 5.0)})
