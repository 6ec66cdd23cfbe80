"""Makes one checked configuration from flags, YAML files and recipes, with error messages of one line.

`read` works in two steps, because the flags depend on the problem and the network. It first gathers the configuration
files (that of the run if it is resumed, else `--config`, else the problem's recipe) and the names of problem and
network. Then it parses the flags of these two. Problem and network are not built here.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt

from mask_pinns.catalog.problem_files import located
from mask_pinns.catalog.tables import ACTIVATIONS, NETWORKS, OPTIMIZERS, PROBLEMS
from mask_pinns.cli import checks
from mask_pinns.cli.configuration import declared_network, declared_problem, gather
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.settings import SETTINGS, Embedding, Option, TrainerSettings, flatten, options, plain
from mask_pinns.version import __version__

COMMANDS = ("fit", "validate", "test", "predict")
PROG = "mask-pinns"
"""How the command is called, if it is called by its name."""
SHORT_FLAGS = ("width", "blocks", "activation", "mask", "mask_init", "first_scale", "first_bias")
EXAMPLES = {
    "": "train",
    "--problem burgers --width 32 --seed 1": "another problem, network and seed",
    "--problem my_problem.py:MyProblem": "your own problem",
    "--config paper/wave": "the published settings",
    "--resume last": "go on with the latest run",
    "test --ckpt_path runs/wave-1": "evaluate its best checkpoint",
}


def describe(prog: str) -> str:
    """Returns the first part of the help: examples, and the names that are known."""
    width = max(map(len, EXAMPLES))
    examples = "\n".join(f"  {prog} {flags:<{width}}  {what}" for flags, what in EXAMPLES.items())
    known = {table: ", ".join(table.names()) for table in (PROBLEMS, NETWORKS, ACTIVATIONS, OPTIMIZERS)}
    return f"""Trains a Mask-PINN on a PDE. With no flags: the wave equation, by its recipe.

{examples}

problems:    {known[PROBLEMS]}, or FILE.py:CLASS
networks:    {known[NETWORKS]}
activations: {known[ACTIVATIONS]}
optimizers:  {known[OPTIMIZERS]}, alone or in phases: "adam 2000, lbfgs"
"""


def read(argv: Iterable[str], prog: str = PROG) -> tuple[str, SimpleNamespace]:
    """Returns the command ("fit" if not given) and the configuration in plain numbers, strings, lists and dicts.

    Raises ValueError for an invalid command or configuration.
    """
    words = list(argv)
    command = words.pop(0) if words and words[0] in COMMANDS else "fit"
    base, words = gather(words)
    parser = build_parser(base["problem"]["name"], base["network"]["name"], prog)
    required = {key for key, value in parser.get_defaults().items() if value is not None}
    lists = [action.dest for action in parser._actions if action.nargs == "*"]
    switches = [action.dest for action in parser._actions if action.nargs == 0]
    base = checks.normalize_file_settings(base, lists, switches)
    try:
        typed = flatten(parser.parse_object(base, defaults=True).as_dict())  # set_defaults does not check types
        parser.set_defaults({key: typed[key] for key in flatten(base)})
        config = parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(explain_error(str(error), parser)) from None
    except KeyError as error:
        raise UsageError(explain_error(str(error.args[0]), parser)) from None
    for key in required:
        if config[key] is None:
            raise UsageError(f"{key} is empty (null); give it a value or leave it out")
    settings = plain(config.as_dict())
    settings["problem"]["name"] = located(settings["problem"]["name"])  # found from any folder when the run goes on
    checks.check_settings(settings)
    return command, SimpleNamespace(**settings)


def build_parser(problem: str, network: str, prog: str = PROG) -> ArgumentParser:
    """Makes the parser for one problem and one network."""
    parser = ArgumentParser(
        prog=prog,
        description=describe(prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        usage="%(prog)s [fit|validate|test|predict] [flags]",
    )
    parser._negative_number_matcher = re.compile(r"-\.?(\d|inf|nan)", re.IGNORECASE)  # argparse's misses -1e-3, -inf
    parser.add_argument("--version", action="version", version=f"mask-pinns {__version__}", help="print the version")
    parser.add_argument("--config", action="config", help="YAML file with any of these settings; flags override it")
    _add_problem(parser, problem)
    _add_network(parser, network)
    for title, classes in SETTINGS.items():
        _add_settings(parser, title, classes)
    group = parser.add_argument_group("trainer", inspect.cleandoc(TrainerSettings.__doc__ or "").partition("\n")[0])
    for option in options(TrainerSettings):
        _add_option(group, option, f"--trainer.{option.name}")
    return parser


def _add_problem(parser: ArgumentParser, name: str) -> None:
    problem = declared_problem(name)
    group = parser.add_argument_group(f"problem: {name}", problem.doc)
    group.add_argument(
        "--problem.name", type=str, default=name, help="short: --problem NAME, or --problem FILE.py:CLASS"
    )
    for key, coefficient in problem.parameters.items():
        group.add_argument(f"--problem.{key}", type=coefficient.kind, default=coefficient.default, help="coefficient")


def _add_network(parser: ArgumentParser, name: str) -> None:
    network = declared_network(name)
    help_of = {p.arg_name: p.description for p in parse_docstring(network.doc).params}
    group = parser.add_argument_group(f"network: {name}")
    known = ", ".join(NETWORKS.names())
    group.add_argument("--network.name", type=str, default=name, help=f"short: --network NAME; {known}")
    for key, option in network.parameters.items():
        kind = {"width": PositiveInt, "blocks": NonNegativeInt}.get(key, option.kind)
        short = [f"--{key}"] if key in SHORT_FLAGS else []
        group.add_argument(f"--network.{key}", *short, type=kind, default=option.default, help=help_of.get(key))


def _add_settings(parser: ArgumentParser, title: str, classes: Iterable[type]) -> None:
    """Adds a flag for every field of the classes of settings. The embedding's flags have a prefix and a short form."""
    notes = [inspect.cleandoc(cls.__doc__ or "").partition("\n")[0] for cls in classes]
    group = parser.add_argument_group(title, " ".join(notes))
    for cls in classes:
        if title == "constraints and inputs":
            for option in options(Embedding):
                _add_option(group, option, f"--embedding.{option.name}", f"--{option.name}")
        for option in options(cls):
            _add_option(group, option, f"--{option.name}")


