"""Makes reference/flags.md from the parser: every flag of `python train.py`, by group, with its default."""

from __future__ import annotations

import html
from typing import Any

from mkdocs.structure.files import File, Files

from mask_pinns.cli.configuration import gather
from mask_pinns.cli.parser import build_parser

INTRODUCTION = """# Every flag

Made from the parser, with the problem `wave` and the network `masked`; defaults are those before any
recipe (`configs/NAME.yaml`) is applied. The same in a terminal, with a problem's coefficients and a network's options:

```bash
python train.py --help all
python train.py --problem helmholtz --network siren --help all
```

A problem of your own starts from `configs/default.yaml`: Gauss-Newton on 2,500 points in float64, the masked network
with width 20, blocks 2, activation sin, first_scale 2 and first_bias 3.1416, everything dimensionless, conditions exact
where they can be.

Flags are written alike in YAML files: `--points.pde 500` is `points: {pde: 500}`.
"""


def on_files(files: Files, config: Any) -> Files:
    files.append(File.generated(config, "reference/flags.md", content=page()))
    return files


def page() -> str:
    """The page in Markdown."""
    base, _ = gather([])
    parser = build_parser(base["problem"]["name"], base["network"]["name"])
    text = [INTRODUCTION]
    for group in parser._action_groups:
        rows = [_row(action) for action in group._group_actions if action.option_strings]
        if rows:
            text += [f"## {(group.title or '').capitalize()}\n", f"{_words(group.description)}\n"]
            text += ["| flag | default | what it does |", "|---|---|---|", *rows, ""]
    return "\n".join(text)


def _row(action: Any) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(action.option_strings, key=len))
    shown = action.default not in (None, "==SUPPRESS==", [], "") and action.nargs != 0
    return f"| {names} | {f'`{_written(action.default)}`' if shown else ''} | {_words(action.help)} |"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _words(text: str | None) -> str:
    return html.escape(" ".join((text or "").replace("%%", "%").replace("%(default)s", "").split())).replace("|", "\\|")
