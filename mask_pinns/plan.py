"""The plan of a run, before it trains: points, loss terms and their streams, phases, and what a step will cost.

Seconds and memory are estimates from a few evaluations of loss and gradient on this machine. A compiled step is
estimated from its matrix products, which bound it from below: by measurement (benchmarks/step_time.py) it takes up to
about twice their time on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mask_pinns.compilation import flops, pays
from mask_pinns.module import MaskPINN
from mask_pinns.objective import PointSets
from mask_pinns.optim.damped_squares import chosen
from mask_pinns.optim.memory import require_memory

OVER_MATRIX_PRODUCTS = 2.0


def plan(module: MaskPINN, points: PointSets, steps: int) -> list[tuple[str, str]]:
    """Lines (what, text) of the plan for so many steps on these point sets."""
    parameters = sum(p.numel() for p in module.network.parameters())
    dtype = str(next(module.network.parameters()).dtype).removeprefix("torch.")
    lines = [("network", f"{parameters:,} parameters, {dtype}, on {points['pde'].device}")]
    lines += [(f"term {name}", text) for name, text in _terms(module, points).items()]
    lines += [("passes", _passes(module, points))]
    lines += [
        ("phases", "; ".join(f"{phase} (lr {phase.lr or phase.method.lr:g})" for phase in module.schedule.phases))
    ]
    cost = _cost(module, points, steps)
    return lines + _costs(module, cost, steps) + _least_squares(module, cost, parameters)


def require_room(module: MaskPINN, counts: Mapping[str, int], ranks: int, device: torch.device) -> None:
    """Raises ValueError where a rank's share of so many points on each face cannot be trained in the device's memory.

    For the backward pass each product with a weight keeps what it multiplies, every stream at every point: no training
    takes less. Least-squares methods go through the points in chunks, and keep one layer at most.
    """
    objective = module.objective
    rows = sum(
        counts[t.name] / ranks * objective.faces[t.name] * len(objective.needs[t.name].derivatives.indices)
        for t in objective.terms
    )
    inputs = [p.shape[1] for p in module.network.parameters() if p.ndim == 2]
    chunked = all(phase.method.least_squares for phase in module.schedule.phases)
    need = 4 * int(rows) * (max(inputs, default=1) if chunked else sum(inputs))
    names = ", ".join(f"{name} {n:,}" for name, n in counts.items())
    require_memory(need, device, f"a step on points ({names})", "take fewer points, or a smaller network")


def _terms(module: MaskPINN, points: PointSets) -> dict[str, str]:
    objective, found = module.objective, {}
    residuals = objective.residuals(module.network, points)
    for term in objective.terms:
        own = {k: r for k, r in residuals.items() if k.partition(".")[0] == term.name}
        weights = ", ".join(f"{k} (weight {r.weight:g})" for k, r in own.items())
        streams = objective.needs[term.name].derivatives
        found[term.name] = f"{len(points[term.name]):,} points; {weights}; streams: {_names(streams)}"
    return found | dict.fromkeys(objective.exact, "holds by construction: no points, no loss")


def _names(derivatives: object) -> str:
    inner = repr(derivatives).removeprefix("Derivatives(").removesuffix(")")
    return f"value, {inner}" if inner else "value"


def _passes(module: MaskPINN, points: PointSets) -> str:
    passes = module.objective.passes.values()
    rows = sum(len(points[t.name]) * len(d.indices) for d, terms in module.objective.passes.items() for t in terms)
    together = "; ".join(" + ".join(term.name for term in terms) for terms in passes)
    return f"{len(passes)} through the network ({together}): {rows:,} rows in each layer"


@dataclass(frozen=True)
class _Cost:
    """What a run on these points takes here, timed once: seconds, bytes, floating-point operations.

    Attributes:
        evaluations: of the loss with its gradient, in the whole run.
        compiles: whether they will be compiled.
        work: FLOP of an evaluation; `floor`: the seconds of its matrix products by themselves.
        eager: seconds of an evaluation that is not compiled; `memory`: the bytes that it keeps.
        factorization: seconds that a least-squares step takes beside its evaluations; `rows`: its residuals.
        factorizations: steps of least-squares phases.
    """

    evaluations: int
    compiles: bool
    work: float
    floor: float
    eager: float
    memory: int
    factorization: float
    rows: int
    factorizations: int

    @property
    def evaluation(self) -> float:
        """Seconds of an evaluation as the run will make it."""
        return min(self.eager, OVER_MATRIX_PRODUCTS * self.floor) if self.compiles else self.eager

    @property
    def run(self) -> float:
        """Seconds of the whole run."""
        return self.evaluations * self.evaluation + self.factorizations * self.factorization


def _cost(module: MaskPINN, points: PointSets, steps: int) -> _Cost:
    evaluations, phases = module.planned_evaluations(steps), module.schedule.phases
    rate, work = _rate(module, points), flops(module.objective, module.network, points)
    eager, memory = _eager_cost(module, points)
    compiles = pays(module.compile_mode, module.objective, module.network, points, evaluations)
    factorization, rows, factorizations = 0.0, 0, 0
    if any(phase.method.least_squares for phase in phases):
        factorization, rows = _factorization_seconds(module, points, rate)
        factorizations = max(0, steps - sum(phase.steps or 0 for phase in phases if not phase.method.least_squares))
    return _Cost(evaluations, compiles, work, work / rate, eager, memory, factorization, rows, factorizations)


def seconds_of_run(module: MaskPINN, points: PointSets, steps: int) -> float:
    """About how long a run takes here, from evaluations timed now; what Gauss-Newton adds to a step included."""
    return _cost(module, points, steps).run


def _costs(module: MaskPINN, cost: _Cost, steps: int) -> list[tuple[str, str]]:
    short = " (too short a run to win the compile time back)" if module.compile_mode == "auto" else ""
    how = "compiled, which takes about a minute, less from a warm cache" if cost.compiles else f"eager{short}"
    products = (
        f"{cost.work / 1e9:.3g} GFLOP of matrix products an evaluation, {cost.floor * 1e3:.3g} ms by themselves here"
    )
    return [
        ("compile", f"{module.compile_mode}: {how}"),
        ("work", products),
        ("an evaluation", f"about {cost.evaluation * 1e3:.3g} ms (eager, measured: {cost.eager * 1e3:.3g} ms)"),
        ("a run", f"{steps:,} steps, {cost.evaluations:,} evaluations: about {duration(cost.run)}"),
        ("memory", f"{cost.memory / 1e6:,.0f} MB kept for the backward pass (eager; compiled less)"),
    ]


def _factorization_seconds(module: MaskPINN, points: PointSets, rate: float) -> tuple[float, int]:
    """Seconds of J'J, its lower half, and three factorizations; and the number of residuals."""
    with torch.no_grad():
        rows = len(module.objective.residual_vector(module.network, points))
    side, other = sorted((rows, sum(p.numel() for p in module.network.parameters())))
    return (side**2 * other + side**3) / rate, rows


