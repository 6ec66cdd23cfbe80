"""Numbers of a residual that change during training: derivatives combined with those of the start are separated."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from helpers import fit

from mask_pinns import Box, Dirichlet, Initial, MaskPINN, Objective, Problem
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.objective.live_numbers import LiveNumbers

RATE = 1.0
RATES = {"rate": 1.0}
HOLDER = SimpleNamespace(rate=1.0)


def rate() -> float:
    return RATE + 0.0


def around(box: list[float]) -> Callable[[], float]:
    return lambda: box[0]


BOX = [1.0]
CLOSED = around(BOX)


class Rates:
    rate = 1.0


def set_global(value: float) -> None:
    global RATE
    RATE = value


WAYS: dict[str, tuple[Callable[[], float], Callable[[float], None]]] = {
    "a global number": (lambda: RATE, set_global),
    "through a function": (lambda: rate(), set_global),
    "in a nested function": (lambda: sum(RATE * k for k in (0.5, 0.5)), set_global),
    "a dict": (lambda: RATES["rate"], lambda value: RATES.update(rate=value)),
    "a variable around a function": (lambda: CLOSED(), lambda value: BOX.__setitem__(0, value)),
    "an object": (lambda: HOLDER.rate, lambda value: setattr(HOLDER, "rate", value)),
    "a class": (lambda: Rates.rate, lambda value: setattr(Rates, "rate", value)),
}


def problem(read: Callable[[], float]) -> Problem:
    class Rod(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 0.2))
        derivatives = ("t", "xx")
        conditions = (Initial(u=lambda p: torch.sin(math.pi * p.x)), Dirichlet("x", u=0.0))

        def residual(self, p, u):
            return u.t - read() * u.xx

    return Rod()


@pytest.fixture(autouse=True)
def _at_one() -> None:
    for _, write in WAYS.values():
        write(1.0)


@pytest.mark.parametrize("way", WAYS)
def test_a_coefficient_that_changes_counts(way: str, float64: None) -> None:
    read, write = WAYS[way]
    heat = problem(read)
    network = MaskPINN(heat, {"name": "mlp", "width": 6, "blocks": 1}).network
    by_jets, by_autograd = Objective(heat), Objective(heat, derivatives="autograd")
    points = PointsDataModule(heat, points=30).draw(step=0)
    for value in (1.0, 3.0, 0.0):
        write(value)
        by_jets.separate_streams()
        torch.testing.assert_close(by_jets.loss(network, points)[0], by_autograd.loss(network, points)[0])
    assert by_jets.version == 1, "once separated, numbers are read where they are used"


@pytest.mark.parametrize(
    "draw",
    [lambda: random.random(), lambda: float(torch.rand(())), lambda: time.perf_counter(), lambda: next(COUNT)],
    ids=["random", "torch", "time", "count"],
)
def test_numbers_that_differ_at_every_call_are_not_combined(draw: Callable[[], float]) -> None:
    objective = Objective(problem(draw))
    objective.separate_streams()
    assert not objective.needs["pde"].parts


COUNT = iter(range(10**9))


def test_constants_stay_combined() -> None:
    """Library functions, coefficients and numbers that do not change cost nothing."""
    factor = 2.0

    class Rod(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 0.2))
        derivatives = ("t", "xx")
        conditions = (Initial(u=0.0),)
        k: float = 0.5
        extra = (1.0, [2.0])

        @property
        def rate(self) -> float:
            return self.k * factor * math.sqrt(4.0)

        def half(self, u: Any) -> Any:
            return self.extra[1][0] / 4.0 * u

        def residual(self, p, u):
            return u.t - self.rate * self.half(u.xx) + torch.sin(p.x)

    objective = Objective(Rod())
    objective.separate_streams()
    assert objective.numbers["pde"].known and objective.version == 0
    assert objective.needs["pde"].parts


x = torch.linspace(0.0, 1.0, 3)  # a global of the name of a coordinate, as scripts have them


def test_a_global_of_the_name_of_a_coordinate_is_not_read() -> None:
    class Rod(Problem):
        domain = Box(x=(0.0, 1.0), t=(0.0, 0.2))
        derivatives = ("t", "xx")
        conditions = (Initial(u=0.0),)

        def residual(self, p, u):
            return u.t - u.xx + p.x

    assert Objective(Rod()).needs["pde"].parts


LAYER = torch.nn.Linear(1, 1)
PAIR = ([1.0],)
VIEW = MappingProxyType(RATES)


def held() -> float:
    return float(held.rate)


held.rate = 1.0  # type: ignore[attr-defined]
UNSEEN = {
    "a module of torch": lambda: float(LAYER.bias),
    "an attribute of a function": lambda: held(),
    "a list in a tuple": lambda: PAIR[0][0],
    "a view of a dict": lambda: VIEW["rate"],
}


@pytest.mark.parametrize("way", UNSEEN)
def test_what_hides_its_changes_is_watched_or_separate(way: str) -> None:
    numbers = LiveNumbers(UNSEEN[way])
    RATES["rate"], PAIR[0][0] = 2.0, 2.0
    changed = numbers.changed()
    PAIR[0][0] = 1.0
    assert not numbers.known or changed


@pytest.mark.parametrize("optimizer", ["adam", {"optimizer": "lbfgs", "max_iter": 3}])
def test_training_follows_a_change(optimizer: Any) -> None:
    """The same losses as by nested autograd, which combines nothing, for a coefficient that grows with the steps."""

    class Grow(L.Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
            set_global(1.0 + trainer.global_step / 3)

    losses = []
    for engine in ("jet", "autograd"):
        set_global(1.0)
        torch.manual_seed(0)
        m = MaskPINN(problem(lambda: RATE), {"name": "mlp", "width": 6, "blocks": 1}, optimizer, derivatives=engine)
        fit(m, 4, [Grow()])
        losses.append(float(m.stepper.last_loss))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_validation_follows_a_change() -> None:
    """A coefficient that changes after a step counts in the loss at fresh points, before the next step."""

    class Grow(L.Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            set_global(1.0 + trainer.global_step)

    losses = []
    for engine in ("jet", "autograd"):
        set_global(1.0)
        torch.manual_seed(0)
        m = MaskPINN(problem(lambda: RATE), {"name": "mlp", "width": 6, "blocks": 1}, "adam", derivatives=engine)
        trainer = fit(m, 1, [Grow()], val_check_interval=1)
        losses.append(float(trainer.callback_metrics["val/loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
