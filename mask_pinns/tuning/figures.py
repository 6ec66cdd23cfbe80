"""Draws the pictures of a study as SVG: losses of the trials, how they trained, settings against loss, importance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from mask_pinns.report.figures import Picture, svg_of
from mask_pinns.tuning.search import Choice, Range
from mask_pinns.tuning.study import Outcome, Study

LOSS = "loss at fresh points / the first one"
COLOURS = colormaps["viridis"]


def pictures(study: Study) -> list[Picture]:
    """The pictures of a study; empty if no trial has a loss."""
    judged = [outcome for outcome in study.counted if outcome.loss is not None and 0 < outcome.loss < math.inf]
    if not judged:
        return []
    drawn = [_history(study.counted, judged), _courses(study, judged), _slices(study, judged), _parallel(study, judged)]
    shares = study.importances()
    return [*drawn, _importance(shares)] if shares else drawn


def _figure(height: float = 3.4) -> Figure:
    return Figure(figsize=(9.0, height), layout="constrained")


def _history(all_of_them: Sequence[Outcome], judged: Sequence[Outcome]) -> Picture:
    """The loss of each trial, and the smallest so far."""
    figure = _figure()
    axis = figure.subplots()
    for state, marker in (("done", "o"), ("pruned", "v")):
        some = [(o.number, o.loss) for o in judged if o.state == state]
        if some:
            axis.scatter(*zip(*some, strict=True), marker=marker, label=state)
    failed = [o.number for o in all_of_them if o.state == "failed"]
    if failed:
        axis.scatter(failed, [1.0] * len(failed), marker="x", color="tab:red", label="failed (at 1)")
    done = [(o.number, o.loss or 0.0) for o in judged if o.state == "done"]
    if done:
        numbers, losses = zip(*done, strict=True)
        axis.step(numbers, np.minimum.accumulate(losses), where="post", color="tab:gray", label="smallest so far")
    axis.set(yscale="log", xlabel="trial", ylabel=LOSS)
    axis.legend()
    return Picture("History", svg_of(figure))


def _courses(study: Study, judged: Sequence[Outcome]) -> Picture:
    """The smallest loss so far of each trial over its steps."""
    figure, best = _figure(), study.best
    axis = figure.subplots()
    for outcome in judged:
        reports = {step: loss for step, loss in study.reports(outcome).items() if 0 < loss < math.inf}
        is_best = best is not None and outcome.number == best.number
        style: dict[str, Any] = {"color": "tab:red", "zorder": 3, "label": outcome.name} if is_best else {"alpha": 0.5}
        axis.plot(list(reports), list(reports.values()), marker=".", **style)
    axis.set(yscale="log", xlabel="step", ylabel=LOSS)
    if best is not None:
        axis.legend()
    return Picture("Training of each trial", svg_of(figure))


def _positions(values: Range | Choice, given: Sequence[Any]) -> list[float]:
    """Where values of a setting are on an axis: choices side by side."""
    return [float(values.values.index(v)) if isinstance(values, Choice) else float(v) for v in given]


def _slices(study: Study, judged: Sequence[Outcome]) -> Picture:
    """The loss against each setting."""
    figure = _figure()
    axes = figure.subplots(1, len(study.space), sharey=True, squeeze=False)[0]
    colours: dict[str, Any] = {"vmin": 0, "vmax": judged[-1].number + 1, "cmap": COLOURS}
    for axis, (name, values) in zip(axes, study.space.items(), strict=True):
        for state, marker in (("done", "o"), ("pruned", "v")):
            some = [o for o in judged if o.state == state]
            x = _positions(values, [o.settings[name] for o in some])
            axis.scatter(x, [o.loss for o in some], marker=marker, c=[o.number for o in some], **colours)
        _scale(axis, name, values)
    axes[0].set(yscale="log", ylabel=LOSS)
    return Picture("Loss by setting (later trials are lighter; triangles were pruned)", svg_of(figure))


def _scale(axis: Axes, name: str, values: Range | Choice) -> None:
    axis.set(xlabel=name)
    if isinstance(values, Choice):
        axis.set_xticks(range(len(values.values)), [str(value) for value in values.values])
        axis.set_xlim(-0.5, len(values.values) - 0.5)
    elif values.log:
        axis.set_xscale("log")


def _parallel(study: Study, judged: Sequence[Outcome]) -> Picture:
    """A line for each trial through its settings to its loss, each axis from 0 to 1."""
    figure = _figure(4.0)
    axis = figure.subplots()
    losses = [o.loss or 1.0 for o in judged]
    norm = LogNorm(min(losses), max(max(losses), min(losses) * (1 + 1e-9)))
    for outcome in sorted(judged, key=lambda o: -(o.loss or 0.0)):  # the best one on top
        heights = [_height(values, outcome.settings[name]) for name, values in study.space.items()]
        height = float(norm(outcome.loss or 1.0))
        style = "-" if outcome.state == "done" else ":"
        axis.plot([*heights, height], linestyle=style, color=COLOURS(1 - height))
    ends = [_ends(values) for values in study.space.values()]
    labels = [f"{top}\n{name}\n{bottom}" for name, (bottom, top) in zip(study.space, ends, strict=True)]
    axis.set_xticks(range(len(labels) + 1), [*labels, f"{max(losses):.1e}\nloss\n{min(losses):.1e}"])
    axis.set_yticks([])
    axis.grid(axis="x")
    return Picture(
        "Parallel coordinates (top and bottom of each axis are written under it; dotted: pruned)", svg_of(figure)
    )


def _height(values: Range | Choice, value: Any) -> float:
    """Where a value is between the bottom, 0, and the top of its axis, 1."""
    if isinstance(values, Choice):
        return values.values.index(value) / (len(values.values) - 1)
    low, high, x = (math.log(v) if values.log else v for v in (values.low, values.high, value))
    return float((x - low) / (high - low))


def _ends(values: Range | Choice) -> tuple[str, str]:
    if isinstance(values, Choice):
        return str(values.values[0]), str(values.values[-1])
    return f"{values.low:g}", f"{values.high:g}"


def _importance(shares: dict[str, float]) -> Picture:
    """How much each setting decides about the loss."""
    figure = _figure(0.8 + 0.4 * len(shares))
    axis = figure.subplots()
    axis.barh(list(shares)[::-1], list(shares.values())[::-1])
    axis.set(xlabel="share", xlim=(0, 1))
    return Picture("Importance of the settings (PED-ANOVA; a hint: few trials tell little)", svg_of(figure))
