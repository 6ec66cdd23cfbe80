"""Draws the pictures of the report as SVG: losses and errors, and statistics of each layer, for one run or two."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from mask_pinns.report.run_record import RunRecord

LINE_CHARTS = {
    "feature_drift": "Drift of the features h since the start",
    "preactivation_drift": "Drift of the pre-activations z since the start",
    "block_output_drift": "Drift of the blocks' outputs since the start",
    "feature_std": "Spread of the features h",
    "preactivation_std": "Spread of the pre-activations z",
    "preactivation_saturation": "Saturation: share on the flat part of the activation",
    "feature_effective_rank": "Effective rank of the features h",
    "mask_openness": "How far the mask is open",
    "gradient_norm": "Norm of dL/dW",
}
LOG_SCALE = {"gradient_norm", "feature_std", "preactivation_std"}


class Picture(NamedTuple):
    """A title, and an SVG as a data URL, which is "" if there is nothing to draw."""

    title: str
    svg: str


def svg_of(figure: Figure) -> str:
    """Returns a figure as an SVG in a data URL."""
    file = BytesIO()
    figure.savefig(file, format="svg")
    return f"data:image/svg+xml;base64,{b64encode(file.getvalue()).decode()}"


def training_picture(runs: list[RunRecord]) -> Picture:
    """Draws the loss and, if a solution is known, the relative L2 error over the steps."""
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, (name, label) in zip(axes, {"loss": "loss", "val/rel_l2": "relative L2 error"}.items(), strict=True):
        for run in runs:
            rows = [row for row in run.metrics if row.get(name, 0.0) > 0]
            axis.plot([row["step"] for row in rows], [row[name] for row in rows], label=run.name)
        axis.set(yscale="log", xlabel="step", title=label)
        axis.legend()
    return Picture("Training", svg_of(figure) if any(run.metrics for run in runs) else "")


def drift_pictures(runs: list[RunRecord]) -> list[Picture]:
    """Draws drift as a heat map, layers by steps; then each quantity over the steps, with one panel for each run."""
    lines = [_line_chart(runs, quantity, title) for quantity, title in LINE_CHARTS.items()]
    return [_heatmap(runs, "feature_drift", "Drift of the features h, layers by steps"), *lines]


def _series(run: RunRecord, layer: str, quantity: str) -> tuple[list[float], list[float]]:
    """Returns the steps, and the values of a quantity at them."""
    rows = [row for row in run.drift if row["layer"] == layer and quantity in row]
    return [row["step"] for row in rows], [row[quantity] for row in rows]


def _line_chart(runs: list[RunRecord], quantity: str, title: str) -> Picture:
    """Draws a quantity of all layers. A layer has the same colour in the panels of all runs."""
    figure = Figure(figsize=(4.8 * len(runs) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    layers = list(dict.fromkeys(layer for run in runs for layer in run.layers_with(quantity)))
    colours = dict(zip(layers, colormaps["viridis"](np.linspace(0, 0.92, len(layers))), strict=True))
    line_of = {}
    for axis, run in zip(axes, runs, strict=True):
        for layer in run.layers_with(quantity):
            (line_of[layer],) = axis.plot(*_series(run, layer, quantity), label=layer, color=colours[layer])
        axis.set(xlabel="step", title=run.name, yscale="log" if quantity in LOG_SCALE else "linear")
    if not any(np.isfinite(line.get_ydata()).any() for axis in axes for line in axis.lines):
        return Picture(title, "")
    figure.legend([line_of[layer] for layer in layers], layers, loc="outside right upper", fontsize="small")
    return Picture(title, svg_of(figure))


def _image(run: RunRecord, quantity: str) -> tuple[list[float], np.ndarray]:
    """Returns the steps, and the quantity, layers by steps, with NaN for an incomplete recording without it."""
    steps = list(dict.fromkeys(row["step"] for row in run.drift))
    values = [dict(zip(*_series(run, layer, quantity), strict=True)) for layer in run.layers_with(quantity)]
    return steps, np.array([[at_steps.get(step, np.nan) for step in steps] for at_steps in values])


def _heatmap(runs: list[RunRecord], quantity: str, title: str) -> Picture:
    images = [_image(run, quantity) for run in runs]
    if not any(np.isfinite(image).any() for _, image in images):
        return Picture(title, "")
    largest = max(np.nanmax(image) for _, image in images if np.isfinite(image).any())
    figure = Figure(figsize=(4.8 * len(runs) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs), squeeze=False)[0]
    for axis, run, (steps, image) in zip(axes, runs, images, strict=True):
        axis.set(xlabel="step", title=run.name)
        if not image.size:
            continue
        heatmap = axis.imshow(image, aspect="auto", interpolation="nearest", norm=SymLogNorm(0.1, vmin=0, vmax=largest))
        labelled = np.unique(np.linspace(0, len(steps) - 1, min(5, len(steps))).round().astype(int))
        axis.set_xticks(labelled, [f"{steps[i]:.0f}" for i in labelled])
        axis.set_yticks(range(len(image)), run.layers_with(quantity))
    figure.colorbar(heatmap, ax=list(axes), label="drift, in standard deviations at the start")
    return Picture(title, svg_of(figure))
