"""Reads the configuration that flags start from: files, recipes, checkpoints, and the names of problem and network.

It starts from the run's configuration if a run is resumed or evaluated, else from `--config`, else from the problem's
recipe.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from mask_pinns.catalog.presets import configs_folder, find_configuration
from mask_pinns.catalog.problem_files import located, same_problem
from mask_pinns.catalog.source import NotWritten
from mask_pinns.catalog.tables import (
    NETWORKS,
    PROBLEMS,
    Declaration,
    Parameter,
    network_in_source,
    problem_in_source,
)
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.cli.run_folder import UsageError, find_checkpoint, find_study, run_folder_of
from mask_pinns.settings import TuningSettings, merge, names
from mask_pinns.settings.values import parse_values, write_values

LONG_FORMS = {
    "--problem": "--problem.name", "--network": "--network.name", "--points": "--points.pde", "--from": "--start_from",
}  # fmt: skip
NOT_SAVED = (
    "config", "resume", "ckpt_path", "name", "predict_points", "predict_file", "predict_derivatives", "predict_std",
    "vtu", "export_file", "export_precision", "verify", "typed",
    *names(TuningSettings),
)  # fmt: skip
"""Settings that are not necessary to repeat a run."""


def declared_problem(name: str) -> Declaration:
    """Returns what a problem declares. Raises ValueError for an unknown one.

    For a problem of this package its source is read, since the import of torch takes seconds. A user's file is run.
    """
    if ".py" not in name and not PROBLEMS.imported:
        PROBLEMS.require(name)
        with suppress(NotWritten):
            return problem_in_source(name)
    from mask_pinns.problems.loading import problem_class

    cls = problem_class(name)
    defaults = {key: field.default for key, field in cls.coefficient_fields().items()}
    kinds = {key: type(value) if isinstance(value, int | float | str) else str for key, value in defaults.items()}
    return Declaration(inspect.cleandoc(cls.__doc__ or ""), {k: Parameter(kinds[k], defaults[k]) for k in defaults})


def declared_network(name: str) -> Declaration:
    """Returns what a network declares; as for problems, its source is read. Raises ValueError for an unknown one."""
    if not NETWORKS.imported:
        NETWORKS.require(name)
        with suppress(NotWritten):
            return network_in_source(name)
    from mask_pinns.networks import NETWORKS as TABLE
    from mask_pinns.networks import network_options

    known = network_options(name)
    doc = inspect.getdoc(getattr(TABLE[name], "func", TABLE[name])) or ""
    return Declaration(doc, {key: Parameter(option.annotation, option.default) for key, option in known.items()})


def gather(words: list[str], command: str = "fit") -> tuple[dict[str, Any], list[str]]:
    """Returns the configuration that the flags of a command start from, and the words that remain to be parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--problem.name", "--network.name", "--resume", "--start_from", "--ckpt_path", "--folder"):
        parser.add_argument(flag)
    parser.add_argument("--config", action="append", default=[])
    words = [_long_form(word) for word in words]
    try:
        flags, _ = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from None
    config: dict[str, Any] = {"problem": {"name": "wave"}, "network": {"name": "masked"}}
    problem, network = getattr(flags, "problem.name"), getattr(flags, "network.name")
    problem = None if problem is None else located(problem)
    for file in _study_files(flags) if command == "tune" and flags.resume else _files(flags, problem):
        config = merge(config, load_yaml(file))
    if problem is not None and same_problem(problem, config["problem"]["name"]):
        config["problem"]["name"] = problem
    elif problem is not None:
        config["problem"] = {"name": problem}  # the file's coefficients belong to another problem
    if network is not None and network != config["network"]["name"]:
        known = declared_network(network).parameters
        config["network"] = {k: v for k, v in config["network"].items() if k in known} | {"name": network}
    return config, _without(words, "--config")


def _long_form(word: str) -> str:
    """Replaces a short flag by its long form: --problem NAME by --problem.name NAME."""
    flag, equals, value = word.partition("=")
    return LONG_FORMS.get(flag, flag) + equals + value


