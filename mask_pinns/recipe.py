"""`recipe_for`: the recipe of a problem from Python, as the command line takes it, in one call."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import lightning as L
import torch

from mask_pinns.callbacks import Patience, TrainingAlarms
from mask_pinns.checkpoints.loading import take_weights
from mask_pinns.cli.configuration import configs_folder, load_yaml
from mask_pinns.cli.trainer import PRECISIONS
from mask_pinns.datamodules import PointsDataModule
from mask_pinns.jets import JetNetwork
from mask_pinns.module import MaskPINN
from mask_pinns.problems import PROBLEMS, Problem
from mask_pinns.problems.loading import make_problem
from mask_pinns.settings import Constraints, LossSettings, Sampling, TrainingSettings, merge, pick
from mask_pinns.windows import blend, joined, require_windows, resolved, window_of


@dataclass(frozen=True)
class Recipe:
    """The parts of a training: the module, its points, and how long and in which precision it is trained.

    With time windows, module and points are those of the whole problem; each window has its own.
    """

    module: MaskPINN
    data: PointsDataModule
    steps: int
    precision: str
    config: Mapping[str, Any] = field(repr=False)

    def callbacks(self) -> list[L.Callback]:
        """Those that the recipe needs: they tell about stalls and fresh points, and end training by its patience."""
        patience = self.module.hparams["patience"]
        return [TrainingAlarms(), *([Patience(patience)] if patience else [])]

    def fit(self, start: MaskPINN | None = None, **options: Any) -> MaskPINN:
        """Trains, with these options of the Trainer, and returns the module. No file is written without a logger.

        With time windows it returns the whole solution, which is another module than that of the recipe.

        Args:
            start: a trained module of the same network, whose weights are the first ones: training goes on from there,
                with the optimizer of this recipe. Unknown numbers start anew.
            options: options of Lightning's Trainer.

        Raises ValueError for a start with another network, or with time windows.
        """
        if start is not None:
            self._begin_with(start)
        if self.config.get("windows"):
            return self._fit_windows(options)
        defaults: dict[str, Any] = {
            "max_steps": self.steps, "max_epochs": -1, "precision": PRECISIONS[self.precision], "logger": False,
            "val_check_interval": max(1, self.steps // 16), "check_val_every_n_epoch": None, "num_sanity_val_steps": 0,
            "enable_checkpointing": False, "enable_model_summary": False, "enable_progress_bar": False,
            "inference_mode": False, "callbacks": self.callbacks(),
        }  # fmt: skip
        trainer = L.Trainer(**defaults | options)
        trainer.fit(self.module, self.data)
        return self.module

    def _begin_with(self, start: MaskPINN) -> None:
        """Takes the weights of a trained module."""
        if self.config.get("windows"):
            raise ValueError("start: a recipe in time windows begins with the first window; leave start or windows out")
        take_weights(self.module.network, start.network.state_dict(), "start", "only one network can be gone on with")

    def _fit_windows(self, options: Mapping[str, Any]) -> MaskPINN:
        """Trains a network for each window, and returns the whole solution."""
        whole, parts = self.module.problem, list[JetNetwork]()
        given = self.config["windows"]
        ends = resolved(given if isinstance(given, list | tuple) else [given], whole.domain)
        if ends is None:
            raise ValueError("windows: auto is for the command line; give their number, or their ends")
        for number, (start, end) in enumerate(zip([whole.domain["t"][0], *ends], ends, strict=False)):
            before = parts[-1] if parts else None
            config = dict(self.config) | {"windows": [], "network": copy.deepcopy(self.config["network"])}
            if before is not None:
                config["exact"] = list(getattr(before, "hard_conditions", ()))
            part = _made(window_of(whole, start, end, before), config, config["seed"] + number)
            if before is not None:
                blend(before, part.module.network, config.get("window_fresh", 0.01))
            network = part.fit(**options).network
            assert isinstance(network, JetNetwork)
            parts.append(network)
        return joined(lambda: _module(whole, self.config, ends), parts)


def recipe_for(problem: Problem | str, seed: int = 0, **changes: Any) -> Recipe:
    """The recipe of a problem of this package, the default recipe for any other problem, with changes.

    Args:
        problem: a problem, or a name from PROBLEMS.
        seed: seed of the weights and the points.
        changes: other values for keys of the recipe, as in its YAML file: network={"width": 30}, steps=50, windows=4.

    Example:
        >>> from mask_pinns import PROBLEMS, recipe_for
        >>> recipe = recipe_for(PROBLEMS["wave"](), network={"width": 8}, steps=2)
        >>> recipe.fit(accelerator="cpu").predict([[0.5, 0.0]]).shape
        (1, 1)

    Raises:
        ValueError: anything that one of the parts refuses.
    """
    own = make_problem(problem)
    name = next((name for name, cls in PROBLEMS.items() if type(own) is cls), "default")
    path = configs_folder() / f"{name}.yaml"
    config = merge(load_yaml(path if path.is_file() else configs_folder() / "default.yaml"), changes)
    if config.get("windows"):
        require_windows(own)
    return _made(own, config | {"seed": seed}, seed)


def _made(problem: Problem, config: Mapping[str, Any], weights_seed: int) -> Recipe:
    torch.manual_seed(weights_seed)
    module = _module(problem, config)
    data = PointsDataModule(problem, pick(Sampling, config), hard=module.objective.hard)
    module.check()
    lengths = [phase.steps or 0 for phase in module.schedule.phases]
    steps = config.get("steps") or sum(lengths) or 10_000
    return Recipe(module, data, steps, str(config.get("precision", 32)), config)


def _module(problem: Problem, config: Mapping[str, Any], windows: list[float] | tuple[float, ...] = ()) -> MaskPINN:
    return MaskPINN(
        problem,
        config["network"],
        constraints=pick(Constraints, config),
        loss=pick(LossSettings, config),
        training=pick(TrainingSettings, config),
        windows=windows,
    )
