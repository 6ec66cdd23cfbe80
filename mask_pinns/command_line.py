"""From what a user typed to one checked configuration: flags, YAML, recipes, and errors in one line.

`read` works in two steps, because which flags there are depends on the problem and the network: it first gathers
the configuration files (a run's own when it is resumed, else `--config`, else the problem's recipe) and the names
of problem and network, then parses the flags of just these. Nothing is built here.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from lightning import Trainer

from mask_pinns.activations import ACTIVATIONS
from mask_pinns.differentiation import ENGINES
from mask_pinns.networks import NETWORKS, network_options
from mask_pinns.optim import OPTIMIZERS
from mask_pinns.problems import PROBLEMS
from mask_pinns.problems.loading import problem_class

COMMANDS = ("fit", "validate", "test", "predict")
REWRITTEN = {"--problem": "--problem.name", "--network": "--network.name", "--points": "--points.pde"}
ONLY_ONCE = ("config", "resume", "ckpt_path", "name", "predict_points")  # not part of what repeats a run
TRAINER_FLAGS = {"max_time", "deterministic", "benchmark", "profiler", "detect_anomaly", "plugins", "limit_val_batches"}
DESCRIPTION = f"""Trains a Mask-PINN on a PDE. With no flags: the wave equation, by its recipe.

  python train.py                                        train
  python train.py --problem burgers --width 32 --seed 1  another problem, network and seed
  python train.py --problem my_problem.py:MyProblem      a problem of your own
  python train.py --config configs/paper/wave.yaml       the published setting
  python train.py --resume last                          go on with the latest run
  python train.py test --ckpt_path runs/wave-1           judge its best checkpoint

problems:    {", ".join(PROBLEMS)}, or FILE.py:CLASS
networks:    {", ".join(NETWORKS)}
activations: {", ".join(ACTIVATIONS)}
optimizers:  {", ".join(OPTIMIZERS)}, alone or in phases: "adam 2000, lbfgs"
"""


class UsageError(ValueError):
    """What was typed cannot be run; the message says why, in one line."""


def configs_folder() -> Path:
    """The folder of recipes: inside the installed package, or at the top of the checkout."""
    here = Path(__file__).parent
    return next((p for p in (here / "configs", here.parent / "configs") if p.is_dir()), here / "configs")


def read(argv: Iterable[str]) -> tuple[str, SimpleNamespace]:
    """The command ("fit" unless said) and the configuration, in plain numbers, strings, lists and dicts.

    Raises ValueError for what cannot be run.
    """
    words = list(argv)
    command = words.pop(0) if words and words[0] in COMMANDS else "fit"
    base, words = gather(words)
    parser = build_parser(base["problem"]["name"], base["network"]["name"])
    try:
        parser.set_defaults(flatten(base))
        return command, SimpleNamespace(**plain(parser.parse_args(words).as_dict()))
    except argparse.ArgumentError as error:
        raise UsageError(explain(str(error), parser)) from None
    except KeyError as error:
        raise UsageError(explain(str(error.args[0]), parser)) from None


# ---- step one: files and names ----------------------------------------------------------------------------------


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
    checkpoint = named.resume or named.ckpt_path
    files = [Path(file) for file in named.config]
    if checkpoint:
        own = find_checkpoint(checkpoint, Path(named.folder or "runs")).parent.parent / "config.yaml"
        return [own, *files] if own.is_file() else files
    if files:
        return files
    recipe = configs_folder() / f"{problem or 'wave'}.yaml"
    return [recipe] if recipe.is_file() else []


def find_checkpoint(given: str, runs: Path, name: str = "last.ckpt") -> Path:
    """The checkpoint meant by a file, a run folder, or "last" (the run in `runs` that was saved most recently)."""
    if given == "last":
        found = sorted(runs.glob("*/checkpoints/last.ckpt"), key=lambda p: p.stat().st_mtime)
        if not found:
            raise UsageError(f"there is no run with a checkpoint in {runs}")
        return found[-1]
    path = Path(given)
    if path.is_dir():
        path = path / "checkpoints" / name if (path / "checkpoints").is_dir() else path / name
    if not path.is_file():
        raise UsageError(f"checkpoint {path} does not exist")
    return path


def load_yaml(path: Path) -> dict[str, Any]:
    """A configuration file, names written short ("problem: wave") spelled out."""
    if not path.is_file():
        raise UsageError(f"configuration file {path} does not exist")
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"configuration file {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UsageError(f"configuration file {path} holds a {type(content).__name__}; expected keys and values")
    for key in ("problem", "network"):
        if isinstance(content.get(key), str):
            content[key] = {"name": content[key]}
        if not isinstance(content.get(key, {}), dict):
            raise UsageError(f"{key} in {path} is {content[key]!r}; expected a name, or a name with options")
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
        if key in ("problem", "network", "trainer") and isinstance(value, Mapping):
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


# ---- step two: the flags ----------------------------------------------------------------------------------------


def build_parser(problem: str, network: str) -> ArgumentParser:
    """The parser for one problem and one network."""
    parser = ArgumentParser(
        prog="train.py",
        description=DESCRIPTION,
        formatter_class=_Formatter,
        exit_on_error=False,
        allow_abbrev=False,
        usage="%(prog)s [fit|validate|test|predict] [flags]",
    )
    parser.add_argument("--config", action="config", help="YAML file with any of these settings; flags go over it")
    _add_problem(parser, problem)
    _add_network(parser, network)
    _add_training(parser)
    _add_points(parser)
    _add_run(parser)
    _add_machine(parser)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the examples as they are; every flag's help ends with its default."""


