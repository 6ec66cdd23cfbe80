"""`--help`: the dozen flags that people change, by what they are for. `--help all`: every flag."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

USUAL = {
    "what is solved": ("problem.name", "config"),
    "by which network": ("network.name", "network.width", "network.blocks", "network.activation", "network.mask"),
    "how it is trained": ("optimizer", "steps", "points", "exact", "windows", "seed"),
    "where": ("devices", "precision", "name", "folder"),
    "going on": ("resume", "start_from"),
    "using the solution": ("ckpt_path", "predict_points", "predict_file", "export_file"),
}
"""Settings by group, under their long names."""
SHORT_NAMES = {
    "problem.name": "--problem",
    "network.name": "--network",
    "points": "--points",
    "start_from": "--from",
}
WHAT = {
    "problem.name": "a name of --list, or FILE.py:CLASS",
    "config": "YAML file with settings, or the name of a recipe; flags override it",
    "network.name": "a name of --list",
    "points": "number of collocation points",
    "predict_file": "file of a prediction: .npz, .csv, .parquet, or .vtu for ParaView",
    "export_file": "file of the solution as a program: .onnx or .pt2",
    "windows": "4: four windows in time, with a network each; 0.2 0.5: where they end; auto: by how hard each is",
    "network.width": "units of a hidden layer",
    "network.blocks": "number of blocks of two layers",
    "network.activation": "a name of --list",
    "network.mask": "true, false: multiply each activation by the learnable mask",
}
"""Texts in place of the ones of all flags, where these speak of the long form."""
COLUMN = 26


class Help(argparse.Action):
    """Prints the help, short or (with the word `all`) of every flag, and ends the process."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        if values not in (None, [], "all"):
            raise argparse.ArgumentError(self, f"expected all, or nothing; got {values!r}")
        print(parser.format_help() if values else short_help(parser), end="")
        parser.exit()


def short_help(parser: argparse.ArgumentParser) -> str:
    """The usage, the examples, the usual flags and the problem's coefficients."""
    known = {action.dest: action for action in parser._actions}
    lines = [parser.format_usage(), parser.description or ""]
    for title, settings in USUAL.items():
        lines.append(f"{title}:")
        lines += [_line(known[setting], setting) for setting in settings if setting in known]
        if title == "what is solved":
            lines += [_line(action, key) for key, action in known.items() if _is_coefficient(key)]
        lines.append("")
    every = f"All {sum(bool(a.option_strings) for a in parser._actions)} flags: {parser.prog} --help all"
    return "\n".join(lines) + f"\n{every}, also with --problem NAME or --network NAME.\n"


def _is_coefficient(key: str) -> bool:
    return key.startswith("problem.") and key != "problem.name"


def _line(action: argparse.Action, setting: str) -> str:
    """A flag and what it does, with its value now."""
    short = [flag for flag in action.option_strings if "." not in flag]
    flag = SHORT_NAMES.get(setting, (short or action.option_strings)[0])
    text = WHAT.get(setting, (action.help or "").replace("%%", "%"))
    if isinstance(action.default, str | int | float) and not isinstance(action.default, bool):
        text += f" (now {action.default})"
    wrapped = textwrap.wrap(text, 100 - COLUMN) or [""]
    first = f"  {flag:<{COLUMN - 4}}  {wrapped[0]}"
    return "\n".join([first, *(" " * COLUMN + line for line in wrapped[1:])])
