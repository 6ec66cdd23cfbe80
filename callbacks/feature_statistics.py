"""`FeatureStatistics`: what every layer's features do, in TensorBoard, while training goes on.

At an interval, a separate eager pass on fixed probe points looks at each activation: the pre-activation z that
comes in and the masked feature h = sigma(z) m(z) that goes out. Training is not touched: no hook stays, no random
number is drawn, the compiled step (if any) is not the one that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from callbacks.boards import boards, show
from callbacks.distributions import dead_share, effective_rank, quantiles, sample, shape, wasserstein
from callbacks.drift_table import DriftTable
from datamodules.points import generator
from datamodules.samplers import sobol
from mask_pinns.layers import Activation
from mask_pinns.networks import JetNetwork
from mask_pinns.problems import Box

OVERLAID = (
    "feature_drift", "feature_drift_step", "preactivation_drift", "feature_std", "preactivation_std", "saturation",
    "effective_rank", "dead", "openness", "alpha_mean",
)  # fmt: skip
"""Quantities of which TensorBoard's page "custom scalars" shows all layers in one chart."""
PICTURED = ("feature_drift", "preactivation_drift", "saturation")
BINS = 64  # of a histogram, equal ones: counting into TensorBoard's own 1,500 was most of a look


@dataclass(frozen=True)
class LayerFeatures:
    """One layer at the probe points: pre-activation z, masked feature h, both (N, H), and its activation module."""

    z: Tensor
    h: Tensor
    activation: Activation

    def stages(self) -> dict[str, Tensor]:
        """What has a distribution, by name."""
        return {"preactivation": self.z, "feature": self.h}


def probe_points(box: Box, n: int, device: Any = "cpu", dtype: torch.dtype | None = None) -> Tensor:
    """n fixed points of the domain, (n, D), from a scrambled Sobol sequence: the same in every run."""
    dtype = dtype or torch.get_default_dtype()
    unit = sobol(n, len(box), generator("cpu", "probe"), dtype)
    low, high = torch.tensor(box.low, dtype=dtype), torch.tensor(box.high, dtype=dtype)
    return (low + (high - low) * unit).to(device)


@torch.no_grad()
def features(network: JetNetwork, x: Tensor) -> dict[str, LayerFeatures]:
    """The features of every hidden layer at the points x (N, D), by layer name, in the order of the network."""
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen[module] = inputs[0].value.detach(), output.value.detach()

    layers = network.hidden()
    handles = [layer.register_forward_hook(look) for layer in layers.values()]
    try:
        with evaluation_mode(network):
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    return {name: LayerFeatures(*seen[layer], layer) for name, layer in layers.items()}


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each module's own mode again afterwards."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def statistics(layer: LayerFeatures) -> dict[str, Tensor]:
    """The numbers for one layer, over all probe points and units (formulas in `distributions.py`).

    preactivation_* of z and feature_* of h: mean, std, skewness, kurtosis and quantiles;
    saturation: share of entries on the flat part of the activation; effective_rank and dead units of h; with a mask
    openness: mean m(z); alpha_mean, alpha_min, alpha_max: of |alpha| (its sign is irrelevant).
    """
    found = {
        f"{stage}_{name}": value
        for stage, x in layer.stages().items()
        for name, value in (shape(x) | quantiles(x)).items()
    }
    found |= {
        "saturation": layer.activation.saturation(layer.z),
        "effective_rank": effective_rank(layer.h),
        "dead": dead_share(layer.h),
    }
    if layer.activation.alpha is not None:
        alpha = layer.activation.alpha.detach().abs()
        found |= {
            "openness": layer.activation.openness(layer.z).mean(),
            "alpha_mean": alpha.mean(),
            "alpha_min": alpha.min(),
            "alpha_max": alpha.max(),
        }
    return found


