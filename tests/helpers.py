"""What tests share: small networks with no special values in them, tiny runs, how checkpoints are compared."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from matplotlib.backends.backend_agg import FigureCanvasAgg
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from mask_pinns import NETWORKS, MaskPINN, PointsDataModule
from mask_pinns.optim import OPTIMIZERS

ROOT = Path(__file__).resolve().parents[1]
"""Of the checkout."""
BENCHMARKS = ROOT / "benchmarks"
TINY = [
    "--width", "6", "--blocks", "1", "--points", "60", "--optimizer", "adam", "--precision", "64",
    "--figures_every", "1000", "--statistics_record", "moments",  # pictures are two thirds of a tiny run's time
]  # fmt: skip
FULLY_RECORDED = ["--statistics_record", "moments", "quantiles", "drift", "units", "mask", "derivatives", "gradients",
                  "histograms"]  # fmt: skip
"""What runs record unless they are TINY."""
CALM = {"siren": {"omega": 3.0}}
"""Options by network where noise on the weights would drown in rounding, or saturate, with its own."""
EACH_OPTIMIZER = [
    {"optimizer": name} | ({"max_iter": 4} if "max_iter" in inspect.signature(method.build).parameters else {})
    for name, method in OPTIMIZERS.items()
]
"""Phases of one optimizer each, with few inner iterations in a step, to be quick."""
QUIET: dict[str, Any] = {
    "logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "devices": 1,
    "max_epochs": -1, "min_epochs": 0, "num_sanity_val_steps": 0, "check_val_every_n_epoch": None,
    "inference_mode": False,
}  # fmt: skip


def small_network(name: str, inputs: int, outputs: int, activation: str = "gelu", seed: int = 0) -> nn.Module:
    """A small network of NETWORKS whose biases and alphas are not all alike."""
    torch.manual_seed(seed)
    network = NETWORKS[name](inputs, outputs, width=7, blocks=2, activation=activation, **CALM.get(name, {}))
    with torch.no_grad():
        for p in network.parameters():
            p += 0.2 * torch.randn_like(p)
    return network


def module(optimizer: Any = "adam", **options: Any) -> MaskPINN:
    torch.manual_seed(0)
    return MaskPINN("wave", {"name": "masked", "width": 8, "blocks": 1, "activation": "sin"}, optimizer, **options)


def fit(m: MaskPINN, steps: int, callbacks: Any = (), precision: str = "64-true", **options: Any) -> L.Trainer:
    own = {key: options.pop(key, default) for key, default in (("points", 100), ("resample", 1), ("burst", 1))}
    data = PointsDataModule(m.problem, **own)
    checkpoint = options.pop("ckpt_path", None)
    options = QUIET | {"log_every_n_steps": 5, "val_check_interval": 10} | options
    trainer = L.Trainer(
        max_steps=steps, precision=precision, callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks), **options,
    )  # fmt: skip
    trainer.fit(m, data, ckpt_path=checkpoint, weights_only=True)
    return trainer


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def loads(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True, map_location="cpu")


def same(a: Path, b: Path) -> bool:
    """Whether two checkpoints hold the same weights, to the last bit."""
    one, other = (loads(path)["state_dict"] for path in (a, b))
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def events(folder: Path) -> EventAccumulator:
    """All that a run has written for TensorBoard."""
    accumulator = EventAccumulator(
        str(folder), size_guidance={"histograms": 0, "scalars": 0, "images": 0, "tensors": 0}
    )
    return accumulator.Reload()


class BlankCanvas:
    """In place of matplotlib's: figures are made, but not drawn, which is two thirds of a tiny run's time."""

    def __init__(self, figure: Any) -> None: ...

    def draw(self) -> None: ...

    def buffer_rgba(self) -> np.ndarray:
        return np.zeros((4, 4, 4), dtype=np.uint8)


def blank_pictures(patch: pytest.MonkeyPatch) -> None:
    """Runs save blank pictures from here on."""
    patch.setattr("mask_pinns.callbacks.tensorboard.FigureCanvasAgg", BlankCanvas)


def real_pictures(patch: pytest.MonkeyPatch) -> None:
    """Runs save pictures as they do for users from here on."""
    patch.setattr("mask_pinns.callbacks.tensorboard.FigureCanvasAgg", FigureCanvasAgg)
