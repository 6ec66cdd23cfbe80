"""`--completion bash`: prints a script with which a shell completes flags, names and files after `mask-pinns`.

It comes from shtab, a package that is imported here only, and is made once, when a user installs it: a shell that
completes a word starts no Python. The flags are those of all problems and networks.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, Literal, get_args, get_origin

from mask_pinns.catalog.tables import ACTIVATIONS, ENGINES, NETWORKS, OPTIMIZERS, PROBLEMS, SAMPLERS
from mask_pinns.cli.configuration import LONG_FORMS, declared_network, declared_problem

PROG, SCRIPT = "mask-pinns", "train.py"
NAMES = {
    "problem.name": PROBLEMS, "network.name": NETWORKS, "network.activation": ACTIVATIONS, "optimizer": OPTIMIZERS,
    "embedding.fourier_activation": ACTIVATIONS, "sampler": SAMPLERS, "derivatives": ENGINES,
}  # fmt: skip
"""Settings whose values are names of a table."""
FILES = ("config", "predict_points", "resume", "start_from", "ckpt_path")
FOLDERS = ("folder",)
PYTHON = f"""
complete -o bashdefault -o default -F _shtab_mask_pinns {PROG} {SCRIPT}

# python {SCRIPT} and python -m mask_pinns are completed as {PROG}, other words after python as before.
_mask_pinns_python() {{
  local k
  for ((k = 1; k < COMP_CWORD; k++)); do
    case "${{COMP_WORDS[k]}}" in
      {SCRIPT} | */{SCRIPT} | mask_pinns)
        COMP_WORDS=({PROG} "${{COMP_WORDS[@]:k+1}}")
        COMP_CWORD=$((COMP_CWORD - k))
        _shtab_mask_pinns
        return ;;
      -*) ;;
      *) return ;;
    esac
  done
}}
complete -o bashdefault -o default -F _mask_pinns_python python python3
"""
"""What is added to the script for bash."""


class Completion(argparse.Action):
    """Prints the script for a shell, and ends the process."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        if find_spec("shtab") is None:
            raise argparse.ArgumentError(self, 'it needs shtab: pip install "mask-pinns[completion]"')
        import shtab

        if values not in shtab.SUPPORTED_SHELLS:
            raise argparse.ArgumentError(self, f"expected one of {', '.join(shtab.SUPPORTED_SHELLS)}; got {values!r}")
        print(script(parser, values))
        parser.exit()


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a shell, of `mask-pinns` and `train.py`."""
    import shtab

    if shell == "bash":
        return shtab.complete(_described(parser, PROG), shell) + PYTHON
    return "\n".join(shtab.complete(_described(parser, prog), shell) for prog in (PROG, SCRIPT))


def _described(parser: argparse.ArgumentParser, prog: str) -> argparse.ArgumentParser:
    """A parser of argparse with the same flags, and the values that each of them can have."""
    import shtab

    plain = argparse.ArgumentParser(prog=prog, add_help=False)
    commands = re.findall(r"\w+", (parser.usage or "").partition("]")[0].partition("[")[2])
    plain.add_argument("command", nargs="?", choices=commands, help="what is done; fit if it is left out")
    short = {long: flag for flag, long in LONG_FORMS.items()}
    for action in [a for a in parser._actions if a.option_strings]:
        flags = [*action.option_strings, *(short[f] for f in action.option_strings if f in short)]
        own: dict[str, Any] = {"nargs": action.nargs} if action.nargs in (0, "*", "?") else {}
        own = {"action": "store_true"} if own.get("nargs") == 0 else own
        if choices := _choices(action):
            own["choices"] = choices
        added: Any = plain.add_argument(*dict.fromkeys(flags), help=action.help, **own)
        if action.dest in FILES:
            added.complete = shtab.FILE
        elif action.dest in FOLDERS:
            added.complete = shtab.DIRECTORY
    for flag in _of_others(plain):
        plain.add_argument(flag)
    return plain


def _choices(action: argparse.Action) -> Sequence[str]:
    """The values that a setting can have, if they are names or switches."""
    typehint = getattr(action, "_typehint", None)
    if action.dest in NAMES:
        return NAMES[action.dest].names()
    if action.nargs == 0 or action.dest == "help":
        return []
    if action.dest == argparse.SUPPRESS and isinstance(action, Completion):
        import shtab

        return list(shtab.SUPPORTED_SHELLS)
    if typehint is bool:
        return ["true", "false"]
    return [str(value) for value in get_args(typehint)] if get_origin(typehint) is Literal else []


def _of_others(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Flags of the problems and networks that the parser is not for."""
    known = set(parser._option_string_actions)
    others = {f"--problem.{key}" for name in PROBLEMS.names() for key in declared_problem(name).parameters}
    others |= {f"--network.{key}" for name in NETWORKS.names() for key in declared_network(name).parameters}
    yield from sorted(others - known)
