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
from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, set_dumper, set_loader
from jsonargparse.typing import NonNegativeInt, PositiveInt

from mask_pinns.catalog.problem_files import located
from mask_pinns.catalog.tables import ACTIVATIONS, NETWORKS, OPTIMIZERS, PROBLEMS
from mask_pinns.cli import checks
from mask_pinns.cli.configuration import declared_network, declared_problem, gather
from mask_pinns.cli.help.completion import Completion
from mask_pinns.cli.help.listing import List
from mask_pinns.cli.help.short import Help
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.settings import SETTINGS, Embedding, Option, TrainerSettings, flatten, options, plain
from mask_pinns.settings.values import check_written, parse_values, write_values
from mask_pinns.version import __version__

COMMANDS = ("fit", "validate", "test", "predict", "export", "tune")
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
    "export --ckpt_path runs/wave-1": "its solution as a program: ONNX",
    '--optimizer "adam 2000, lbfgs 100"': "phases: Adam, then L-BFGS",
    'tune --search "width 10..40, first_scale 1..4 log"': "search settings for the smallest loss at fresh points",
    "--list": "problems, networks, optimizers, with a line for each",
}


def describe(prog: str) -> str:
    """Returns the first part of the help: examples."""
    width = max(map(len, EXAMPLES))
    examples = "\n".join(f"  {prog} {flags:<{width}}  {what}" for flags, what in EXAMPLES.items())
    return f"""Trains a Mask-PINN on a PDE. With no flags: the wave equation, by its recipe.

{examples}
"""


VALUES = "values"
"""Name under which the parser of flags knows our rule for values, instead of its own."""
set_loader(VALUES, parse_values, (yaml.YAMLError,))
set_dumper(VALUES, write_values)


class Parser(ArgumentParser):
    """A parser of flags that reads numbers as files do, by `check_written`, before it converts them."""

    def check(self, value: Any, key: str) -> None:
        """Raises UsageError for text in place of a number, in the setting with this key."""
        kinds = {action.dest: getattr(action, "_typehint", None) for action in self._actions}
        many = isinstance(value, list) and any(action.dest == key and action.nargs == "*" for action in self._actions)
        try:
            for part in value if many else [value]:
                check_written(part, kinds.get(key), key)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def _get_values(self, action: Any, arg_strings: list[str]) -> Any:
        for word in arg_strings:
            with suppress(yaml.YAMLError):  # which is refused as a value of its type, or is text
                self.check(parse_values(word), action.dest)
        return super()._get_values(action, arg_strings)


def read(argv: Iterable[str], prog: str = PROG) -> tuple[str, SimpleNamespace]:
    """Returns the command ("fit" if not given) and the configuration in plain numbers, strings, lists and dicts.

    Beside the settings, the configuration has `typed`: the flags of the command line.

    Raises ValueError for an invalid command or configuration.
    """
    words = list(argv)
    command = words.pop(0) if words and words[0] in COMMANDS else "fit"
    base, words = gather(words, command)
    parser = build_parser(base["problem"]["name"], base["network"]["name"], prog)
    required = {key for key, value in parser.get_defaults().items() if value is not None}
    lists = [action.dest for action in parser._actions if action.nargs == "*"]
    switches = [action.dest for action in parser._actions if action.nargs == 0]
    base = checks.normalize_file_settings(base, lists, switches)
    for key, value in flatten(base).items():
        parser.check(value, key)
    try:
        typed = flatten(parser.parse_object(base, defaults=True).as_dict())  # set_defaults does not check types
        parser.set_defaults({key: typed[key] for key in flatten(base)})
        config = parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise UsageError(explain_error(str(error), parser, words)) from None
    except KeyError as error:
        raise UsageError(explain_error(str(error.args[0]), parser)) from None
    for key in required:
        if config[key] is None:
            raise UsageError(f"{key} is empty (null); give it a value or leave it out")
    settings = plain(config.as_dict())
    settings["problem"]["name"] = located(settings["problem"]["name"])  # found from any folder when the run goes on
    if list(map(str, settings["windows"])) == ["1"]:
        settings["windows"] = []  # one network for all times, as without windows
    checks.check_settings(settings)
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    return command, SimpleNamespace(**settings, typed=flags)


