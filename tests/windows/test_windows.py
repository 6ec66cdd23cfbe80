"""Time windows: their problems, how one begins where the last one ends, the network that knows all of them."""

from __future__ import annotations

import copy
import inspect
import sys
from types import SimpleNamespace

import pytest
import torch

from mask_pinns import (
    PROBLEMS,
    Box,
    Condition,
    Data,
    Dirichlet,
    Disk,
    Initial,
    MaskPINN,
    Neumann,
    Pin,
    Problem,
    recipe_for,
)
from mask_pinns.domains.places import kronecker
from mask_pinns.jets import Derivatives
from mask_pinns.jets.engines import by_autograd, by_jet
from mask_pinns.windows import blend, equal_ends, joined, jumps, require_windows, window_of

SMALL = {"name": "masked", "width": 7, "blocks": 1, "activation": "sin"}
EVOLVING = [name for name, cls in PROBLEMS.items() if "t" in cls().domain and not vars(cls())["_unknowns"]
            and any(isinstance(c, Initial) for c in cls().conditions)]  # fmt: skip


def whole(problem: Problem, ends: list[float], **options) -> MaskPINN:
    torch.manual_seed(0)
    module = MaskPINN(problem, SMALL, windows=ends, **{"exact": "auto", "embedding": {"periodic": "auto"}} | options)
    with torch.no_grad():
        for p in module.network.parameters():
            p += 0.1 * torch.randn_like(p)
    return module.double()


@pytest.mark.parametrize("name", EVOLVING)
def test_a_window_begins_exactly_and_its_derivatives_are_those_of_autograd(name: str) -> None:
    problem = PROBLEMS[name]()
    module, names = whole(problem, equal_ends(3, problem.domain)), problem.domain.names
    x = problem.domain.section({}).draw(40, kronecker)
    derivatives = Derivatives(problem.derivatives)
    jet, reference = (engine(module.network, x, names, derivatives) for engine in (by_jet, by_autograd))
    for m in derivatives.indices:
        size = reference[m].abs().max() + 1e-12
        assert jet[m] is not None and (jet[m] - reference[m]).abs().max() <= 1e-11 * size, m
    for k, time in enumerate(module.network.ends[:-1]):
        window = window_of(problem, time, module.network.ends[k + 1], module.network.parts[k])
        gaps = jumps(module.network.parts[k], module.network.parts[k + 1], window)
        given = {key for c in problem.conditions if isinstance(c, Initial) for key in c.targets}
        if "initial" in module.objective.hard:
            assert all(gaps[key] <= 1e-12 for key in given if key in problem.fields), gaps
    slopes = [c for c in problem.conditions if isinstance(c, Initial) and any("_t" in key for key in c.targets)]
    if slopes and "initial" in module.objective.hard:
        at = x.clone()
        at[:, names.index("t")] = module.network.ends[0]
        before, after = (by_jet(part, at, names, Derivatives(["t"]))["t"] for part in module.network.parts[:2])
        torch.testing.assert_close(after, before, rtol=0, atol=1e-11 * float(before.detach().abs().max()))


def test_combined_streams_have_the_initial_values_in_them() -> None:
    """Operators travel as one stream: that of a window's start is the sum of its members without time."""
    problem = PROBLEMS["wave"](c=1.5)
    network = whole(problem, equal_ends(2, problem.domain)).network
    x, names = problem.domain.section({}).draw(30, kronecker), problem.domain.names
    operator = {"D0": (("tt", 1.0), ("xx", -2.25))}
    sums = by_jet(network, x, names, Derivatives([], operator))["D0"]
    parts = by_jet(network, x, names, Derivatives(["tt", "xx"]))
    torch.testing.assert_close(sums, parts["tt"] - 2.25 * parts["xx"], rtol=1e-12, atol=1e-10)


def test_a_window_has_the_whole_problem_s_conditions_errors_and_scales() -> None:
    problem = PROBLEMS["burgers"](nu=0.02)  # for which no solution is stored
    module = whole(problem, [0.25, 1.0])
    window = window_of(problem, 0.25, 1.0, module.network.parts[0])
    assert type(window).__name__ == "Burgers" and window.nu == 0.02 and window.domain["t"] == (0.25, 1.0)
    assert [c.name for c in window.conditions] == [c.name for c in problem.conditions]
    grid, all_of_it = window.evaluation(), problem.evaluation()
    assert grid.points[:, 1].min() >= 0.25 and len(grid.points) < len(all_of_it.points)
    assert len(grid.axes["t"]) * len(grid.axes["x"]) == len(grid.points)
    assert window_of(PROBLEMS["wave"](), 1.0, 2.0).evaluation().values.shape == (8000, 1)
    trained = MaskPINN(window, SMALL, dimensionless=True)
    trained.check()
    assert trained.hparams["problem"] == {"name": "burgers", "nu": 0.02}