def _files(flags: argparse.Namespace, problem: str | None) -> list[Path]:
    """Returns the configuration files to read; later ones override earlier ones."""
    if flags.start_from and (flags.resume or flags.ckpt_path):
        raise UsageError("--from begins a new run with the weights of another one: leave out --resume and --ckpt_path")
    given, files = flags.resume or flags.start_from or flags.ckpt_path, list(map(find_configuration, flags.config))
    if given:
        checkpoint = find_checkpoint(given, Path(flags.folder or "runs"))
        if flags.resume or flags.start_from or checkpoint.parent.name == "checkpoints":
            return _run_configuration(run_folder_of(checkpoint), files)
    if given or files:
        return files
    recipe = configs_folder() / f"{problem or 'wave'}.yaml"
    return [recipe if recipe.is_file() else configs_folder() / "default.yaml"]


def _study_files(flags: argparse.Namespace) -> list[Path]:
    """Returns the configuration of a study to go on with, which nothing overrides: its trials are to be compared."""
    if flags.config or flags.start_from:
        flag = "--config" if flags.config else "--from"
        raise UsageError(f"the trials of a study have the same settings: leave out {flag}, or begin a new study")
    return [find_study(flags.resume, Path(flags.folder or "runs")) / "config.yaml"]


def _run_configuration(run: Path, files: list[Path]) -> list[Path]:
    """Returns the run's configuration file, then the files that override it. Raises UsageError if there is neither."""
    run_file = run / "config.yaml"
    if run_file.is_file() and load_yaml(run_file):
        return [run_file, *files]
    if not files:
        raise UsageError(f"{run_file}, the configuration of the run, is missing or empty; give it with --config FILE")
    return files


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads a configuration file, with short forms ("problem: wave") in full. Raises UsageError if it is invalid."""
    if not path.is_file():
        raise UsageError(f"configuration file {path} does not exist")
    try:
        content = parse_values(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"configuration file {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UsageError(f"configuration file {path} holds a {type(content).__name__}; expected keys and values")
    if not all(isinstance(key, str) for key in content):
        raise UsageError(f"configuration file {path} has a key that is no name")
    for key in ("problem", "network"):
        if isinstance(content.get(key), str):
            content[key] = {"name": content[key]}
        if not isinstance(content.get(key, {}), dict):
            raise UsageError(f"{key} in {path} is {content[key]!r}; expected a name, or a name with options")
        if not isinstance(content.get(key, {}).get("name", ""), str):
            raise UsageError(f"{key}.name in {path} is {content[key]['name']!r}; expected a name")
    if "name" in content.get("problem", {}):
        content["problem"]["name"] = located(content["problem"]["name"], path.parent)
    for key in ("trainer", "weights", "embedding"):
        if not isinstance(content.get(key, {}), dict):
            raise UsageError(f"{key} in {path} is {content[key]!r}; expected keys and values")
    for group, key in ((content, "exact"), (content.get("embedding", {}), "periodic")):
        if isinstance(group.get(key), str):
            group[key] = [group[key]]
        if not isinstance(group.get(key, []), list):
            raise UsageError(f"{key} in {path} is {group[key]!r}; expected a name or a list of names")
    if not isinstance(content.get("adaptive", []), list):
        raise UsageError(f"adaptive in {path} is {content['adaptive']!r}; expected a list of two numbers, e.g. [1, 1]")
    if isinstance(content.get("points"), int):
        content["points"] = {"pde": content["points"]}
    return content


def _without(words: list[str], flag: str) -> list[str]:
    """Returns the words without a flag and its value."""
    others, skip = [], False
    for word in words:
        if skip or word == flag:
            skip = not skip
        elif not word.startswith(flag + "="):
            others.append(word)
    return others


def save(config: SimpleNamespace, path: Path, also: Collection[str] = ()) -> None:
    """Writes the configuration to a file that is complete or does not exist. `--config` with it repeats the run.

    also: settings that are written too, though a single run does not need them.
    """
    content = {k: v for k, v in vars(config).items() if k in also or k not in NOT_SAVED}
    with whole_file(path) as file:
        write_values(content, file)
