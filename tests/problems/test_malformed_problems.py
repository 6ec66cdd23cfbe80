"""Malformed problems by the hundred: declarations of the user's own (flags, YAML and files: test_malformed_input).

What can be run runs; anything else is a ValueError whose one line names the culprit, never an error from the depths. A
field of the declaration that is wrong in a known way is refused by name; one drawn at random is at least answered well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from malformed import answered, cases, give_up, one_line, refused, tried

from mask_pinns import Box, Condition, Dirichlet, Initial, MaskPINN, Neumann, Periodic, Problem
from mask_pinns.datamodules import PointsDataModule

# ---- values -------------------------------------------------------------------------------------------------------

SHAPES: dict[str, Callable[[Any], Any]] = {
    "column": lambda x: x[:, None],
    "row": lambda x: x[None],
    "square": lambda x: x[:, None] * x,
    "fewer": lambda x: x[1:],
    "more": lambda x: torch.cat([x, x[:1]]),
    "mean": lambda x: x.mean(),
    "none": lambda x: None,
    "number": lambda x: 0.5,
    "text": lambda x: "u",
    "set": lambda x: {1},
    "numpy": lambda x: np.zeros(len(x)),
    "range": lambda x: range(3),
    "complex": lambda x: x * 1j,
    "whole": lambda x: torch.ones(len(x), dtype=torch.int64),
    "truth": lambda x: x > 0,
    "list": lambda x: [[x]],
}
"""Results of a residual or a target, from one of the right shape, that are not one real number for each point."""
NO_NUMBER = (
    st.none() | st.text(max_size=4) | st.lists(st.floats(0, 1), max_size=2) | st.just({"a": 1})
    | st.sampled_from([math.nan, math.inf, -math.inf, 1j])
)  # fmt: skip


@cases(40)
@given(kind=st.sampled_from(sorted(SHAPES)), several=st.booleans())
def test_residuals_of_another_shape_or_kind(kind: str, several: bool) -> None:
    def residual(self: Any, p: Any, u: Any) -> Any:
        wrong = SHAPES[kind](u.t + u)
        return {"good": u.t, "bad": wrong} if several else wrong

    refused("Mine", residual=residual)


def given_by(condition: Any, target: Any) -> Any:
    return condition(u=target) if condition is Initial else condition("x", u=target)


@cases(40)
@given(kind=st.sampled_from(sorted(SHAPES)), condition=st.sampled_from([Initial, Dirichlet, Neumann]))
def test_targets_of_another_shape_or_kind(kind: str, condition: Any) -> None:
    made = given_by(condition, lambda p: SHAPES[kind](p.x))
    refused(f"condition {made.name!r}", conditions=(made,))


@cases(40)
@given(target=NO_NUMBER, condition=st.sampled_from([Initial, Dirichlet, Neumann]))
def test_targets_that_are_no_number(target: Any, condition: Any) -> None:
    with pytest.raises(ValueError, match="condition"):
        tried(conditions=(given_by(condition, target),))


ODD_RESULTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "no residual, dict": ("expected a tensor", lambda u: {}),
    "no residual, tuple": ("expected a tensor", lambda u: ()),
    "no residual, list": ("expected a tensor", lambda u: []),
    "a number as name": ("by name", lambda u: {1: u.t}),
    "names that change": ("the same names", lambda u: {f"at {len(u)}": u.t, "other": u.value}),
    "as many as change": ("the same names", lambda u: (u.t,) * len(u)),
    "two points only": ("'pde' of Mine fails", lambda u: u.t - torch.zeros(2)),
    "a mistake without words": ("'pde' of Mine fails: MemoryError", lambda u: give_up(MemoryError())),
    "a mistake in lines": ("'pde' of Mine fails: RuntimeError: a b", lambda u: give_up(RuntimeError("a\nb"))),
    "a mistake without culprit": ("'pde' of Mine fails: ValueError: no", lambda u: give_up(ValueError("no"))),
    "an exit": ("'pde' of Mine fails: SystemExit", lambda u: give_up(SystemExit(3))),
    "changed in place": ("'pde' of Mine fails", lambda u: torch.exp(u.value).mul_(2.0) + 0 * torch.exp(u.t).add_(1.0)),
}


@pytest.mark.parametrize("kind", ODD_RESULTS)
def test_residuals_that_are_odd(kind: str) -> None:
    culprit, result = ODD_RESULTS[kind]
    refused(culprit, residual=lambda s, p, u: result(u))
    among = (Condition("c", {"x": 0.0}, lambda p, u: result(u), derivatives=("t",)),)
    refused(culprit.replace("'pde'", "'c'"), conditions=among)


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_coefficients_that_are_not_finite_keep_their_streams(factor: float) -> None:
    """The loss is then not finite either, which stops the run by name; no decomposition fails before."""
    tried(derivatives=("tt", "xx"), residual=lambda s, p, u: u.tt * factor + u.xx)


def test_weights_that_leave_nothing_to_train() -> None:
    module = MaskPINN("wave", {"name": "masked", "width": 4, "blocks": 1}, weights={"pde": 0.0, "conditions": 0.0})
    with pytest.raises(ValueError, match="all weights of Wave are 0"):
        module.check()


# ---- the declaration ----------------------------------------------------------------------------------------------


@cases(60)
@given(
    low=st.floats() | st.none() | st.text(max_size=2), high=st.floats() | st.none(), name=st.sampled_from(["x", "t"])
)
def test_bounds(low: Any, high: Any, name: str) -> None:
    bounds = {"x": (0, 1), "t": (0, 1), name: (low, high)}
    good = all(isinstance(a, float) and math.isfinite(a) for a in (low, high)) and low < high
    if not good or not 1e-12 * max(abs(low), abs(high)) < high - low < math.inf:
        with pytest.raises(ValueError, match=f"coordinate {name!r}"):
            Box(**bounds)
        return
    box = Box(**bounds)
    points = PointsDataModule(type("Mine", (Problem,), {"domain": box})(), points=9).draw(0, dtype=torch.float64)["pde"]
    assert points.isfinite().all()
    column = points[:, box.names.index(name)]
    assert (column >= low).all() and (column <= high).all() and len(column.unique()) > 1, "of positive size"


DERIVATIVES = (
    st.lists(st.text("xtzu1_ ", max_size=6) | st.integers() | st.none(), max_size=3) | st.text("xt", max_size=3)
    | st.none() | st.integers()
)  # fmt: skip


@cases(60)
@given(names=DERIVATIVES)
def test_derivatives(names: Any) -> None:
    good = isinstance(names, list) and all(
        isinstance(n, str) and n and set(n) <= {"x", "t"} and len(n) <= 4 for n in names
    )
    message = answered(derivatives=tuple(names) if isinstance(names, list) else names, residual=lambda s, p, u: u * p.x)
    assert bool(message) != bool(good)


@cases(40)
@given(used=st.text("xtz", min_size=1, max_size=5))
def test_derivatives_that_are_not_declared(used: str) -> None:
    declared = {"t", "x", "xx"}
    if "".join(sorted(used)) in declared:
        assert not answered(derivatives=("t", "xx"), residual=lambda s, p, u: getattr(u, used))
    else:
        refused(f"u.{used}", derivatives=("t", "xx"), residual=lambda s, p, u: u.t + getattr(u, used))


@cases(40)
@given(
    fields=st.lists(st.text("uvxt_ 1é", max_size=3) | st.none() | st.integers(), max_size=3) | st.none() | st.integers()
)
def test_fields(fields: Any) -> None:
    names = fields if isinstance(fields, list) else [fields]
    good = isinstance(fields, list) and len(set(names)) == len(names) > 0 and all(
        isinstance(n, str) and n.isidentifier() and "_" not in n and n not in ("x", "t") for n in names
    )  # fmt: skip
    given = tuple(fields) if isinstance(fields, list) else fields
    message = answered(fields=given, residual=lambda s, p, *u: tuple(v.t for v in u))
    assert bool(message) != good


def nothing(p: Any, u: Any) -> Any:
    return u.value


CONDITIONS: dict[str, tuple[str, Callable[[], Any]]] = {
    "twice the same name": ("'initial'", lambda: (Initial(u=0.0), Initial(u_t=0.0))),
    "the PDE's name": ("'pde'", lambda: Initial(u=0.0, name="pde")),
    "no field": ("'w'", lambda: Dirichlet("x", w=0.0)),
    "a derivative by nothing": ("'y'", lambda: Initial(u_y=0.0)),
    "no coordinate": ("'y'", lambda: Dirichlet("y", u=0.0)),
    "no coordinate, periodic": ("'y'", lambda: Periodic("y")),
    "outside": ("outside", lambda: Condition("c", {"x": 7.0}, nothing)),
    "nowhere": ("'c'", lambda: Condition("c", {"x": math.nan}, nothing)),
    "a place that is no number": ("'c'", lambda: Condition("c", {"x": "left"}, nothing)),
    "at is no mapping": ("'c'", lambda: Condition("c", 3.0, nothing)),  # type: ignore[arg-type]
    "no function": ("'c'", lambda: Condition("c", {"x": 0.0}, 0.0)),  # type: ignore[arg-type]
    "undeclared": ("u.xx", lambda: Condition("c", {"x": 0.0}, lambda p, u: u.xx)),
    "no name": ("name", lambda: Condition("", {"x": 0.0}, nothing)),
    "a name that is no text": ("name", lambda: Condition(None, {"x": 0.0}, nothing)),  # type: ignore[arg-type]
    "a name with a dot": ("'a.b'", lambda: Condition("a.b", {"x": 0.0}, nothing)),
    "negative weight": ("weight", lambda: Initial(u=0.0, weight=-1.0)),
    "NaN as weight": ("weight", lambda: Dirichlet("x", u=0.0, weight=math.nan)),
    "a weight that is no number": ("weight", lambda: Dirichlet("x", u=0.0, weight="big")),  # type: ignore[arg-type]
    "a side there is not": ("side", lambda: Dirichlet("x", u=0.0, side="left")),
    "half a derivative": ("order", lambda: Periodic("x", order=0.5)),  # type: ignore[arg-type]
    "too high an order": ("order", lambda: Periodic("x", order=9)),
    "no condition": ("conditions", lambda: (Initial(u=0.0), 3)),
    "none at all": ("conditions", lambda: None),
    "a class": ("conditions", lambda: (Initial,)),
    "a mistake in a target": ("'initial'", lambda: Initial(u=lambda p: 1 / 0)),
    "too many arguments": ("'c'", lambda: Condition("c", {"x": 0.0}, lambda p: p.x)),
    "a coordinate that is no word": ("Dirichlet", lambda: Dirichlet(1, u=0.0)),  # type: ignore[arg-type]
    "a coordinate in a tuple": ("Periodic", lambda: Periodic(("x",))),  # type: ignore[arg-type]
    "a coordinate twice": ("Dirichlet", lambda: Dirichlet("x", "x", u=0.0)),
    "a side in a list": ("side", lambda: Dirichlet("x", u=0.0, side=[1])),  # type: ignore[arg-type]
    "a huge place": ("'c'", lambda: Condition("c", {"x": 10**400}, nothing)),
    "a huge target": ("'initial'", lambda: Initial(u=10**400)),
    "a huge weight": ("weight", lambda: Initial(u=0.0, weight=10**400)),
    "unknown in a target": ("p.y", lambda: Initial(u=lambda p: p.y)),
}


@pytest.mark.parametrize("kind", CONDITIONS)
@pytest.mark.parametrize("among", [True, False], ids=["among others", "alone"])
def test_conditions(kind: str, among: bool) -> None:
    culprit, make = CONDITIONS[kind]

    def declared() -> Any:
        made = make()
        others = (Neumann("x", u=0.0),) if among and isinstance(made, Condition) else ()
        return (*others, made) if others else made

    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is checked below)
        tried(conditions=declared())
    assert culprit in one_line(error.value)


SOLUTIONS: dict[str, Callable[[Any], Any]] = {
    "nan": lambda p: p.x * math.nan, "inf": lambda p: 1 / (p.x * 0), "column": lambda p: p.x[:, None],
    "number": lambda p: 1.0, "text": lambda p: "sin", "two": lambda p: (p.x, p.t), "other": lambda p: {"w": p.x},
    "mistake": lambda p: 1 / 0, "unknown": lambda p: p.y, "complex": lambda p: p.x * 1j, "zero": lambda p: p.x * 0,
}  # fmt: skip


@pytest.mark.parametrize("kind", SOLUTIONS)
def test_solutions(kind: str) -> None:
    refused("y" if kind == "unknown" else "Mine", exact=lambda s, p: SOLUTIONS[kind](p))


@cases(20)
@given(
    grid=st.integers(-5, 1)
    | st.integers(10**5)
    | st.floats()
    | st.text(max_size=2)
    | st.lists(st.integers(), max_size=2)
)
def test_grids(grid: Any) -> None:
    refused("grid", grid=grid)
