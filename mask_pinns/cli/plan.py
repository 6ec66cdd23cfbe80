"""Makes the plan of a run before it trains: points, loss terms and their streams, phases, and the cost of a step.

Seconds and memory are estimates from a few evaluations of loss and gradient on this machine. A compiled step is
estimated from its matrix products, whose time is its lower bound. By measurement (benchmarks/step_time.py), it takes up
to about twice this time on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from rich.table import Table
from torch import Tensor

from mask_pinns.memory import require_memory
from mask_pinns.metrics import CONSTANT
from mask_pinns.module import MaskPINN
from mask_pinns.networks.evaluation_mode import evaluation_mode
from mask_pinns.objective import PointSets
from mask_pinns.objective.compilation import flops, should_compile
from mask_pinns.objective.jacobian import Jacobian
from mask_pinns.optim.linear_solvers import choose_linear_solver
from mask_pinns.problems import Data
from mask_pinns.problems.derived.determinacy import check_dependence, free_fields
from mask_pinns.problems.derived.families import family_notes, family_parameters
from mask_pinns.problems.derived.scales import characteristic_scales
from mask_pinns.process.machine import described

COMPILED_FACTOR = 2.0
"""The time of a compiled evaluation over the time of its matrix products."""

TRIALS = 3
"""Evaluations of the residuals in a least-squares step: one for each damping that is tried, one for the correction."""


def plan_table(module: MaskPINN, points: PointSets, steps: int, windows: list[float] | None = None) -> Table:
    """Returns the plan as a table; `windows`: the ends of the time windows of which this one is the first."""
    table = Table(show_header=False, title=f"{module.problem.title}: the plan")
    with evaluation_mode(module):
        for label, text in plan(module, points, steps, windows):
            table.add_row(label, text)
    return table


def plan(module: MaskPINN, points: PointSets, steps: int, windows: list[float] | None = None) -> list[tuple[str, str]]:
    """Returns the lines (label, text) of the plan for a number of steps on these point sets."""
    parameters = sum(p.numel() for p in module.network.parameters())
    dtype = str(next(module.network.parameters()).dtype).removeprefix("torch.")
    device = points["pde"].device
    lines = [("network", f"{parameters:,} parameters, {dtype}, on {device}")]
    lines += [("threads", described(torch.get_num_threads()))] if device.type == "cpu" else []
    lines += [("family", f"a problem for each value of {name}, by which nothing has a derivative")
              for name in family_parameters(module.problem)]  # fmt: skip
    lines += _scales(module)
    lines += [(f"term {name}", text) for name, text in _terms(module, points).items()]
    lines += [("passes", _passes(module, points))]
    lines += [
        ("phases", "; ".join(f"{phase} (lr {phase.lr or phase.method.lr:g})" for phase in module.schedule.phases))
    ]
    cost = _cost(module, points, steps)
    lines += _costs(module, cost, steps) + _least_squares(module, cost, parameters)
    return lines + ([("all windows", _all_windows(windows, steps, cost.run))] if windows else [])


def _all_windows(ends: list[float], steps: int, seconds: float) -> str:
    """Describes the windows and their cost together, if each one takes all of its steps."""
    times = ", ".join(f"{end:.4g}" for end in ends)
    return f"{len(ends)}, which end at t = {times}: {len(ends) * steps:,} steps, about {duration(len(ends) * seconds)}"


def notes(module: MaskPINN) -> list[str]:
    """Returns what a user should know of a problem before it trains, a line each.

    Raises ValueError for a field that no residual contains.
    """
    title = module.problem.title
    domain = module.problem.domain
    once = f"at={{'t': {domain['t'][0]:g}}}, " if "t" in domain else ""  # one constant for all times
    free = [
        f"{title} determines {name} only up to a {kind.replace('time', 'constant at each time')}: errors are compared "
        f"without it; Pin({once if kind == CONSTANT else ''}{name}=0.0) among its conditions fixes it at a corner"
        for name, kind in free_fields(module.problem).items() if kind
    ]  # fmt: skip
    unused = [f"{title}: {note}" for note in check_dependence(module.problem)]
    soft = getattr(module.network, "soft_reasons", {})
    unused += family_notes(module.problem)
    return free + unused + [f"{name} is a term of the loss, not exact: {reason}" for name, reason in soft.items()]


def _scales(module: MaskPINN) -> list[tuple[str, str]]:
    """Describes the characteristic scales, if the problem is made dimensionless by them."""
    if not module.objective.scales:
        return []
    scales = characteristic_scales(module.problem)
    lengths = ", ".join(f"{name} {length:.3g}" for name, length in scales.lengths.items())
    fields = ", ".join(f"{name} {scales.offsets[name]:.3g} +- {size:.3g}" for name, size in scales.sizes.items())
    residuals = ", ".join(f"{name} {size:.3g}" for name, size in module.objective.scales.items())
    return [("scales", f"coordinates {lengths}; fields {fields}; residuals {residuals} (--dimensionless false: none)")]


def require_training_memory(module: MaskPINN, counts: Mapping[str, int], ranks: int, device: torch.device) -> None:
    """Raises ValueError if a rank's share of the points of each term cannot be trained in the device's memory.

    For the backward pass, each product with a weight stores its input, every stream at every point. This is a lower
    bound of the memory of training. Least-squares methods take the points in chunks and store one layer at most.
    """
    objective = module.objective
    rows = sum(
        (counts[t.name] if objective.places[t.name].count else counts[t.name] / ranks)
        * len(objective.places[t.name]) * len(objective.needs[t.name].derivatives.indices)
        for t in objective.terms
    )  # fmt: skip
    inputs = [p.shape[1] for p in module.network.parameters() if p.ndim == 2]
    chunked = all(phase.method.least_squares for phase in module.schedule.phases)
    size = 4 * int(rows) * (max(inputs, default=1) if chunked else sum(inputs))
    names = ", ".join(f"{name} {n:,}" for name, n in counts.items())
    require_memory(size, device, f"a step on points ({names})", "take fewer points, or a smaller network")


def _terms(module: MaskPINN, points: PointSets) -> dict[str, str]:
    """Describes each term of the loss by its points, weights and streams."""
    objective, texts = module.objective, {}
    residuals = objective.residuals(module.network, points)
    whole = float(sum(r.part.detach() for r in residuals.values()))
    for term in objective.terms:
        of_term = {k: r for k, r in residuals.items() if k.partition(".")[0] == term.name}
        weights = ", ".join(f"{k} (weight {r.weight:g})" for k, r in of_term.items())
        if isinstance(term, Data):
            part = float(sum(r.part.detach() for r in of_term.values()))
            weights += f", {part / whole if whole else 0.0:.1%} of the loss now"
        streams = objective.needs[term.name].derivatives
        texts[term.name] = f"{len(points[term.name]):,} points; {weights}; streams: {_names(streams)}"
    return texts | dict.fromkeys(objective.hard, "holds by construction: no points, no loss")


def _names(derivatives: object) -> str:
    """Lists the streams of a term: the value and its derivatives."""
    inner = repr(derivatives).removeprefix("Derivatives(").removesuffix(")")
    return f"value, {inner}" if inner else "value"


def _passes(module: MaskPINN, points: PointSets) -> str:
    """Describes the passes through the network: which terms share one, and how many rows each layer gets."""
    passes = module.objective.passes.values()
    rows = sum(len(points[t.name]) * len(d.indices) for d, terms in module.objective.passes.items() for t in terms)
    together = "; ".join(" + ".join(term.name for term in terms) for terms in passes)
    return f"{len(passes)} through the network ({together}): {rows:,} rows in each layer"


@dataclass(frozen=True)
class _Cost:
    """The cost of a run on these points, from measurements on this machine.

    Attributes:
        evaluations: number of evaluations of the loss with its gradient in the whole run.
        compiles: whether they will be compiled.
        work: FLOP of the matrix products of an evaluation.
        products: seconds of these matrix products.
        eager: seconds of an evaluation that is not compiled.
        memory: bytes that it stores for the backward pass.
        factorization: seconds that a least-squares step takes in addition to its evaluations.
        rows: number of residuals in a least-squares step.
        factorizations: number of steps in least-squares phases.
    """

    evaluations: int
    compiles: bool
    work: float
    products: float
    eager: float
    memory: int
    factorization: float
    rows: int
    factorizations: int

    @property
    def evaluation(self) -> float:
        """Seconds of an evaluation in the run, compiled or not."""
        return min(self.eager, COMPILED_FACTOR * self.products) if self.compiles else self.eager

    @property
    def run(self) -> float:
        """Seconds of the whole run."""
        return self.evaluations * self.evaluation + self.factorizations * self.factorization


def _cost(module: MaskPINN, points: PointSets, steps: int) -> _Cost:
    """Measures what the cost of a run depends on."""
    evaluations, phases = module.schedule.planned_evaluations(steps), module.schedule.phases
    rate, work = _flop_rate(module, points), flops(module.objective, module.network, points)
    eager, memory = _eager_cost(module, points)
    compiles = not all(phase.method.least_squares for phase in phases) and should_compile(
        module.stepper.compile_mode, module.objective, module.network, points, evaluations
    )
    factorization, rows, factorizations = 0.0, 0, 0
    if any(phase.method.least_squares for phase in phases):
        factorization, rows = _factorization_seconds(module, points, rate)
        factorizations = max(0, steps - sum(phase.steps or 0 for phase in phases if not phase.method.least_squares))
    return _Cost(evaluations, compiles, work, work / rate, eager, memory, factorization, rows, factorizations)


def seconds_of_run(module: MaskPINN, points: PointSets, steps: int) -> float:
    """Estimates the seconds of a run on this machine from a few evaluations; includes those of Gauss-Newton steps."""
    return _cost(module, points, steps).run


def _costs(module: MaskPINN, cost: _Cost, steps: int) -> list[tuple[str, str]]:
    """Returns the lines of the plan about compilation, time and memory."""
    short = " (the run is too short to save the compile time)" if module.stepper.compile_mode == "auto" else ""
    how = "compiled, which takes about a minute, less from a warm cache" if cost.compiles else f"eager{short}"
    seconds = f"{cost.products * 1e3:.3g} ms for these alone here"
    products = f"{cost.work / 1e9:.3g} GFLOP of matrix products in an evaluation, {seconds}"
    return [
        ("compile", f"{module.stepper.compile_mode}: {how}"),
        ("work", products),
        ("an evaluation", f"about {cost.evaluation * 1e3:.3g} ms (eager, measured: {cost.eager * 1e3:.3g} ms)"),
        ("a run", f"{steps:,} steps, {cost.evaluations:,} evaluations: about {duration(cost.run)}"),
        ("memory", f"{cost.memory / 1e6:,.0f} MB stored for the backward pass (eager; less if compiled)"),
    ]


def _factorization_seconds(module: MaskPINN, points: PointSets, rate: float) -> tuple[float, int]:
    """Estimates the seconds of a least-squares step in addition to one evaluation of loss and gradient.

    The Jacobian and the residuals at the tried weights are measured; J'J (its lower half) and the factorizations for
    each damping are estimated. Also returns the number of residuals.
    """
    jacobian = Jacobian(module.objective, module.network)
    rows = jacobian.rows(points)
    side, other = sorted((rows, sum(p.numel() for p in jacobian.parameters.values())))
    once = _seconds(lambda: [None for _ in jacobian.blocks(points)], points, 1)
    with torch.no_grad():
        trial = _seconds(lambda: jacobian.vector(points), points, 2)
    return once + TRIALS * trial + (side**2 * other + side**3) / rate, rows


def _least_squares(module: MaskPINN, cost: _Cost, parameters: int) -> list[tuple[str, str]]:
    """Describes the extra cost of a Gauss-Newton step: J'J, and its factorization for each damping parameter tried."""
    if not cost.rows:
        return []
    storage, numbers = choose_linear_solver(cost.rows, parameters).storage(cost.rows, parameters)
    size = numbers * next(module.network.parameters()).element_size() / 1e6
    seconds = f"about {cost.factorization:.2g} s more"
    return [("a Gauss-Newton step", f"{cost.rows:,} residuals: {seconds}; {storage}, {size:,.0f} MB")]


