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
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Literal

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser
from jsonargparse.typing import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    restricted_number_type,
)
from lightning import Trainer

from mask_pinns import values
from mask_pinns.activations import ACTIVATIONS
from mask_pinns.configuration import UsageError, flatten, gather, plain
from mask_pinns.differentiation import ENGINES
from mask_pinns.embeddings import embedding_options, make_embedding
from mask_pinns.networks import NETWORKS, network_options
from mask_pinns.optim import OPTIMIZERS
from mask_pinns.problems import PROBLEMS
from mask_pinns.problems.loading import problem_class

COMMANDS = ("fit", "validate", "test", "predict")
TRAINER_FLAGS = {"max_time", "deterministic", "benchmark", "detect_anomaly", "limit_val_batches"}
"""Of Lightning's, taken as they are. None may take a class: to check its type, the parser would import any module."""
Seed: Any = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])
Probes: Any = restricted_number_type("Probes", int, [(">", 0), ("<=", 10**6)])
STATISTICS = ("moments", "quantiles", "drift", "units", "mask", "derivatives", "gradients", "histograms")
SHORT = ("width", "blocks", "activation", "mask", "mask_init", "first_scale", "first_bias")
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


def read(argv: Iterable[str]) -> tuple[str, SimpleNamespace]:
    """The command ("fit" unless said) and the configuration, in plain numbers, strings, lists and dicts.

    Raises ValueError for what cannot be run.
    """
    words = list(argv)
    command = words.pop(0) if words and words[0] in COMMANDS else "fit"
    base, words = gather(words)
    parser = build_parser(base["problem"]["name"], base["network"]["name"])
    needed = {key for key, value in parser.get_defaults().items() if value is not None}
    lists = [action.dest for action in parser._actions if action.nargs == "*"]
    switches = [action.dest for action in parser._actions if action.nargs == 0]
    base = values.tidy(base, lists, switches)
    try:
        typed = flatten(parser.parse_object(base, defaults=True).as_dict())  # set_defaults takes anything
        parser.set_defaults({key: typed[key] for key in flatten(base)})
        config = parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(explain(str(error), parser)) from None
    except KeyError as error:
        raise UsageError(explain(str(error.args[0]), parser)) from None
    for key in needed:
        if config[key] is None:
            raise UsageError(f"{key} is empty (null); give it a value or leave it out")
    settings = plain(config.as_dict())
    values.check(settings)
    return command, SimpleNamespace(**settings)


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
    parser._negative_number_matcher = re.compile(r"-\.?(\d|inf|nan)", re.IGNORECASE)  # argparse's: no -1e-3, no -inf
    parser.add_argument("--config", action="config", help="YAML file with any of these settings; flags go over it")
    _add_problem(parser, problem)
    _add_network(parser, network)
    _add_ends(parser)
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
        short = [f"--{key}"] if key in SHORT else []
        group.add_argument(f"--network.{key}", *short, type=kind, default=parameter.default, help=help_of.get(key))


