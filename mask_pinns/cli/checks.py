"""Checks settings beyond the types that a parser checks: names, lists, switches, and finite numbers.

`normalize_file_settings` checks those of a configuration file before the parser, `check_settings` all of them after it.
`idle_flags` finds flags without an effect.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mask_pinns.catalog.tables import ACTIVATIONS, ENGINES, OPTIMIZERS, SAMPLERS
from mask_pinns.checks import is_finite, is_number
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.settings import (
    EXPORTED,
    PREDICTED,
    ObservationSettings,
    RunSettings,
    TrainingSettings,
    TuningSettings,
    names,
    phase_mappings,
)

if TYPE_CHECKING:
    from mask_pinns.module import MaskPINN

MAX_NUMBER = 3.4e38
"""The largest number of float32."""
ONLY_ON_COMMAND_LINE = ("config", "help", "version", "print_config")


def normalize_file_settings(base: Mapping[str, Any], lists: Iterable[str], switches: Iterable[str]) -> dict[str, Any]:
    """Returns a file's settings in full: a single word becomes a list if a list is expected, and booleans of `compile`
    become `on` and `off` again.

    Raises UsageError for a key that is not a name or not allowed in files, and for a list or a switch of another type.
    """
    _check_keys(base)
    for key in set(ONLY_ON_COMMAND_LINE) & set(base):
        raise UsageError(f"{key} is not allowed in a configuration file; give it on the command line")
    settings = dict(base)
    for key in set(lists) & set(base):
        single = isinstance(base[key], str) or (is_number(base[key]) and not isinstance(base[key], bool))
        settings[key] = [base[key]] if single else base[key]
        if not isinstance(settings[key], list):
            raise UsageError(f"{key} is {base[key]!r}; expected a list")
    for key in set(switches) & set(base):
        if not isinstance(base[key], bool):
            raise UsageError(f"{key} is {base[key]!r}; expected true or false")
    if isinstance(base.get("compile"), bool):  # YAML reads on and off as booleans
        settings["compile"] = "on" if base["compile"] else "off"
    return settings


def _check_keys(settings: Mapping[Any, Any], path: str = "") -> None:
    for key, value in settings.items():
        if not isinstance(key, str) or not key.strip():
            raise UsageError(f"{path or 'the configuration'} has the key {key!r}; expected names")
        if isinstance(value, Mapping):
            _check_keys(value, f"{path}.{key}".lstrip("."))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises ValueError for a key that is not a name and for a number that is not finite, at any depth, and for an
    unknown activation, sampler, engine, optimizer or format of a file.
    """
    _check_keys(settings)
    _check_numbers(settings)
    if "activation" in settings["network"]:
        ACTIVATIONS.require(settings["network"]["activation"])
    ACTIVATIONS.require(settings["embedding"]["fourier_activation"])
    SAMPLERS.require(settings["sampler"])
    ENGINES.require(settings["derivatives"])
    _check_ending(settings, "predict_file", PREDICTED)
    _check_ending(settings, "export_file", EXPORTED)
    for phase in phase_mappings(settings["optimizer"]):
        if "optimizer" in phase:
            OPTIMIZERS.require(phase["optimizer"])


def _check_ending(settings: Mapping[str, Any], key: str, endings: Sequence[str]) -> None:
    name = settings[key]
    if name is not None and not str(name).lower().endswith(tuple(endings)):
        known = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise UsageError(f"{key} is {name!r}, whose end names no format: expected a name that ends in {known}")


def _check_numbers(settings: Any, path: str = "") -> None:
    inner = settings.items() if isinstance(settings, Mapping) else enumerate(settings, 1)
    for key, value in inner:
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping | list):
            _check_numbers(value, name)
        elif is_number(value) and not (is_finite(value) and abs(value) < MAX_NUMBER):
            raise UsageError(f"{name} is {value!r}; expected a finite number below {MAX_NUMBER:g}")


NUMBERS_OF_PROCESSES = (
    "RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_PORT", "SLURM_PROCID",
    "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS",
)  # fmt: skip
"""Variables in which launchers give numbers; the libraries that read them fail without a name, or wait."""