def _add_option(group: Any, option: Option, *flags: str) -> None:
    help_text = option.help.replace("%", "%%")  # argparse formats the help text with %
    if option.switch:
        group.add_argument(*flags, action="store_true", help=help_text)
        return
    many = {"nargs": "*"} if option.many else {}
    group.add_argument(*flags, type=option.kind, default=option.default, help=help_text, **many)


def explain_error(message: str, parser: ArgumentParser) -> str:
    """Returns a parser's message in one line; for an unknown flag, with the nearest one and the flags of its group."""
    flags = [s for s in parser._option_string_actions if s.startswith("--")]
    if match := re.search(r"unrecognized arguments: ((?!-).*)", message, re.DOTALL):  # a word that is no flag
        close = difflib.get_close_matches(f"--{match[1].partition(' ')[0]}", flags, n=1)
        return f"unexpected {match[1]!r}" + (f"; did you mean {close[0]}?" if close else "")
    if match := re.search(r"unrecognized arguments: (\S+)|No action for key \"(\S+)\"|Option '(\S+)' is not", message):
        given = next(group for group in match.groups() if group)
        return _unknown_flag("--" + given.lstrip("-").partition("=")[0], flags) if given[0] != "'" else message
    message = re.sub(r'Parser key "([^"]*)":', r"\1:", message)
    message = re.sub(r"Expected an? <class '(\w+)'>", r"expected \1", message)
    if reason := re.search(r"Errors:\n\s*- ([^\n]*)", message):
        value = re.search(r"Given value: (.*)", message)
        message = f"{message.partition(':')[0]}: {reason[1]}, got {value[1] if value else '?'}"
    return " ".join(message.split())


def _unknown_flag(flag: str, flags: list[str]) -> str:
    """Makes the message about a flag that does not exist."""
    prefix = flag.partition(".")[0] + "."
    group = [f for f in flags if f.startswith(prefix)] if "." in flag else []
    close = difflib.get_close_matches(flag, group or flags, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown setting {flag}{hint}" + (f" There are: {', '.join(group)}" if group else "")