def _eager_cost(module: MaskPINN, points: PointSets) -> tuple[float, int]:
    """Measures the seconds of an evaluation with its gradient, and the bytes that the forward pass stores for it."""
    stored: dict[int, int] = {}

    def count(x: Tensor) -> Tensor:
        stored[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    def evaluate() -> None:
        loss, _ = module.objective.loss(module.network, points)
        torch.autograd.grad(loss, list(module.network.parameters()), allow_unused=True)

    with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
        evaluate()
    return _seconds(evaluate, points), sum(stored.values())


def _flop_rate(module: MaskPINN, points: PointSets) -> float:
    """Measures the FLOP/s of a matrix product on this machine: rows of points times the network's largest weight."""
    weight = max((p for p in module.network.parameters() if p.ndim == 2), key=torch.numel).detach()
    x = torch.randn(len(points["pde"]), weight.shape[1], dtype=weight.dtype, device=weight.device)
    return 2.0 * len(x) * weight.numel() / _seconds(lambda: x @ weight.T, points, 20)


def _seconds(call: Callable[[], object], points: PointSets, repeats: int = 5) -> float:
    """Measures the seconds of the fastest of a few calls, including the work of the device."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        if points["pde"].device.type == "cuda":
            torch.cuda.synchronize(points["pde"].device)
        times.append(time.perf_counter() - start)
    return min(times)


def duration(seconds: float) -> str:
    """Formats seconds for people: 1 h 5 min, 3 min 20 s, 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
