"""The settings of a run that do not concern problem, network or training: its folder, its records, its machine.

SETTINGS combines them with the settings of the other packages. These are all flags except those of problem, network
and trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jsonargparse.typing import PositiveInt, restricted_number_type

from mask_pinns.callbacks.features.observer import RECORDED
from mask_pinns.datamodules import Sampling
from mask_pinns.networks.assembly import Constraints
from mask_pinns.objective import LossSettings
from mask_pinns.settings import setting
from mask_pinns.stepper import TrainingSettings

ProbeCount: Any = restricted_number_type("Probes", int, [(">", 0), ("<=", 10**6)])


@dataclass(frozen=True)
class RunSettings:
    """The length of a run, its folder, and what is done with it.

    Args:
        steps: total number of optimizer steps; if not given, the sum over the phases
        folder: folder of all runs
        name: name of this run's folder; if not given, <problem>-<number>
        resume: go on with a run: last, a run folder, or a checkpoint
        ckpt_path: run folder or checkpoint to validate, test or predict with
        predict_points: .npy or .csv file of the points (N, D) of a prediction
        explain: print the plan before training: points, terms, streams, cost
        dry_run: print the plan and do not train
    """

    steps: int | None = setting(None, kind=PositiveInt | None)
    folder: str = setting("runs", decides=False)
    name: str | None = setting(None, decides=False)
    resume: str | None = setting(None, decides=False)
    ckpt_path: str | None = setting(None, decides=False)
    predict_points: str | None = setting(None, decides=False)
    explain: bool = setting(False, switch=True, decides=False)
    dry_run: bool = setting(False, switch=True, decides=False)


@dataclass(frozen=True)
class ObservationSettings:
    """What is recorded during a run, and how often.

    Args:
        log_every: steps between logged losses; if not given, a share of --steps
        validate_every: steps between validations and checkpoints; if not given, a share of --steps
        statistics_every: steps between recordings of the features; if not given, a share of --steps, and 2 % of the
            training time at most
        statistics_probes: number of points at which the features are recorded
        statistics_record: any of moments quantiles drift units mask derivatives gradients histograms; or nothing
        figures_every: steps between figures of the solution; if not given, a share of --steps
    """

    log_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    validate_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    statistics_every: int | None = setting(None, kind=PositiveInt | None, decides=False)
    statistics_probes: int = setting(256, kind=ProbeCount, decides=False)
    statistics_record: Sequence[str] = setting(factory=lambda: list(RECORDED), kind=str, many=True, decides=False)
    figures_every: int | None = setting(None, kind=PositiveInt | None, decides=False)


@dataclass(frozen=True)
class MachineSettings:
    """The processes, devices and precision of a run.

    Args:
        precision: 32, 64, or another one of Lightning
        accelerator: auto, cpu, gpu, ...
        devices: number of devices, or their indices
        burst: optimizer steps per batch of Lightning's loop; if not given, several on a GPU, 1 on a CPU
        matmul_precision: precision of float32 products: high (TF32 on a GPU) and medium (bfloat16) are faster and less
            exact
        strategy: auto, ddp, ...
        num_nodes: number of machines
    """

    precision: str | int = setting("32", may_change=True)
    accelerator: str = setting("auto", decides=False)
    devices: int | str = setting(1, decides=False)
    burst: int | None = setting(None, kind=PositiveInt | None, decides=False)
    matmul_precision: str = setting("highest", kind=Literal["highest", "high", "medium"], decides=False)
    strategy: str = setting("auto", decides=False)
    num_nodes: int = setting(1, kind=PositiveInt, decides=False)


SETTINGS: dict[str, tuple[type, ...]] = {
    "the network's ends": (Constraints,),
    "training": (TrainingSettings, LossSettings),
    "points": (Sampling,),
    "run": (RunSettings, ObservationSettings),
    "machine": (MachineSettings,),
}
"""Classes of settings by the title under which --help lists their flags."""