LAUNCHERS = {
    "torchrun": (
        "TORCHELASTIC_RUN_ID",
        ("RANK", "LOCAL_RANK", "WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT"),
    ),
    "SLURM": ("SLURM_NTASKS", ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID")),
}
"""{launcher: (the variable by which it is known, the others that it sets)}."""


def check_environment(settings: Mapping[str, Any]) -> None:
    """Raises UsageError for a variable of launchers that is no number, and for processes that could never meet."""
    nodes, interactive = settings["num_nodes"], os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    signs = {"TORCHELASTIC_RUN_ID", *(() if interactive else ("SLURM_NTASKS",))} & os.environ.keys()
    launched = signs | ({"JSM_NAMESPACE_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"} & os.environ.keys())  # LSF, MPI
    several = nodes > 1 or bool(launched) or str(settings["devices"]) != "1"
    for name in NUMBERS_OF_PROCESSES:
        value = os.environ.get(name)
        if name == "MASTER_PORT" and not several:
            continue  # not read; a service called "master" sets it in every pod of Kubernetes
        if value is not None and not (value.isascii() and value.isdigit()):
            raise UsageError(
                f"{name} in the environment is {value!r}; expected a whole number: unset it, or correct it"
            )
    if several and not 0 <= int(os.environ.get("MASTER_PORT", "1")) < 2**16:
        raise UsageError(f"MASTER_PORT in the environment is {os.environ['MASTER_PORT']}; expected one below 65536")
    for launcher, (sign, needed) in LAUNCHERS.items():
        if sign in signs and "TORCHELASTIC_RUN_ID" in signs - {sign}:
            continue  # torchrun inside a job of SLURM
        if sign in signs and (missing := [name for name in needed if name not in os.environ]):
            raise UsageError(f"{sign} in the environment says {launcher}, but there is no {missing[0]}: unset it")
    address = os.environ.get("MASTER_ADDR")
    if nodes > 1 and not launched and not (address and {"NODE_RANK", "GROUP_RANK"} & os.environ.keys()):
        raise UsageError(
            f"--num_nodes {nodes} without a launcher: start it on every node by torchrun or srun, or set MASTER_ADDR, "
            "MASTER_PORT and NODE_RANK there; else this process would wait for the others forever"
        )
    if address and several:
        try:
            socket.getaddrinfo(address, None)
        except OSError as error:
            reason = error.strerror or "not known"
            raise UsageError(
                f"MASTER_ADDR in the environment is {address!r}, which is no host here: {reason}"
            ) from None


# ---- flags without an effect ----------------------------------------------------------------------------------------

OF_TRAINING = {
    *names(TrainingSettings),
    *names(ObservationSettings),
    *names(RunSettings),
    "burst",
    "resample",
    "adaptive",
}
"""Settings that only a training reads, with those in the next line."""
OF_PREDICTION = ("predict_points", "predict_file", "predict_std", "vtu")
OF_EXPORT = ("export_file", "export_precision")
OF_BOTH = ("predict_derivatives",)
OF_TUNING = names(TuningSettings)
OF_EVALUATION = {"folder", "ckpt_path", "resume", *OF_PREDICTION, *OF_EXPORT, *OF_BOTH}


def idle_flags(command: str, config: SimpleNamespace, module: MaskPINN) -> list[str]:
    """Returns a line for each flag that was typed but has no effect here, with the reason."""
    if command not in ("fit", "tune"):
        reasons = dict.fromkeys(OF_TRAINING - OF_EVALUATION, f"{command} does not train")
    else:
        reasons = _idle_in_training(config, module)
    for names_of_one, own in ((OF_PREDICTION, "predict"), (OF_EXPORT, "export"), (OF_TUNING, "tune")):
        if command != own:
            reasons |= dict.fromkeys(names_of_one, f"it is for the command {own}")
    if command not in ("predict", "export"):
        reasons |= dict.fromkeys(OF_BOTH, "it is for the commands predict and export")
    if command == "predict" and str(config.predict_file).lower().endswith(".vtu"):
        reasons["predict_points"] = f"the points in {config.predict_file} are those of a mesh of the domain"
        reasons["vtu"] = f"{config.predict_file} is such a file"
    reasons |= _idle_in_network(config, module) | _idle_by_term(module)
    lines = []
    for flag in dict.fromkeys(config.typed):
        name = flag.lstrip("-").rstrip("+").removeprefix("network.").removeprefix("embedding.")
        if reason := reasons.get(name):
            lines.append(f"{flag} has no effect: {reason}")
    return lines


def _idle_in_training(config: SimpleNamespace, module: MaskPINN) -> dict[str, str]:
    """Returns why settings of the training have no effect, by name; "" or nothing if they have one."""
    phases = module.schedule.phases
    listed = ", ".join(map(str, phases))
    first_order = [phase for phase in phases if phase.method.decays]
    why = f"{listed}: " + ("each phase has its own" if first_order else "only adam and soap take it")
    shared = {
        name: all(getattr(phase, name) != getattr(config, name) for phase in first_order) and why
        for name in ("lr", "decay", "decay_every")
    }
    redrawn = any(phase.resample is None and phase.method.resample is None for phase in phases)
    searches = any(phase.method.searches for phase in phases)
    compiled = any(not phase.method.least_squares for phase in phases)
    recorded = "" if config.statistics_record else "--statistics_record is empty"
    balanced = len(module.adaptive_weights.names) > 1 or not config.balance
    reasons = {
        **shared,
        "resample": "" if redrawn else f"{listed}: each phase has its own interval, or the first points stay",
        "compile": "" if compiled else f"{listed}: its residuals are not compiled",
        "on_stall": "" if searches else f"{listed}: first-order phases are not judged",
        "patience": "with causal weights, the loss at fresh points is large until the end" if config.causal else "",
        "balance": "" if balanced else "the loss has a single residual",
        "statistics_every": recorded,
        "statistics_probes": recorded,
        "window_fresh": "" if config.windows else "there is one network for all times: add --windows",
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _idle_in_network(config: SimpleNamespace, module: MaskPINN) -> dict[str, str]:
    """Returns why settings of the network and its constraints have no effect, by name."""
    from mask_pinns.problems import Initial, Periodic  # this file answers mistakes without torch

    embedding, conditions = config.embedding, module.problem.conditions
    masked = any(name.rpartition(".")[2] == "alpha" for name, _ in module.network.named_parameters())
    automatic = "auto" in embedding["periodic"] and any(isinstance(c, Periodic) for c in conditions)
    periodic = automatic or [name for name in embedding["periodic"] if name != "auto"]
    hard_start = any(isinstance(c, Initial) and c.name in module.objective.hard for c in conditions)
    weights = "the weights are those of --from" if config.start_from else ""
    fourier = "" if embedding["fourier"] else "there are no Fourier features: add --fourier N"
    reasons = {
        "mask_init": weights
        or ("" if masked else f"the network {config.network['name']} has no mask: add --mask true"),
        "first_scale": weights,
        "first_bias": weights,
        "skip": "" if config.network.get("blocks", 1) else "there are no blocks",
        "harmonics": "" if periodic else "no coordinate is embedded as periodic: add --periodic NAME",
        "fourier_std": weights or fourier,
        "fourier_trainable": fourier,
        "fourier_activation": fourier,
        "exact_time": "" if hard_start else "no initial condition holds by construction: add it to --exact",
        "matmul_precision": "products are in float64" if str(config.precision).startswith("64") else "",
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _idle_by_term(module: MaskPINN) -> dict[str, str]:
    """Returns why points and weights of terms have no effect: conditions that hold by construction are no terms."""
    reasons: dict[str, str] = {}
    for condition in module.problem.conditions:
        if condition.name in module.objective.hard:
            why = f"{condition.name} holds by construction, and is no term of the loss; change --exact for that"
            reasons |= dict.fromkeys([f"points.{condition.name}", f"weights.{condition.name}"], why)
    if module.problem.conditions and len(module.objective.terms) == 1:
        reasons["weights.conditions"] = "all conditions hold by construction; change --exact for soft ones"
    return reasons