def _add_ends(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the network's ends", "off unless asked for; for any network and problem")
    help_of = {p.arg_name: p.description for p in parse_docstring(inspect.getdoc(make_embedding) or "").params}
    kinds = {"harmonics": PositiveInt, "fourier": NonNegativeInt, "fourier_std": PositiveFloat}
    collections: dict[str, Any] = {
        "periodic": {"type": str, "nargs": "*", "default": []},
        "scale": {"type": dict[str, PositiveFloat], "default": {}},
    }
    for key, parameter in embedding_options().items():
        kind = collections.get(key, {"type": kinds.get(key, parameter.annotation), "default": parameter.default})
        group.add_argument(f"--embedding.{key}", f"--{key}", help=help_of[key], **kind)
    group.add_argument("--exact", type=str, nargs="*", default=[],
        help="conditions that hold by construction: initial dirichlet_x; all; auto (those that can)")  # fmt: skip
    group.add_argument("--exact_time", type=PositiveFloat | None, default=None,
        help="time in which exact initial values lose their hold; the whole interval unless said")  # fmt: skip
    group.add_argument("--symmetry", type=dict[str, str | dict[str, str]], default={},
        help="--symmetry.x odd: fields that are even or odd about the middle of x, by construction")  # fmt: skip


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
    add("--target", type=PositiveFloat | None, default=None,
        help="stop at a relative L2 error this small (a validation loss, where no solution is known)")  # fmt: skip
    add("--lr", type=PositiveFloat | None, default=None, help="learning rate of first-order phases")
    add("--decay", type=PositiveFloat | None, default=None, help="staircase: factor on the learning rate ...")
    add("--decay_every", type=PositiveInt | None, default=None, help="... every so many steps")
    add("--weights", type=dict[str, float], default={}, help="of loss terms: --weights.initial 100")
    add("--causal", type=NonNegativeFloat, default=0.0,
        help="causal weights: points count as the PDE holds at earlier times; larger is stricter, 0: off")  # fmt: skip
    add("--balance", type=NonNegativeInt, default=0,
        help="K: every K steps, weights of the residuals anew by the lengths of their gradients; 0: off")  # fmt: skip
    add("--derivatives", type=str, default="jet", help=f"engine: {', '.join(ENGINES)} (for networks not made of jets)")
    add("--compile", type=str, default="auto", help="auto (where the run is long enough to win the time back), on, off")
    add("--on_nonfinite", type=str, default="stop",
        help="a loss that becomes NaN or infinite: stop, or rollback (to good weights, with half the lr)")  # fmt: skip
    add("--seed", type=Seed, default=0, help="of the initial weights and of the points")


def _add_points(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("points")
    add = group.add_argument
    add("--points", type=dict[str, PositiveInt], default={"pde": 2500},
        help="--points N collocation points; --points.initial N, --points.<condition> N on each face")  # fmt: skip
    add("--points_over_ranks", type=str, default="split",
        help="several processes: split the points, rounded up to equal shares, or each its own --points")  # fmt: skip
    add("--sampler", type=str, default="latin_hypercube", help="latin_hypercube, sobol, uniform, grid")
    add("--adaptive", type=float, nargs="*", default=[],
        help="K C: collocation points chosen by |residual|^K / its mean + C, e.g. 1 1; empty: off")  # fmt: skip
    add("--resample", type=NonNegativeInt, default=1, help="steps between fresh points; 0: never (quasi-Newton: never)")


def _add_run(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    add = group.add_argument
    add("--folder", type=str, default="runs", help="where runs lie")
    add("--name", type=str | None, default=None, help="of this run's folder; else <problem>-<number>")
    add("--resume", type=str | None, default=None, help="go on with a run: last, a run folder, or a checkpoint")
    add("--ckpt_path", type=str | None, default=None, help="run folder or checkpoint to validate, test or predict with")
    add("--predict_points", type=str | None, default=None, help=".npy or .csv file of points (N, D) to predict at")
    add("--explain", action="store_true", help="print the plan before training: points, terms, streams, cost")
    add("--dry_run", action="store_true", help="print the plan and stop there")
    add("--log_every", type=PositiveInt | None, default=None, help="steps between logged losses; else by --steps")
    add("--validate_every", type=PositiveInt | None, default=None, help="steps between validations and checkpoints")
    add("--statistics_every", type=PositiveInt | None, default=None,
        help="steps between looks at the features; else by --steps, and in at most 2%% of the time")  # fmt: skip
    add("--statistics_probes", type=Probes, default=256, help="points at which the features are looked at")
    add("--statistics_record", type=str, nargs="*", default=list(STATISTICS),
        help=f"of {' '.join(STATISTICS)}; empty: no looks")  # fmt: skip
    add("--figures_every", type=PositiveInt | None, default=None, help="steps between pictures of the solution")


def _add_machine(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    add = group.add_argument
    add("--precision", type=str | int, default="32", help="32, 64, or any of Lightning's")
    add("--accelerator", type=str, default="auto", help="auto, cpu, gpu, ...")
    add("--devices", type=int | str, default=1, help="how many, or which")
    add("--burst", type=PositiveInt | None, default=None,
        help="optimizer steps per batch of Lightning's loop; else many on a GPU, 1 on a CPU")  # fmt: skip
    add("--matmul_precision", type=Literal["highest", "high", "medium"], default="highest",
        help="of float32 products: high (TF32 on a GPU) and medium (bfloat16) are faster and less exact")  # fmt: skip
    add("--strategy", type=str, default="auto", help="auto, ddp, ...")
    add("--num_nodes", type=PositiveInt, default=1, help="machines")
    skip = set(inspect.signature(Trainer.__init__).parameters) - TRAINER_FLAGS - {"self"}
    parser.add_class_arguments(Trainer, "trainer", skip=skip, instantiate=False)
    parser.add_argument("--trainer.profiler", type=str | None, default=None, help="simple, advanced, pytorch")


def explain(message: str, parser: ArgumentParser) -> str:
    """A parser's message in one line; for a flag that does not exist, the nearest one and its neighbours."""
    flags = [s for s in parser._option_string_actions if s.startswith("--")]
    if found := re.search(r"unrecognized arguments: (\S+)|No action for key \"(\S+)\"|Option '(\S+)' is not", message):
        given = next(g for g in found.groups() if g)
        return _unknown_flag("--" + given.lstrip("-").partition("=")[0], flags) if given[0] != "'" else message
    message = re.sub(r'Parser key "([^"]*)":', r"\1:", message)
    message = re.sub(r"Expected an? <class '(\w+)'>", r"expected \1", message)
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
