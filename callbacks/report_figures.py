"""The report's pictures, as SVG: how training went, and how each layer's features drifted, for one run or a pair."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from callbacks.report import Run

DRAWN = {
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
LOGARITHMIC = {"gradient_norm", "feature_std", "preactivation_std"}


class Picture(NamedTuple):
    """A title and an SVG as a data address; an empty one where there is nothing to draw."""

    title: str
    svg: str


def _svg(figure: Figure) -> str:
    file = BytesIO()
    figure.savefig(file, format="svg")
    return f"data:image/svg+xml;base64,{b64encode(file.getvalue()).decode()}"


def training_picture(runs: list[Run]) -> Picture:
    """Loss and, where a solution is known, relative L2 error against the step."""
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, (name, label) in zip(axes, {"loss": "loss", "val/rel_l2": "relative L2 error"}.items(), strict=True):
        for run in runs:
            rows = [row for row in run.metrics if row.get(name, 0.0) > 0]
            axis.plot([row["step"] for row in rows], [row[name] for row in rows], label=run.name)
        axis.set(yscale="log", xlabel="step", title=label)
        axis.legend()
    return Picture("Training", _svg(figure) if any(run.metrics for run in runs) else "")


def drift_pictures(runs: list[Run]) -> list[Picture]:
    """For each quantity a panel per run, all layers in it, on one scale; and drift, layers by steps."""
    lines = [_lines(runs, quantity, title) for quantity, title in DRAWN.items()]
    return [_map(runs, "feature_drift", "Drift of the features h, layers by steps"), *lines]


def _values(run: Run, layer: str, quantity: str) -> tuple[list[float], list[float]]:
    rows = [row for row in run.drift if row["layer"] == layer and quantity in row]
    return [row["step"] for row in rows], [row[quantity] for row in rows]


def _lines(runs: list[Run], quantity: str, title: str) -> Picture:
    """One colour a layer, in every panel the same, as layers of the same name have."""
    figure = Figure(figsize=(4.8 * len(runs) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    layers = list(dict.fromkeys(layer for run in runs for layer in run.having(quantity)))
    colours = dict(zip(layers, colormaps["viridis"](np.linspace(0, 0.92, len(layers))), strict=True))
    shown = {}
    for axis, run in zip(axes, runs, strict=True):
        for layer in run.having(quantity):
            (shown[layer],) = axis.plot(*_values(run, layer, quantity), label=layer, color=colours[layer])
        axis.set(xlabel="step", title=run.name, yscale="log" if quantity in LOGARITHMIC else "linear")
    if not any(np.isfinite(line.get_ydata()).any() for axis in axes for line in axis.lines):
        return Picture(title, "")
    figure.legend([shown[layer] for layer in layers], layers, loc="outside right upper", fontsize="small")
    return Picture(title, _svg(figure))


def _image(run: Run, quantity: str) -> tuple[list[float], np.ndarray]:
    """Steps, and the quantity, layers by steps; NaN where a look has it not, as a last one that was cut short."""
    steps = list(dict.fromkeys(row["step"] for row in run.drift))
    values = [dict(zip(*_values(run, layer, quantity), strict=True)) for layer in run.having(quantity)]
    return steps, np.array([[found.get(step, np.nan) for step in steps] for found in values])


def _map(runs: list[Run], quantity: str, title: str) -> Picture:
    images = [_image(run, quantity) for run in runs]
    if not any(np.isfinite(image).any() for _, image in images):
        return Picture(title, "")
    most = max(np.nanmax(image) for _, image in images if np.isfinite(image).any())
    figure = Figure(figsize=(4.8 * len(runs) + 1.2, 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs), squeeze=False)[0]
    for axis, run, (steps, image) in zip(axes, runs, images, strict=True):
        axis.set(xlabel="step", title=run.name)
        if not image.size:
            continue
        drawn = axis.imshow(image, aspect="auto", interpolation="nearest", norm=SymLogNorm(0.1, vmin=0, vmax=most))
        shown = np.unique(np.linspace(0, len(steps) - 1, min(5, len(steps))).round().astype(int))
        axis.set_xticks(shown, [f"{steps[i]:.0f}" for i in shown])
        axis.set_yticks(range(len(image)), run.having(quantity))
    figure.colorbar(drawn, ax=list(axes), label="drift, in standard deviations at the start")
    return Picture(title, _svg(figure))