class Drum(Problem):
    """u_t = lap u on a disk, insulated."""

    domain = Disk(x=0.0, y=0.0, radius=1.0) & Box(t=(0.0, 2.0))
    derivatives = ("xx", "yy", "t")
    disk = Disk(x=0.0, y=0.0, radius=1.0)
    conditions = (Initial(u=lambda p: p.x**2), Neumann(disk, u=0.0))

    def residual(self, p, u):
        return u.t - u.xx - u.yy


def test_shapes_have_windows_too() -> None:
    module = whole(Drum(), [0.5, 2.0])
    assert module.objective.hard == ("initial", "neumann") or "initial" in module.objective.hard
    window = window_of(Drum(), 0.5, 2.0, module.network.parts[0])
    assert len(window.evaluation().points) and window.evaluation().values is None
    assert jumps(*module.network.parts, window)["u"] <= 1e-12


def test_every_point_has_the_network_of_its_window() -> None:
    problem = PROBLEMS["wave"]()
    module = whole(problem, [1.0, 2.5, 5.0])
    x = torch.tensor([[0.3, 0.0], [0.3, 1.0], [0.3, 1.1], [0.6, 2.5], [0.2, 2.6], [0.1, 5.0]], dtype=torch.float64)
    assert module.network.windows(x).tolist() == [0, 0, 1, 1, 2, 2]
    expected = torch.cat([module.network.parts[k](x[i : i + 1]) for i, k in enumerate([0, 0, 1, 1, 2, 2])])
    torch.testing.assert_close(module.network(x), expected, rtol=0, atol=1e-15)
    assert module.network(x[:0]).shape[0] == 0
    copied = copy.deepcopy(module.network)
    torch.testing.assert_close(copied(x), expected, rtol=0, atol=0)


def test_the_window_before_is_not_trained() -> None:
    problem = PROBLEMS["wave"]()
    before = whole(problem, [2.0, 5.0]).network.parts[0]
    module = MaskPINN(window_of(problem, 2.0, 5.0, before), SMALL, exact="all").double()
    points = {"pde": problem.domain.section({}).draw(20, kronecker)}
    loss, _ = module.objective.loss(module.network, points)
    loss.backward()
    assert all(p.grad is None for p in before.parameters())
    assert not any(p is q for p in module.parameters() for q in before.parameters())


def test_a_copy_in_another_precision_follows_the_weights() -> None:
    problem = PROBLEMS["burgers"]()
    network = MaskPINN(problem, SMALL, windows=[0.5, 1.0], exact=["initial"]).network  # float32
    x = torch.tensor([[0.3, 0.5]], dtype=torch.float64)
    target = network.parts[1].constraints.fields["u"].ansatz.initial[0]
    p = problem.points(problem.domain.section({}), x)
    first = target(p)
    with torch.no_grad():
        for weight in network.parts[0].parameters():
            weight.mul_(1.5)
    assert not torch.equal(target(p), first)
    torch.testing.assert_close(target(p).float(), network.parts[0](x.float())[:, 0], rtol=1e-5, atol=1e-6)


def test_first_weights_are_those_of_the_window_before_with_a_share_of_fresh_ones() -> None:
    problem = PROBLEMS["wave"]()
    before, network = whole(problem, [2.0, 5.0]).network.parts
    theirs, own = dict(before.core.named_parameters()), copy.deepcopy(dict(network.core.named_parameters()))
    blend(before, network, 0.25)
    for name, weight in network.core.named_parameters():
        torch.testing.assert_close(weight, 0.75 * theirs[name] + 0.25 * own[name])