def build_parser(problem: str, network: str, prog: str = PROG) -> Parser:
    """Makes the parser for one problem and one network."""
    parser = Parser(
        parser_mode=VALUES,
        prog=prog,
        description=describe(prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        add_help=False,
        usage=f"%(prog)s [{'|'.join(COMMANDS)}] [flags]",
    )
    parser._negative_number_matcher = re.compile(r"-\.?(\d|inf|nan)", re.IGNORECASE)  # argparse's misses -1e-3, -inf
    hidden: Any = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS}
    parser.add_argument("-h", action=Help, nargs=0, help="the usual flags", **hidden)
    parser.add_argument("--help", action=Help, nargs="?", metavar="all", help="the same; all: every flag", **hidden)
    parser.add_argument("--list", action=List, nargs=0, help="problems, networks, optimizers, explained", **hidden)
    shell_help = "print a script that completes flags, names and files: bash, zsh, fish, ..."
    parser.add_argument("--completion", action=Completion, metavar="SHELL", help=shell_help, **hidden)
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


def explain_error(message: str, parser: ArgumentParser, words: Iterable[str] = ()) -> str:
    """Returns a parser's message in one line; for an unknown flag, with the nearest one and the flags of its group."""
    flags = [s for s in parser._option_string_actions if s.startswith("--")]
    if match := re.search(r"unrecognized arguments:(.*)", message, re.DOTALL):
        first = [word for word in words if f"{match[1]} ".startswith(f" {word} ")]  # a word may have spaces in it
        return _unknown_word(max(first, key=len, default=match[1].strip()), flags)
    if match := re.search(r"argument (\S+): ignored explicit argument '(.*)'", message):
        takes_none = f"{match[1]} takes no value, but got {match[2]!r}: leave it out"
        return takes_none if match[1] in flags else _unknown_word(f"-h{match[2]}", flags)
    if match := re.search(r"No action for key \"(\S+)\"|Option '(\S+)' is not", message):
        given = match[1] or match[2]
        return _unknown_flag("--" + given.lstrip("-").partition("=")[0], flags) if given[0] != "'" else message
    message = re.sub(r'Parser key "([^"]*)":', r"\1:", message)
    message = re.sub(r"Expected an? <class '(\w+)'>", r"expected \1", message)
    if reason := re.search(r"Errors:\n\s*- ([^\n]*)", message):
        value = re.search(r"Given value: (.*)", message)
        message = f"{message.partition(':')[0]}: {reason[1]}, got {value[1] if value else '?'}"
    return " ".join(message.split())


def _unknown_word(word: str, flags: list[str]) -> str:
    """Makes the message about a word that is neither a flag nor the value of one, with what was probably meant."""
    bare = re.sub(r"^[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d]+", "", word)
    given, equals, value = bare.partition("=")
    dashes, name = word[: len(word) - len(bare)], given.lower().replace("-", "_")
    joined = re.fullmatch(r"([a-z_.]*[a-z_])([-+]?\.?[0-9].*)", given.lower())
    if dashes and f"--{name}" in flags:
        meant = f"--{name}"
    elif joined and f"--{joined[1]}" in flags:
        meant = f"--{joined[1]} {joined[2]}"
    elif dashes and bare[:1].isalpha():
        return _unknown_flag(f"--{given}", flags)
    elif ".." in word or "|" in word:
        meant = 'a search, in quotes: --search "width 10..40, activation tanh|sin"'
    else:
        meant = _meant_by(bare) or (f"--{name}{equals}{value}" if f"--{name}" in flags else "")
    hint = f"did you mean {meant}?" if meant else "settings are given as --NAME VALUE, all of them listed by --help all"
    return f"unknown word {word!r}; {hint}"


def _meant_by(word: str) -> str:
    """The command, or the flag with its value, that a word without a flag stands for; "" if none comes to mind."""
    if commands := difflib.get_close_matches(word.lower(), COMMANDS, n=1, cutoff=0.7):
        return f"{commands[0]}, as the first word" if commands[0] == word else commands[0]
    endings = {"problem": r"\.py(:\w*)?", "config": r"\.ya?ml", "predict_points": r"\.(npy|csv)", "resume": r"\.ckpt"}
    kinds: dict[str, Container[str]] = {
        "problem": PROBLEMS.names(), "network": NETWORKS.names(), "activation": ACTIVATIONS.names(),
        "optimizer": OPTIMIZERS.names(),
    }  # fmt: skip
    if word and (Path(word) / "config.yaml").is_file():
        return f"--resume {word}"
    by_ending = [name for name, ending in endings.items() if re.search(ending + "$", word)]
    return next((f"--{name} {word}" for name in [*(k for k, known in kinds.items() if word in known), *by_ending]), "")


def _unknown_flag(flag: str, flags: list[str]) -> str:
    """Makes the message about a flag that does not exist."""
    prefix = flag.partition(".")[0] + "."
    group = [f for f in flags if f.startswith(prefix)]
    close = difflib.get_close_matches(flag, group or flags, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown setting {flag}{hint}" + (f" There are: {', '.join(group)}" if group else "")
