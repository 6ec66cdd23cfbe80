"""Phases: how they are read, when they change, what they refuse; the learning-rate staircase."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import yaml

from mask_pinns.optim import OPTIMIZERS
from mask_pinns.optim.phases import Phase, Schedule, parse_phases


@pytest.mark.parametrize(
    "spec",
    [
        "adam 2000, lbfgs",
        "adam 2000 then lbfgs",
        ["adam 2000", "lbfgs"],
        [{"optimizer": "adam", "steps": 2000}, {"optimizer": "lbfgs"}],
    ],
)
def test_ways_to_write_phases(spec) -> None:
    assert parse_phases(spec) == (Phase("adam", 2000), Phase("lbfgs"))


def test_shared_settings_reach_first_order_phases_only() -> None:
    adam, lbfgs = parse_phases("adam 10, lbfgs", lr=0.01, decay=0.5, decay_every=None)
    assert (adam.lr, adam.decay, adam.decay_every) == (0.01, 0.5, 1000)
    assert lbfgs.lr is None


def test_a_phase_with_its_own_settings() -> None:
    (phase,) = parse_phases({"optimizer": "lbfgs", "steps": 5, "max_iter": 7, "resample": 3})
    assert phase == Phase("lbfgs", 5, resample=3, options={"max_iter": 7})
    optimizer, _ = phase.build([torch.nn.Parameter(torch.zeros(2))])
    assert optimizer.param_groups[0]["max_iter"] == 7


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("adm", "unknown optimizer 'adm'; did you mean 'adam'"),
        ("adam, lbfgs", "give its steps"),
        ("adam 0", "steps is 0"),
        ("adam -3", "steps is -3"),
        ("adam ten", "expected NAME"),
        ("", "expected NAME"),
        ([], "no optimizer"),
        ([{"steps": 3}], "needs `optimizer`"),
        ([{"optimizer": "adam", "lr": -1.0}], "lr is -1.0"),
        ([{"optimizer": "adam", "decay": 0.0}], "decay is 0.0"),
        ([{"optimizer": "adam", "beta": 3}], "did you mean 'betas'"),
        ([{"optimizer": "lbfgs", "resample": -1}], "resample is -1"),
        ([{"optimizer": "adam", "steps": "abc"}], "steps is 'abc'"),
        ([{"optimizer": "adam", "betas": "foo"}], "phase 'adam'"),
        ([{"optimizer": "soap", "kwargs": 1}], "unknown option of soap 'kwargs'"),
        ([{"optimizer": "bfgs", "variant": "ssbfgs"}], "unknown option of bfgs 'variant'"),
        ([{"optimizer": "ssbroyden", "c2": 2.0}], "phase 'ssbroyden': c1 is 0.0001 and c2 is 2.0"),
    ],
)
def test_refusals(spec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_phases(spec)


WRONG_OPTIONS = {
    "adam": ["betas: 3", "betas: [0.9]", "betas: [a, b]", "eps: x", "weight_decay: .inf", "amsgrad: x", "amsgrad: 1",
             "maximize: true", "differentiable: true", "capturable: true", "foreach: 3", "fused: true", "1: 2"],
    "lbfgs": ["max_iter: 0", "max_iter: -3", "max_iter: abc", "max_iter: 2.5", "max_iter: true", "max_iter: null",
              "history_size: 0", "max_eval: 0", "line_search_fn: foo", "line_search_fn: [a]", "tolerance_grad: x"],
    "ssbroyden": ["max_iter: abc", "max_search: 0", "c1: x", "c2: .nan", "initial_scaling: 1"],
    "gauss_newton": ["damping: x", "tries: 0", "corrections: -1", "largest: 1.5", "ratio: [1]"],
    "soap": ["betas: x", "data_format: foo", "precondition_frequency: 0", "maximize: true", "shampoo_beta: x"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("optimizer", "option"), [(o, option) for o, given in WRONG_OPTIONS.items() for option in given]
)
@pytest.mark.parametrize("inside", [True, False], ids=["in options", "beside"])
def test_options_that_do_not_fit_are_refused_by_name(optimizer: str, option: str, inside: bool) -> None:
    given = yaml.safe_load(f"{{{option}}}")
    with pytest.raises(ValueError, match=rf"(?s)(?=.*{optimizer})(?=.*{option.partition(':')[0]})"):
        parse_phases({"optimizer": optimizer, **({"options": given} if inside else given)})


RIGHT_OPTIONS = {
    "adam": {"betas": (0.8, 0.99), "weight_decay": 1e-3, "amsgrad": True},
    "lbfgs": {"max_iter": 3, "tolerance_grad": 0, "line_search_fn": "strong_wolfe"},
    "gauss_newton": {"corrections": 0, "damping": 1},
    "soap": {"shampoo_beta": 0.9, "precondition_frequency": 1},
}


@pytest.mark.parametrize("optimizer", RIGHT_OPTIONS)
def test_options_that_fit_arrive(optimizer: str) -> None:
    (phase,) = parse_phases({"optimizer": optimizer, **RIGHT_OPTIONS[optimizer]})
    group = phase.build([torch.nn.Parameter(torch.zeros(2))])[0].param_groups[0]
    assert {name: group[name] for name in phase.options} == RIGHT_OPTIONS[optimizer]


@pytest.mark.parametrize(
    "spec",
    [
        {"optimizer": ["adam"]}, {"optimizer": None}, {"optimizer": "adam", "options": 3},
        {"optimizer": "adam", "options": [1]}, {"optimizer": "adam", "options": None},
        {"optimizer": "adam", "precision": [32]}, {"optimizer": "adam", "precision": {"a": 1}},
        {"optimizer": "adam", "decay": None}, {"optimizer": "adam", "lr": 10**400}, {"optimizer": "adam", "steps": 2.0},
        3, [3], [None], [["adam"]],
    ],
)  # fmt: skip
def test_specs_of_another_kind(spec: Any) -> None:
    with pytest.raises(ValueError, match="adam"):
        parse_phases(spec)


def test_learning_rate_falls_in_a_staircase() -> None:
    optimizer, scheduler = Phase("adam", lr=1.0, decay=0.5, decay_every=3).build([torch.nn.Parameter(torch.zeros(1))])
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == [1.0] * 3 + [0.5] * 3 + [0.25]


def test_schedule_goes_from_phase_to_phase_to_the_end() -> None:
    schedule = Schedule(parse_phases("adam 2, lbfgs 1"))
    seen, reasons = [], []
    for step in range(1, 5):
        seen.append(schedule.phase.optimizer)
        reasons.append(schedule.advance(step))
    assert seen == ["adam", "adam", "lbfgs", "lbfgs"], "the last phase lasts as long as the trainer does"
    assert reasons == [None] * 4


def test_two_steps_without_progress_end_a_phase() -> None:
    schedule = Schedule(parse_phases("lbfgs 100, adam"))
    schedule.advance(1, progress=False)
    assert schedule.stalls == 1
    schedule.advance(2, progress=True)
    schedule.advance(3, progress=False)
    schedule.advance(4, progress=False)
    assert (schedule.phase.optimizer, schedule.start) == ("adam", 4)
    last = Schedule(parse_phases("lbfgs"))
    assert [last.advance(1, False), last.advance(2, False)] == [None, "stalled"]


def test_state_of_the_schedule_travels() -> None:
    schedule = Schedule(parse_phases("adam 2, lbfgs"))
    schedule.advance(2)
    again = Schedule(parse_phases("adam 2, lbfgs"))
    again.load_state_dict(schedule.state_dict())
    assert (again.index, again.start, again.stalls) == (1, 2, 0)
    with pytest.raises(ValueError, match="trained by other phases"):
        Schedule(parse_phases("adam")).load_state_dict(schedule.state_dict())


class Squares:
    """|A (p + s) - b|^2, each row three times, with a shift s."""

    rows, shared = 12, False

    def __init__(self, a: torch.Tensor, b: torch.Tensor, p: torch.Tensor) -> None:
        self.a, self.b, self.p, self.shift = a, b, p, torch.zeros_like(b)

    def residuals(self) -> tuple[torch.Tensor, torch.Tensor]:
        v = (self.a @ (self.p + self.shift) - self.b).detach().repeat(3)
        return v, v @ v

    def blocks(self) -> Any:
        yield self.residuals()[0], self.a.repeat(3, 1)

    def total(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_solves_a_problem_with_a_known_answer(name: str) -> None:
    """|A p - b|^2 with A well conditioned: the minimum is A^-1 b."""
    generator = torch.Generator().manual_seed(0)
    a = torch.eye(4, dtype=torch.float64) + 0.1 * torch.randn(4, 4, generator=generator, dtype=torch.float64)
    b = torch.randn(4, generator=generator, dtype=torch.float64)
    p = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    squares = Squares(a, b, p)
    first_order = OPTIMIZERS[name].decays
    optimizer, staircase = Phase(name, lr=0.05 if first_order else None, decay=0.8, decay_every=25).build([p])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (a @ p - b).square().sum()
        loss.backward()
        return loss

    for _ in range(1000 if first_order else 10):
        optimizer.step((lambda: squares) if OPTIMIZERS[name].least_squares else closure)
        staircase.step()
    torch.testing.assert_close(p.detach() + squares.shift, torch.linalg.solve(a, b), rtol=1e-6, atol=1e-6)


def test_the_last_phase_has_its_own_steps_however_early_it_begins() -> None:
    """A phase before it that ends at its target must not leave its steps to the last one, unless --steps does."""
    phases = parse_phases(
        [{"optimizer": "adam", "steps": 60, "target": 1e6}, {"optimizer": "gauss_newton", "steps": 3}]
    )
    for bounded, expected in ((True, "last phase done"), (False, None)):
        schedule = Schedule(phases)
        schedule.bounded = bounded
        assert schedule.advance(1, reached=True) is None
        assert [schedule.advance(step) for step in (2, 3)] == [None, None]
        assert schedule.advance(4) == expected