def _add_problem(parser: ArgumentParser, name: str) -> None:
    cls = problem_class(name)
    group = parser.add_argument_group(f"problem: {name}", inspect.cleandoc(cls.__doc__ or ""))
    group.add_argument(
        "--problem.name", type=str, default=name, help="short: --problem NAME, or --problem FILE.py:CLASS"
    )
    for key, field in cls.coefficient_fields().items():
        kind = type(field.default) if isinstance(field.default, int | float | str) else str
        group.add_argument(f"--problem.{key}", type=kind, default=field.default, help="coefficient")


def _add_network(parser: ArgumentParser, name: str) -> None:
    options = network_options(name)
    builder = NETWORKS[name]
    cls = getattr(builder, "func", builder)
    help_of = {p.arg_name: p.description for p in parse_docstring(inspect.getdoc(cls) or "").params}
    group = parser.add_argument_group(f"network: {name}")
    group.add_argument("--network.name", type=str, default=name, help=f"short: --network NAME; {', '.join(NETWORKS)}")
    for key, parameter in options.items():
        kind = {"width": PositiveInt, "blocks": NonNegativeInt}.get(key, parameter.annotation)
        short = [f"--{key}"] if key in ("width", "blocks", "activation", "mask", "mask_init") else []
        group.add_argument(f"--network.{key}", *short, type=kind, default=parameter.default, help=help_of.get(key))


