"""Draws the views of a scene: for each field the solution, the reference and the absolute error.

Several views of a field stand side by side, with one scale of colours for all of them; a single one beside its
reference and error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from torch import Tensor

from mask_pinns.pictures.scene import Scene, View
from mask_pinns.problems import Problem
from mask_pinns.problems.derived.determinacy import without_levels

MARK = 6.0
"""Area of the mark of a single point."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A view with values (M,) to draw."""

    view: View
    values: np.ndarray
    label: str


def draw_scene(problem: Problem, scene: Scene, predicted: np.ndarray, title: str) -> Figure:
    """Draws predicted values (M, F) at the points of a scene.

    A field that the problem determines up to a constant is drawn at the level of the reference.
    """
    shown, compared = _levelled(problem, scene, torch.as_tensor(predicted).double())
    kinds = [_kinds(f, name, scene, shown, compared) for f, name in enumerate(problem.fields)]
    several = len(scene.shown) > 1
    rows = [[kind] for of_field in kinds for kind in of_field] if several else kinds
    columns = max(sum(map(len, row)) for row in rows)
    figure = Figure(figsize=((3.9 if several else 4.6) * columns, 3.6 * len(rows)), layout="constrained")
    cells = figure.add_gridspec(len(rows), columns)
    for i, row in enumerate(rows):
        j = 0
        for panels in row:  # of one scale
            _draw(figure, [cells[i, j + k] for k in range(len(panels))], panels)
            j += len(panels)
    figure.suptitle(title)
    return figure


def _levelled(problem: Problem, scene: Scene, predicted: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Predicted values of the views that are shown, and of those that are compared, at the level of the true ones."""
    parts = scene.parts(predicted)
    shown = parts[: len(scene.shown)]
    compared = shown if scene.compared is scene.shown else parts[len(shown) :]
    if not scene.compared:
        return shown, []
    points, values = (torch.cat([getattr(view, name) for view in scene.compared]) for name in ("points", "values"))
    sizes = list(map(len, compared))
    levelled = without_levels(problem, points, torch.cat(compared), values).split(sizes)
    shifts = [(after - before)[:1].sum(0) for before, after in zip(compared, levelled, strict=True)]  # of its time
    return [part + shift for part, shift in zip(shown, shifts, strict=True)], list(levelled)


def _kinds(f: int, name: str, scene: Scene, shown: list[Tensor], compared: list[Tensor]) -> list[list[Panel]]:
    """The panels of field f: all views of its solution; then, if they are known, of reference and error."""
    kinds = [_panels(scene.shown, [part[:, f] for part in shown], f"{name}, network")]
    true = [view.values[:, f] for view in scene.compared if view.values is not None]
    if true and not torch.cat(true).isnan().all():
        errors = [(part[:, f] - values).abs() for part, values in zip(compared, true, strict=True)]
        kinds += [
            _panels(scene.compared, true, f"{name}, reference"), _panels(scene.compared, errors, f"|error| of {name}")
        ]  # fmt: skip
    return kinds


def _panels(views: Sequence[View], values: Sequence[Tensor], what: str) -> list[Panel]:
    return [
        Panel(view, part.numpy(), ", ".join(filter(None, (what, view.title if len(views) > 1 else ""))))
        for view, part in zip(views, values, strict=True)
    ]


def _draw(figure: Figure, cells: Sequence[Any], panels: Sequence[Panel]) -> None:
    """Draws panels with one scale of colours, and its bar."""
    known = np.concatenate([panel.values for panel in panels])
    scale = ScalarMappable(Normalize(known.min(), known.max()) if len(known) else None)
    axes = []
    for cell, panel in zip(cells, panels, strict=True):
        dimensions = len(panel.view.names)
        axis: Any = figure.add_subplot(cell, projection="3d" if dimensions == 3 else None)
        if len(panel.values):
            (_curve, _flat, _solid)[dimensions - 1](axis, panel, scale)
        axis.set_title(panel.label)
        axes.append(axis)
    if len(panels[0].view.names) > 1:
        figure.colorbar(scale, ax=axes)


def _curve(axis: Any, panel: Panel, scale: ScalarMappable) -> None:
    """Curves through neighbours, with gaps between the intervals of the domain."""
    (name,), x = panel.view.names, panel.view.places[:, 0].numpy()
    linked = np.zeros(len(x), dtype=bool)
    if panel.view.cells is not None:
        linked[panel.view.cells[:, 0]] = True
    gaps = np.flatnonzero(~linked[:-1]) + 1
    axis.plot(np.insert(x, gaps, np.nan), np.insert(panel.values, gaps, np.nan))
    low, high = scale.get_clim()
    if low is not None and high is not None and low < high:  # the same for all curves that are compared
        axis.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axis.set_xlabel(name)


def _flat(axis: Any, panel: Panel, scale: ScalarMappable) -> None:
    view = panel.view
    x, y = view.places.T.numpy()
    if view.cells is not None and len(view.cells):
        shading = "gouraud" if view.even else "flat"  # interpolation fails in thin triangles
        axis.tripcolor(Triangulation(x, y, view.cells), panel.values, shading=shading, norm=scale.norm)
    else:
        axis.scatter(x, y, c=panel.values, norm=scale.norm, s=MARK)
    axis.set_aspect("equal" if view.equal else "auto")
    axis.set_xlabel(view.names[0])
    axis.set_ylabel(view.names[1])


def _solid(axis: Any, panel: Panel, scale: ScalarMappable) -> None:
    view = panel.view
    places = view.places.numpy()
    if view.cells is not None:
        colours = scale.to_rgba(panel.values[view.cells].mean(1))
        axis.add_collection3d(Poly3DCollection(places[view.cells], facecolors=colours, edgecolors=colours, lw=0.2))
    else:
        axis.scatter(*places.T, c=panel.values, norm=scale.norm, s=MARK, depthshade=False)
    low, high = places.min(0), places.max(0)
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axis.set_box_aspect(high - low, zoom=1.05)
    axis.locator_params(nbins=4)
    axis.set(xlabel=view.names[0], ylabel=view.names[1], zlabel=view.names[2])