def problem_with(*conditions: Condition, unknowns: tuple = (), box: Box | None = None) -> Problem:
    body = {"domain": box or Box(x=(0, 1), t=(0, 1)), "derivatives": ("t", "xx"), "conditions": conditions}
    body |= {"residual": lambda self, p, u: u.t - u.xx}
    return type("Rod", (Problem,), body)()


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (PROBLEMS["helmholtz"](), "need a coordinate t"),
        (PROBLEMS["cooling"](), "has unknowns"),
        (problem_with(Dirichlet("x", u=0.0)), "no Initial condition"),
        (problem_with(Initial(u=0.0), Data({"x": [0.5], "t": [0.5], "u": [1.0]})), "measurements at all times"),
        (problem_with(Initial(u=0.0), Condition("end", {"t": 1.0}, lambda p, u: u)), "holds at t = 1 alone"),
        (problem_with(Initial(u=0.0), Dirichlet("t", side="high", u=0.0)), "holds at t = 1 alone"),
        (problem_with(Initial(u=0.0), Condition("early", None, lambda p, u: u, within=Box(t=(0, 0.1)))), "mentions t"),
    ],
    ids=lambda case: case.title if isinstance(case, Problem) else case.replace(" ", "_"),
)
def test_problems_without_windows_say_why(problem: Problem, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        require_windows(problem)
    with pytest.raises(ValueError, match=reason):
        recipe_for(problem, windows=2)


def test_a_window_outside_of_the_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the time of Wave is \[0, 5\]"):
        window_of(PROBLEMS["wave"](), 3.0, 6.0)


def test_from_python_in_one_line() -> None:
    module = recipe_for("wave", windows=[1.0], steps=8, network={"width": 8}, points={"pde": 200}).fit(
        accelerator="cpu"
    )
    assert module.network.ends == (1.0, 5.0) and module.predict([[0.5, 0.2], [0.5, 4.0]]).shape == (2, 1)
    assert module.hparams["windows"] == [1.0, 5.0]


class Relative(Problem):
    """u_t = t / T, with T read from the domain."""

    domain = Box(t=(0.0, 2.0))
    derivatives = ("t",)
    conditions = (Initial(u=0.0),)

    def residual(self, p, u):
        return u.t - p.t / self.domain["t"][1]

    def exact(self, p):
        return p.t**2 / (2 * self.domain["t"][1])


def test_functions_of_a_problem_see_the_whole_domain() -> None:
    problem = Relative()
    window = window_of(problem, 0.5, 1.0, whole(problem, [0.5, 2.0]).network.parts[0])
    x = torch.tensor([[0.8]], dtype=torch.float64)
    torch.testing.assert_close(window.solution(x), problem.solution(x))
    p, u = problem.points(problem.domain.section({}), x), SimpleNamespace(t=torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(window.residual(p, u), problem.residual(p, u))


class Pinned(Problem):
    """A level that is fixed at the start of time."""

    domain = Box(t=(0.0, 2.0))
    fields = ("u", "P")
    derivatives = ("t",)
    conditions = (Initial(u=1.0), Pin(P=0.0))

    def residual(self, p, u, P):
        return u.t, P.t - u


def test_a_pin_at_one_time_and_a_symmetry_in_time_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'pin' of Pinned holds at t = 0 alone"):
        require_windows(Pinned())
    with pytest.raises(ValueError, match="symmetry in t"):
        MaskPINN(problem_with(Initial(u=0.0)), SMALL, windows=[0.5, 1.0], symmetry={"t": "even"})


def test_the_cost_of_a_window_grows_with_the_number_of_those_before_it() -> None:
    """Values and velocities, at walls too, take one evaluation of each network before; points that stay take none."""
    problem = PROBLEMS["wave"]()
    network = whole(problem, equal_ends(12, problem.domain), exact="all").network
    x = torch.tensor([[0.3, 5.0], [0.4, 4.9]], dtype=torch.float64)
    calls = []
    hook = network.parts[0].core.register_forward_hook(lambda *_: calls.append(1))
    network(x)
    assert 1 <= len(calls) <= 5
    network(x)
    assert len(calls) <= 5
    with torch.no_grad():
        next(network.parts[3].parameters()).add_(0.1)
    network(x)
    assert len(calls) > 5, "with other weights in between, what was kept is not used"
    hook.remove()


def test_many_windows_do_not_nest(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = PROBLEMS["burgers"]()
    tiny, ends = {"name": "masked", "width": 2, "blocks": 0}, equal_ends(16, problem.domain)
    network = MaskPINN(problem, tiny, windows=ends, exact=["initial"]).network
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(len(inspect.stack(0)) + 120)  # one in the other, they would need 18 frames each
        assert network(torch.tensor([[0.3, 1.0]])).isfinite().all()
    finally:
        sys.setrecursionlimit(limit)


def test_windows_of_other_precisions_are_joined_in_the_wider_one() -> None:
    problem = PROBLEMS["burgers"]()
    module = MaskPINN(problem, SMALL, windows=[0.5, 1.0], exact=["initial"])
    first, second = module.network.parts
    second.double()
    window = window_of(problem, 0.5, 1.0, first)
    assert jumps(first, second, window)["u"] < 1e-6
    solution = joined(lambda: MaskPINN(problem, SMALL, windows=[0.5, 1.0], exact=["initial"]), [first, second])
    assert all(p.dtype == torch.float64 for p in solution.network.parameters())


def test_fourier_features_go_with_the_weights() -> None:
    problem = PROBLEMS["wave"]()
    before, network = whole(problem, [2.0, 5.0], embedding={"fourier": 3}).network.parts
    blend(before, network, 0.0)
    torch.testing.assert_close(network.embedding.fourier.frequencies, before.embedding.fourier.frequencies)