class Drift:
    """How far distributions have moved: 1-Wasserstein distances in units of the standard deviation at the start."""

    def __init__(self) -> None:
        self.start: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}

    def __call__(self, name: str, x: Tensor) -> dict[str, Tensor]:
        """drift: distance to the first x of this name; drift_step: to the last one. Both 0 at the first."""
        now = sample(x).cpu()
        start = self.start.setdefault(name, now)
        last, self.last[name] = self.last.get(name, now), now
        unit = start.std(correction=0).clamp(min=torch.finfo(x.dtype).tiny)
        return {"drift": wasserstein(now, start) / unit, "drift_step": wasserstein(now, last) / unit}


class FeatureStatistics(L.Callback):
    """Writes `<quantity>/<layer>` scalars and histograms of z, h and |alpha| to TensorBoard.

    The start, from which drift is measured, goes into the checkpoint: a resumed run measures from its own first step.

    Args:
        every: steps between looks (the first at the start, the last at the end).
        probes: number of probe points.
        histograms: write histograms as well as scalars.
        folder: where to leave drift.csv, the scalars of all layers and looks; None: nowhere. At the end of training
            they are drawn into TensorBoard as well, layers by steps.

    A network that is not made of layers on jets has no layers to look at: the callback says so once and rests.
    """

    def __init__(
        self, every: int = 500, probes: int = 1024, histograms: bool = True, folder: str | Path | None = None
    ) -> None:
        if every < 1 or probes < 2:
            raise ValueError(f"statistics every {every} steps at {probes} probes; expected 1 and 2 or more")
        self.every, self.probes, self.histograms = every, probes, histograms
        self.folder = None if folder is None else Path(folder)
        self.table: DriftTable | None = None
        self._looked_at = -1
        self.drift = Drift()

    def state_dict(self) -> dict[str, Any]:
        return {"start": dict(self.drift.start), "last": dict(self.drift.last)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.drift.start, self.drift.last = dict(state_dict["start"]), dict(state_dict["last"])

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        for board in boards(trainer):
            board.add_custom_scalars({"layers": {name: ["Multiline", [f"^{name}/"]] for name in OVERLAID}})
        if self.folder is not None and trainer.is_global_zero:
            self.table = DriftTable(self.folder / "drift.csv", resume_at=trainer.global_step)
        self._look(trainer, pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            self._look(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._look(trainer, pl_module)
        if self.table is not None and self.table.rows:
            for quantity in PICTURED:
                show(trainer, f"drift/{quantity}", self.table.picture(quantity))

    def _look(self, trainer: L.Trainer, module: Any) -> None:
        step = trainer.global_step
        writers = boards(trainer)  # on the first rank alone: the probes are the same on all
        if self._looked_at == step or not (writers or self.table is not None):
            return
        self._looked_at = step
        if not isinstance(module.network, JetNetwork):
            return
        p = next(module.network.parameters())
        x, looked = probe_points(module.problem.domain, self.probes, p.device, p.dtype), {}
        for i, (name, layer) in enumerate(features(module.network, x).items()):
            values = statistics(layer)
            for stage, entries in layer.stages().items():
                moved = self.drift(f"{stage}/{name}", entries)
                values |= {f"{stage}_{quantity}": value for quantity, value in moved.items()}
            looked[name] = {quantity: float(value) for quantity, value in values.items()}
            for board in writers:
                self._write(board, f"{i}_{name}", layer, looked[name], step)
        if self.table is not None:
            self.table.add(step, looked)

    def _write(self, board: Any, tag: str, layer: LayerFeatures, values: dict[str, float], step: int) -> None:
        for quantity, value in values.items():
            board.add_scalar(f"{quantity}/{tag}", value, step)
        if not self.histograms:
            return
        board.add_histogram(f"preactivation/{tag}", layer.z, step, bins=BINS)
        board.add_histogram(f"feature/{tag}", layer.h, step, bins=BINS)
        if layer.activation.alpha is not None:
            board.add_histogram(f"alpha/{tag}", layer.activation.alpha.detach().abs(), step, bins=BINS)
