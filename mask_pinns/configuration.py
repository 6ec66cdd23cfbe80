"""Configuration before its flags are parsed: files, recipes, checkpoints, and which problem and network are meant.

The base is a run's own configuration when it is resumed or judged, else `--config`, else the problem's recipe.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from mask_pinns.networks import network_options
from mask_pinns.strict_yaml import load_strictly
from mask_pinns.whole_files import whole

REWRITTEN = {"--problem": "--problem.name", "--network": "--network.name", "--points": "--points.pde"}
ONLY_ONCE = ("config", "resume", "ckpt_path", "name", "predict_points")  # not part of what repeats a run


class UsageError(ValueError):
    """What was typed cannot be run; the message says why, in one line."""


def configs_folder() -> Path:
    """The folder of recipes: inside the installed package, or at the top of the checkout."""
    here = Path(__file__).parent
    return next((p for p in (here / "configs", here.parent / "configs") if p.is_dir()), here / "configs")


def gather(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The configuration that the flags start from, and the words left to parse."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--problem.name", "--network.name", "--resume", "--ckpt_path", "--folder"):
        first.add_argument(flag)
    first.add_argument("--config", action="append", default=[])
    words = [_rewrite(word) for word in words]
    try:
        named, _ = first.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from None
    config: dict[str, Any] = {"problem": {"name": "wave"}, "network": {"name": "masked"}}
    problem, network = getattr(named, "problem.name"), getattr(named, "network.name")
    for file in _files(named, problem):
        config = merge(config, load_yaml(file))
    if problem is not None and problem != config["problem"]["name"]:
        config["problem"] = {"name": problem}  # the file's coefficients belong to another problem
    if network is not None and network != config["network"]["name"]:
        known = network_options(network)
        config["network"] = {k: v for k, v in config["network"].items() if k in known} | {"name": network}
    return config, _without(words, "--config")


def _rewrite(word: str) -> str:
    flag, equals, value = word.partition("=")
    return REWRITTEN.get(flag, flag) + equals + value


def _files(named: argparse.Namespace, problem: str | None) -> list[Path]:
    given, files = named.resume or named.ckpt_path, [Path(file) for file in named.config]
    if given:
        checkpoint = find_checkpoint(given, Path(named.folder or "runs"))
        if named.resume or checkpoint.parent.name == "checkpoints":
            return _own_file(run_folder(checkpoint), files)
    if given or files:
        return files
    recipe = configs_folder() / f"{problem or 'wave'}.yaml"
    return [recipe if recipe.is_file() else configs_folder() / "default.yaml"]


def _own_file(run: Path, files: list[Path]) -> list[Path]:
    """A run's own configuration, then the files that go over it. Raises UsageError where there is neither."""
    own = run / "config.yaml"
    if own.is_file() and load_yaml(own):
        return [own, *files]
    if not files:
        raise UsageError(f"{own}, the configuration of the run, is missing or empty; give it with --config FILE")
    return files


def run_folder(checkpoint: Path) -> Path:
    """RUN of a checkpoint RUN/checkpoints/FILE. Raises UsageError for a file that lies elsewhere."""
    if checkpoint.parent.name != "checkpoints":
        raise UsageError(
            f"{checkpoint} lies in no run folder, and --resume goes on in the run's own; expected RUN/checkpoints/FILE "
            "beside RUN/config.yaml: put it there, or begin a new run without --resume"
        )
    return checkpoint.parent.parent


def find_checkpoint(given: str, runs: Path, name: str = "last.ckpt") -> Path:
    """The checkpoint meant by a file, a run folder, or "last" (the run in `runs` that was saved most recently).

    One that is missing is named all the same where there are others beside it, which can be offered.
    """
    path = Path(given)
    if given == "last":
        found = sorted(runs.glob("*/checkpoints/*.ckpt"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise UsageError(f"there is no run with a checkpoint in {runs}")
        path = found[-1].parent
    if path.is_dir():
        folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
        path = folder / name if (folder / name).is_file() else folder / "last.ckpt"  # no best yet: the last
    if not path.is_file() and not any(path.parent.glob("*.ckpt")):
        raise UsageError(f"checkpoint {path} does not exist")
    return Path(os.path.abspath(path))  # named from inside its folder, it would not know where that lies


def load_yaml(path: Path) -> dict[str, Any]:
    """A configuration file, names written short ("problem: wave") spelled out."""
    if not path.is_file():
        raise UsageError(f"configuration file {path} does not exist")
    try:
        content = load_strictly(path.read_text()) or {}
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


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """new over old, mappings key by key; a problem or network of another name replaces the old one whole."""
    merged = dict(old)
    for key, value in new.items():
        before: Any = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        same = both and value.get("name", before.get("name")) == before.get("name")
        merged[key] = merge(before, value) if same else value
    return merged


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys dotted, for the groups that have flags of their own."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if key in ("problem", "network", "embedding", "trainer") and isinstance(value, Mapping):
            flat |= {f"{key}.{k}": v for k, v in value.items()}
        else:
            flat[key] = value
    return flat


def _without(words: list[str], flag: str) -> list[str]:
    """The words without a flag and its value."""
    kept, skip = [], False
    for word in words:
        if skip or word == flag:
            skip = not skip
        elif not word.startswith(flag + "="):
            kept.append(word)
    return kept


def plain(x: Any) -> Any:
    """x with plain numbers in it, as YAML and checkpoints hold them (a parser leaves a PositiveInt)."""
    if isinstance(x, Mapping):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [plain(value) for value in x]
    kind = next((k for k in (bool, int, float, str) if isinstance(x, k)), None)
    return x if kind is None else kind(x)


def save(config: SimpleNamespace, path: Path) -> None:
    """Writes the resolved configuration, as a whole or not at all; `--config` on it repeats the run."""
    content = {k: v for k, v in vars(config).items() if k not in ONLY_ONCE}
    with whole(path) as file:
        yaml.safe_dump(content, file, sort_keys=False)
