"""The line search: strong Wolfe on awkward functions of one variable, NaN and infinity, no step to a higher point."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mask_pinns.optim.line_search import Trial, strong_wolfe

NO_GRADIENT = torch.empty(0)
Function = Callable[[torch.Tensor], torch.Tensor]


def trial(f: Function, t: float, dtype: torch.dtype = torch.float64) -> Trial:
    x = torch.tensor(t, dtype=dtype, requires_grad=True)
    value = f(x)
    (slope,) = torch.autograd.grad(value, x)
    return Trial(t, value.item(), slope.item(), NO_GRADIENT)


def search(f: Function, t: float = 1.0, dtype: torch.dtype = torch.float64, **options) -> tuple[Trial, Trial, int, int]:
    tried = []

    def evaluate(t: float) -> Trial:
        tried.append(t)
        return trial(f, t, dtype)

    start = trial(f, 0.0, dtype)
    accepted, evaluations = strong_wolfe(evaluate, start, t, **options)
    return start, accepted, evaluations, len(tried)


def meets(start: Trial, accepted: Trial, c1: float = 1e-4, c2: float = 0.9) -> bool:
    falls = accepted.value <= start.value + c1 * accepted.t * start.slope
    return accepted.t > 0 and falls and abs(accepted.slope) <= c2 * abs(start.slope)


def more_thuente(beta: float) -> Function:
    """Yanai, Ozawa and Kaneko's function as in Moré & Thuente (1994), eq. 5.4, with both kinks of width beta."""

    def gamma(b: float) -> float:
        return math.sqrt(1 + b * b) - b

    return lambda t: (
        gamma(0.001) * torch.sqrt((1 - t) ** 2 + beta**2) + gamma(beta) * torch.sqrt(t**2 + 0.001**2)
    )  # fmt: skip


FUNCTIONS: dict[str, Function] = {
    "quadratic": lambda t: (t - 1.0) ** 2,
    "far minimum": lambda t: (t - 1e4) ** 2 / 1e4,
    "near minimum": lambda t: (t - 1e-4) ** 2,
    "quartic": lambda t: (t - 3.0) ** 4,
    "moré-thuente 5.1": lambda t: -t / (t**2 + 2.0),
    "moré-thuente 5.2": lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
    "moré-thuente 5.4": more_thuente(0.01),
    "many valleys": lambda t: (t - 2) ** 2 - torch.sin(20 * t),
    "wall": lambda t: (t - 5.0) ** 2 + torch.exp(50 * (t - 0.2)),
    "log: NaN beyond 0.3": lambda t: -torch.log(0.3 - t) - 20 * t,
    "square root: NaN beyond 1": lambda t: -torch.sqrt(1 - t) * t,
    "overflow": lambda t: torch.exp(400 * t) - 1000 * t,
}


@pytest.mark.parametrize("c2", [0.9, 0.1])
@pytest.mark.parametrize("first", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_strong_wolfe_on_awkward_functions(name: str, first: float, c2: float) -> None:
    start, accepted, evaluations, tried = search(FUNCTIONS[name], first, c2=c2)
    assert start.slope < 0
    assert meets(start, accepted, c2=c2)
    assert evaluations == tried <= 25


@settings(deadline=None, max_examples=60)
@given(
    wave=st.floats(0, 3), frequency=st.floats(0.1, 30), phase=st.floats(0, 6), first=st.floats(1e-3, 100),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)  # fmt: skip
def test_strong_wolfe_on_random_valleys(wave: float, frequency: float, phase: float, first: float, dtype) -> None:
    def f(t: torch.Tensor) -> torch.Tensor:
        return (t - 2) ** 2 / 2 + wave * torch.sin(frequency * t + phase) - 2 * wave * frequency * t

    start, accepted, _, _ = search(f, first, dtype)
    assert meets(start, accepted)


def test_a_good_first_trial_costs_one_evaluation() -> None:
    _, accepted, evaluations, _ = search(lambda t: (t - 1.0) ** 2)
    assert (accepted.t, evaluations) == (1.0, 1)


@pytest.mark.parametrize(
    "f",
    [
        lambda t: torch.where(t > 0, 1 + t, 1 - t),  # rises from a slope that lies
        lambda t: torch.where(t > 0, t * torch.nan, 1 - t),  # NaN everywhere else
        lambda t: torch.where(t > 0, t * -torch.inf, 1 - t),  # minus infinity is no minimum
    ],
)
def test_where_nothing_is_lower_the_start_is_returned(f: Function) -> None:
    start, accepted, evaluations, _ = search(f, max_evaluations=7)
    assert accepted is start
    assert evaluations == 7


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_never_a_higher_point_however_few_evaluations(name: str, most: int) -> None:
    start, accepted, evaluations, _ = search(FUNCTIONS[name], 30.0, max_evaluations=most)
    assert accepted.value <= start.value
    assert evaluations <= most


@pytest.mark.parametrize("first", [2.7e-5, 1e-9])
def test_a_concave_stretch_is_left_quickly(first: float) -> None:
    """The slope grows until the cubic has a minimum: steps ten times as long, not 1.1 times."""
    start, accepted, evaluations, _ = search(lambda t: torch.log(1 + (t - 1.76) ** 2), first)
    assert meets(start, accepted) and evaluations <= 14


def test_a_line_that_falls_for_ever_ends() -> None:
    start, accepted, evaluations, _ = search(lambda t: -t)
    assert accepted.value < start.value
    assert evaluations == 25
