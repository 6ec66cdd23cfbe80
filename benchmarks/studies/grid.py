"""A study: a declared grid of runs, one YAML file each in grids/, read into cells.

    title, question, budget     sentences for people; `budget` names what was reduced against the published settings
    config                      file that every cell starts from, e.g. configs/paper/{problem}.yaml
    axes                        settings of train.py, dotted, with their values: network.mask: [false, true]
    compare                     {axis: network.mask, baseline: false}: the comparison, pair by pair
    settings                    further settings for every cell
    where                       settings for the cells in which an axis has a value: {problem: {helmholtz: {...}}}
    match                       a network: the width of the others is selected for the same number of parameters

A cell is one value from every axis; its configuration is what `python train.py --config` takes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from mask_pinns.cli.configuration import load_yaml
from mask_pinns.networks import matched_width, network_options
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems.loading import make_problem
from mask_pinns.settings import Constraints, merge
from studies.checks import check_axis, check_content, check_names, fill_in

ROOT = Path(__file__).parents[2]
STUDIES = {path.stem: path for path in sorted(Path(__file__).parent.glob("grids/*.yaml"))}
RESERVED_COLUMNS = ("state", "reason", "rel_l2", "drift", "dtype", "device", "torch", "commit", "wall_s", "stop_reason",
                    "value", "pairs", "error", "base", "baseline", "spread", "log_ratio", "better",
                    "worse")  # fmt: skip
"""Names of other columns in the tables: the column of an axis that ends in one of these words has its whole name."""


@dataclass(frozen=True)
class Cell:
    """One run: its values on the axes, and its complete configuration."""

    values: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`problem=wave,mask=true,seed=0`: the name of its folder."""
        parts = (f"{key}={str(value).lower()}" for key, value in self.values.items())
        return re.sub(r"[^\w.=,+-]+", "_", ",".join(parts))

    @property
    def kind(self) -> Cell:
        """The cell without its seed, which is the same for all cells of a setting."""
        return Cell(*({k: v for k, v in part.items() if k != "seed"} for part in (self.values, self.config)))


@dataclass(frozen=True)
class Study:
    """A declared grid; see the top of this file. Values on an axis must differ as text."""

    name: str
    title: str
    question: str
    budget: str
    axes: dict[str, list[Any]]
    compare: dict[str, Any]
    config: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    where: dict[str, dict[Any, dict[str, Any]]] = field(default_factory=dict)
    match: str = ""

    @classmethod
    def read(cls, path: Path) -> Study:
        """The study in a YAML file. Raises ValueError for a mistake in it, in one line with the file's name."""
        content = load_yaml(path)
        try:
            check_content(content)
            study = cls(path.stem, **content)
            check_names([cell.name for cell in study.cells()])
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
        return study

    @cached_property
    def columns(self) -> dict[str, str]:
        """The axes by short names, their last words: network.mask is `mask`; problem.name and problem are `problem`.

        Axes with the same short name, or one of RESERVED_COLUMNS, have their whole names.
        """
        short = {axis: axis.removesuffix(".name").rpartition(".")[2] for axis in self.axes}
        counts = Counter([*short.values(), *RESERVED_COLUMNS])
        return {axis: name if counts[name] == 1 else axis for axis, name in short.items()}

    @property
    def compared(self) -> str:
        return self.columns[self.compare["axis"]]

    def cells(self, seeds: Iterable[int] | None = None) -> list[Cell]:
        """All cells, problem by problem as the axes are written; `seeds` in place of those declared.

        Raises ValueError for seeds if there is no such axis, and for values that do not fit together.
        """
        axes = self.axes
        if seeds is not None:
            if "seed" not in axes:
                raise ValueError(f"study {self.name!r} has no axis `seed`; leave --seeds out, or write seed: [0, 1, 2]")
            axes = axes | {"seed": check_axis("seed", list(seeds))}
        return [self._cell(dict(zip(axes, values, strict=True))) for values in product(*axes.values())]

    def _cell(self, selection: dict[str, Any]) -> Cell:
        values = {self.columns[axis]: value for axis, value in selection.items()}
        config: dict[str, Any] = load_yaml(ROOT / fill_in(self.config, values)) if self.config else {}
        layers = [_nested(axis, value) for axis, value in selection.items()]
        layers += [_undotted(self.settings)]
        layers += [_undotted(changes) for axis in self.where for value, changes in self.where[axis].items()
                   if str(value) == str(selection[axis])]  # fmt: skip
        layers += [_nested(axis, value) for axis, value in selection.items()]  # over the settings, too
        for layer in layers:
            config = merge(config, layer)
        return Cell(values, self._matched(config) if self.match else config)

    def _matched(self, config: dict[str, Any]) -> dict[str, Any]:
        """The configuration with the width at which its network has as many parameters as the network to match."""
        complete = merge({"problem": {"name": "wave"}, "network": {"name": "masked"}}, config)
        problem, spec, known = make_problem(complete["problem"]), dict(complete["network"]), network_options(self.match)
        shape = {key: spec[key] for key in ("width", "blocks", "input_layer") if key in spec and key in known}
        constraints = Constraints(embedding=complete.get("embedding", {}))
        network = assemble({"name": self.match, **shape}, problem, constraints)
        core, embedding = getattr(network, "core", network), getattr(network, "embedding", None)
        inputs = len(problem.domain) if embedding is None else embedding[-1].width
        target = sum(p.numel() for p in core.parameters())
        return config | {"network": spec | {"width": matched_width(spec, target, inputs, len(problem.fields))}}


def _nested(axis: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for "a.b"; the value of a problem or network alone is its name."""
    first, _, rest = axis.partition(".")
    if not rest and first in ("problem", "network"):
        rest = "name"
    return {first: _nested(rest, value) if rest else value}


def _undotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with nested mappings in place of dotted keys."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        nested = merge(nested, _nested(key, value) if "." in key or isinstance(value, str) else {key: value})
    return nested