def _add_training(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    add = group.add_argument
    add(
        "--optimizer",
        type=str | dict[str, Any] | list[dict[str, Any]],
        default="adam",
        help='e.g. adam, or phases: "adam 2000, lbfgs"',
    )
    add("--steps", type=PositiveInt | None, default=None, help="optimizer steps in all; else the sum of the phases'")
    add("--lr", type=PositiveFloat | None, default=None, help="learning rate of first-order phases")
    add("--decay", type=PositiveFloat | None, default=None, help="staircase: factor on the learning rate ...")
    add("--decay_every", type=PositiveInt | None, default=None, help="... every so many steps")
    add("--weights", type=dict[str, float], default={}, help="of loss terms: --weights.initial 100")
    add("--derivatives", type=str, default="jet", help=f"engine: {', '.join(ENGINES)} (for networks not made of jets)")
    add("--compile", type=str, default="auto", help="auto (where the run is long enough to win the time back), on, off")
    add("--seed", type=NonNegativeInt, default=0, help="of the initial weights and of the points")


def _add_points(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("points")
    add = group.add_argument
    add("--points", type=dict[str, PositiveInt], default={"pde": 2500},
        help="--points N collocation points; --points.initial N, --points.<condition> N on each face")  # fmt: skip
    add("--sampler", type=str, default="latin_hypercube", help="latin_hypercube, sobol, uniform, grid")
    add("--resample", type=NonNegativeInt, default=1, help="steps between fresh points; 0: never (L-BFGS: never)")


def _add_run(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    add = group.add_argument
    add("--folder", type=str, default="runs", help="where runs lie")
    add("--name", type=str | None, default=None, help="of this run's folder; else <problem>-<number>")
    add("--resume", type=str | None, default=None, help="go on with a run: last, a run folder, or a checkpoint")
    add("--ckpt_path", type=str | None, default=None, help="run folder or checkpoint to validate, test or predict with")
    add("--predict_points", type=str | None, default=None, help=".npy or .csv file of points (N, D) to predict at")
    add("--log_every", type=PositiveInt | None, default=None, help="steps between logged losses; else by --steps")
    add("--validate_every", type=PositiveInt | None, default=None, help="steps between validations and checkpoints")
    add("--statistics_every", type=PositiveInt | None, default=None, help="steps between looks at the features")
    add("--figures_every", type=PositiveInt | None, default=None, help="steps between pictures of the solution")


def _add_machine(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    add = group.add_argument
    add("--precision", type=str | int, default="32", help="32, 64, or any of Lightning's")
    add("--accelerator", type=str, default="auto", help="auto, cpu, gpu, ...")
    add("--devices", type=int | str, default=1, help="how many, or which")
    add("--strategy", type=str, default="auto", help="auto, ddp, ...")
    add("--num_nodes", type=PositiveInt, default=1, help="machines")
    skip = set(inspect.signature(Trainer.__init__).parameters) - TRAINER_FLAGS - {"self"}
    parser.add_class_arguments(Trainer, "trainer", skip=skip, instantiate=False)


def plain(x: Any) -> Any:
    """x with plain numbers in it, as YAML and checkpoints hold them (a parser leaves a PositiveInt)."""
    if isinstance(x, Mapping):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [plain(value) for value in x]
    kind = next((k for k in (bool, int, float, str) if isinstance(x, k)), None)
    return x if kind is None else kind(x)


def explain(message: str, parser: ArgumentParser) -> str:
    """A parser's message in one line; for a flag that does not exist, the nearest one and its neighbours."""
    flags = [s for s in parser._option_string_actions if s.startswith("--")]
    if found := re.search(r"unrecognized arguments: (\S+)|No action for key \"(\S+)\"|Option '(\S+)' is not", message):
        given = next(g for g in found.groups() if g)
        return _unknown_flag("--" + given.lstrip("-").partition("=")[0], flags) if given[0] != "'" else message
    message = re.sub(r'Parser key "([^"]*)":', r"\1:", message)
    if options := re.search(r"Errors:\n\s*- ([^\n]*)", message):
        value = re.search(r"Given value: (.*)", message)
        message = f"{message.partition(':')[0]}: {options[1]}, got {value[1] if value else '?'}"
    return " ".join(message.split())


def _unknown_flag(flag: str, flags: list[str]) -> str:
    group = flag.partition(".")[0] + "."
    family = [f for f in flags if f.startswith(group)] if "." in flag else []
    close = difflib.get_close_matches(flag, family or flags, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown setting {flag}{hint}" + (f" There are: {', '.join(family)}" if family else "")


def save(config: SimpleNamespace, path: Path) -> None:
    """Writes the resolved configuration; `--config` on it repeats the run."""
    content = {k: v for k, v in vars(config).items() if k not in ONLY_ONCE}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
