"""`RunSettings`: the length of a run, its folder, and what is done with it; `TuningSettings`: a search of many runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jsonargparse.typing import PositiveFloat, PositiveInt

from mask_pinns.settings.fields import setting

PREDICTED = (".npz", ".csv", ".parquet", ".vtu")
"""Ends of names of files to which predictions can be written."""
EXPORTED = (".onnx", ".pt2")
"""Ends of names of files to which a solution can be exported."""


@dataclass(frozen=True)
class RunSettings:
    """The length of a run, its folder, and what is done with it.

    Args:
        steps: total number of optimizer steps; if not given, the sum over the phases
        folder: folder of all runs
        name: name of this run's folder; if not given, <problem>-<number>
        resume: go on with a run: last, a run folder, or a checkpoint
        start_from: --from RUN: a new run with the weights of another one (a run folder or checkpoint), and its
            configuration but for what --config and flags change: problem, coefficients, optimizer, points, ...
        verify: train a second, wider network at more points afterwards: the difference estimates the error where no
            solution is known
        ckpt_path: run folder or checkpoint to validate, test or predict with
        predict_points: .npy or .csv file of the points (N, D) of a prediction; a .csv file may begin with the names
            of the coordinates, in any order
        predict_file: file of a prediction, by the end of its name: .npz (arrays points and values), .csv or .parquet (a
            column for each coordinate, field and derivative; .parquet needs pyarrow), .vtu (for ParaView, as --vtu, and
            no table); if not given, prediction.npz in the run folder
        predict_derivatives: x tt: derivatives of every field that a prediction or an export has too, as u_x and u_tt;
            orders up to 4
        predict_std: the standard deviation of every field is part of a prediction too, as u_std, and that of unknown
            numbers is printed; for problems with Data
        vtu: write the prediction for ParaView too, on a mesh of the domain: prediction.vtu; with time, a file for each
            of 11 times and prediction.pvd; for two or three coordinates in space, needs meshio
        export_file: file of the solution, with --predict_derivatives, as a program for any points: .onnx (needs onnx,
            onnxscript and onnxruntime) or .pt2 (for torch.export.load); if not given, solution.onnx in the run folder
        export_precision: 32 or 64, the precision of this program; if not given, that of the run
        explain: print the plan before training: points, terms, streams, cost
        dry_run: print the plan and do not train
    """

    steps: int | None = setting(None, kind=PositiveInt | None)
    folder: str = setting("runs", decides=False)
    name: str | None = setting(None, decides=False)
    resume: str | None = setting(None, decides=False)
    start_from: str | None = setting(None, decides=False)
    verify: bool = setting(False, switch=True, decides=False)
    ckpt_path: str | None = setting(None, decides=False)
    predict_points: str | None = setting(None, decides=False)
    predict_file: str | None = setting(None, decides=False)
    predict_derivatives: Sequence[str] = setting(factory=list, kind=str, many=True, decides=False)
    predict_std: bool = setting(False, switch=True, decides=False)
    vtu: bool = setting(False, switch=True, decides=False)
    export_file: str | None = setting(None, decides=False)
    export_precision: int | None = setting(None, kind=Literal[32, 64] | None, decides=False)
    explain: bool = setting(False, switch=True, decides=False)
    dry_run: bool = setting(False, switch=True, decides=False)


@dataclass(frozen=True)
class TuningSettings:
    """Which settings the command tune searches, and how long.

    Args:
        search: settings with their values, for tune: "width 10..40, first_scale 0.5..4 log, activation tanh|sin"; if
            not given, what helps most
        trials: number of trials of tune, in all sessions together
        trial_steps: steps of each trial; if not given, those of the run
        tune_minutes: tune ends after so many minutes; --resume goes on

    Example:
        >>> from mask_pinns.settings import TuningSettings
        >>> TuningSettings(search="width 10..40").trials
        20
    """

    search: str | None = setting(None, decides=False)
    trials: int = setting(20, kind=PositiveInt, decides=False)
    trial_steps: int | None = setting(None, kind=PositiveInt | None, decides=False)
    tune_minutes: float | None = setting(None, kind=PositiveFloat | None, decides=False)
