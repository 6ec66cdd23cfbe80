"""Runs that are stopped and resumed, so that every two values of two settings occur together in one of them.

Each row of ROWS is such a combination; `flags` gives its flags, `eventful` what happens to it in training.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from allpairspy import AllPairs

from mask_pinns.checkpoints.rollback import NonFiniteLoss
from mask_pinns.stepper import Stepper

STEPS = 16
"""Steps of each run."""
HEAT = '''
from math import pi

import torch

from mask_pinns import Box, Dirichlet, Initial, Problem, Unknown


class Heat(Problem):
    """u_t = k u_xx on a cold rod: even about its middle, k unknown."""

    domain = Box(x=(0.0, 1.0), t=(0.0, 0.5))
    derivatives = ("t", "xx")
    unknowns = (Unknown("k", start=0.5, positive=True),)
    conditions = (Initial(u=lambda p: torch.cos(pi * (p.x - 0.5))), Dirichlet("x", u=0.0))

    def residual(self, p, u, k):
        return u.t - k * u.xx
'''
PHASES = {
    "adam": "adam",
    "soap": "soap",
    "lbfgs": "[{optimizer: lbfgs, max_iter: 3}]",
    "bfgs": "[{optimizer: bfgs, max_iter: 3, resample: 4}]",
    "ssbfgs": "[{optimizer: ssbfgs, max_iter: 3}]",
    "ssbroyden": "[{optimizer: ssbroyden, max_iter: 3, resample: 5}]",
    "gauss_newton": "gauss_newton",
    "adam, lbfgs": "[{optimizer: adam, steps: 7}, {optimizer: lbfgs, max_iter: 3}]",
    "adam 32, gauss_newton": "[{optimizer: adam, steps: 5, precision: 32, resample: 0}, {optimizer: gauss_newton}]",
    "gauss_newton, soap": "[{optimizer: gauss_newton, target: 0.05, resample: 0}, {optimizer: soap, resample: 3}]",
    "three": "[{optimizer: soap, steps: 4}, {optimizer: ssbroyden, steps: 5, max_iter: 2}, {optimizer: adam}]",
}
NETWORKS = {
    "masked": "masked --symmetry.x even",
    "batchnorm": "batchnorm",
    "fourier": "piratenet --fourier 3",
    "trained fourier": "modified_mlp --mask true --fourier 3 --fourier_trainable true",
    "exact": "adaptive --exact all --dimensionless true",
    "siren": "siren --normalize true",
}
FACTORS: dict[str, list[Any]] = {
    "optimizer": list(PHASES),
    "network": list(NETWORKS),
    "causal": [0, 5],
    "balance": [0, 3],
    "adaptive": ["", "1 1"],
    "resample": [0, 1, 3],
    "sampler": ["latin_hypercube", "sobol", "uniform", "grid"],
    "burst": [1, 2, 3],
    "bursts between validations": [1, 2, 3],
    "not finite at": [(), (6,), (6, 9)],
    "patience": [None, 3],
    "precision": [32, 64],
    "ended by": ["steps", "signal", "kill"],
    "stop": [1, 2, 4, 5, 7, 8, 10, 13, 15],
}


def possible(row: dict[str, Any]) -> dict[str, Any]:
    """The row, or one near to it: a batch normalization couples points, and after a kill there must be a checkpoint."""
    changed = dict(row)
    if row["network"] == "batchnorm" and (row["adaptive"] or "gauss_newton" in row["optimizer"]):
        changed["network"] = "masked"
    if row["ended by"] == "kill":
        changed["stop"] = max(row["stop"], row["burst"] * row["bursts between validations"])
    return changed


ROWS = [possible(dict(zip(FACTORS, values, strict=True))) for values in AllPairs(list(FACTORS.values()))]


def flags(row: dict[str, Any]) -> list[str]:
    """The row's flags."""
    every = row["burst"] * row["bursts between validations"]
    numbers = {
        "causal": row["causal"], "balance": row["balance"], "adaptive": row["adaptive"], "resample": row["resample"],
        "sampler": row["sampler"], "burst": row["burst"], "precision": row["precision"], "log_every": every,
        "validate_every": every, "statistics_every": 6 * every, "figures_every": 100 * every, "width": 5, "blocks": 1,
        "points": 40, "compile": "off", "on_nonfinite": "rollback" if row["not finite at"] else "stop",
    } | ({} if row["patience"] is None else {"patience": row["patience"]})  # fmt: skip
    words = " ".join(f"--{name} {value}" for name, value in numbers.items())
    recorded = "--statistics_record moments drift"
    return [
        "--optimizer",
        PHASES[row["optimizer"]],
        *f"--network {NETWORKS[row['network']]} {recorded} {words}".split(),
    ]


class Killed(BaseException):
    """In place of SIGKILL: nothing in the package catches it."""


def eventful(row: dict[str, Any], ends: bool) -> Callable[..., None]:
    """In place of `Stepper._require_finite`: losses that are not finite; if it `ends`, the end at the row's stop."""

    def check(stepper: Stepper, *_: Any) -> None:
        host, good = stepper.host, stepper.host.good
        if ends and row["ended by"] == "kill" and host.global_step == row["stop"]:
            raise Killed
        if ends and row["ended by"] == "signal" and host.global_step == row["stop"] - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        if good is not None and host.global_step in row["not finite at"][good.count : good.count + 1]:
            raise NonFiniteLoss("made so by a test")

    return check