def _least_squares(module: MaskPINN, cost: _Cost, parameters: int) -> list[tuple[str, str]]:
    """What a Gauss-Newton step adds: J'J and, for each damping tried, a factorization of it."""
    if not cost.rows:
        return []
    what, numbers = chosen(cost.rows, parameters).takes(cost.rows, parameters)
    size = numbers * next(module.network.parameters()).element_size() / 1e6
    seconds = f"about {cost.factorization:.2g} s more"
    return [("a Gauss-Newton step", f"{cost.rows:,} residuals: {seconds}; {what}, {size:,.0f} MB")]


def _eager_cost(module: MaskPINN, points: PointSets) -> tuple[float, int]:
    """Seconds of an evaluation with its gradient, and the bytes that the forward pass keeps for it."""
    kept: dict[int, int] = {}

    def note(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    def evaluate() -> None:
        loss, _ = module.objective.loss(module.network, points)
        torch.autograd.grad(loss, list(module.network.parameters()), allow_unused=True)

    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        evaluate()
    return _seconds(evaluate, points), sum(kept.values())


def _rate(module: MaskPINN, points: PointSets) -> float:
    """FLOP/s of this machine's own matrix products, rows of points times the network's largest weight."""
    weight = max((p for p in module.network.parameters() if p.ndim == 2), key=torch.numel).detach()
    x = torch.randn(len(points["pde"]), weight.shape[1], dtype=weight.dtype, device=weight.device)
    return 2.0 * len(x) * weight.numel() / _seconds(lambda: x @ weight.T, points, 20)


def _seconds(call: Callable[[], object], points: PointSets, repeats: int = 5) -> float:
    """Seconds of the fastest of a few calls, the device's work included."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        if points["pde"].device.type == "cuda":
            torch.cuda.synchronize(points["pde"].device)
        times.append(time.perf_counter() - begun)
    return min(times)


def duration(seconds: float) -> str:
    """Seconds as people say them: 1 h 5 min, 3 min 20 s, 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
