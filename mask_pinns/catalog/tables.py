"""The tables of what a user can name, and what an entry declares: a docstring, and parameters with their defaults.

A table that is imported is asked itself, with the entries that a user has added. Else its source is read.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mask_pinns.catalog.source import NotWritten, class_in, constant, file_of, imported_names, table_in
from mask_pinns.registry import unknown

KINDS = {kind.__name__: kind for kind in (bool, int, float, str)}


@dataclass(frozen=True)
class Parameter:
    """A parameter that a flag sets: its type, and its default."""

    kind: Any
    default: Any


@dataclass(frozen=True)
class Declaration:
    """What a class declares, for the flags of a problem or network."""

    doc: str
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class Table:
    """A dictionary `name` in a module of this package; `what` says in messages what its entries are."""

    module: str
    name: str
    what: str

    @property
    def imported(self) -> bool:
        return self.module in sys.modules

    def names(self) -> list[str]:
        """The names of the entries."""
        if self.imported:
            return list(getattr(sys.modules[self.module], self.name))
        return list(table_in(file_of(self.module), self.name))

    def require(self, name: object) -> None:
        """Raises ValueError, with the known names and the closest one, for a name that the table does not have."""
        if name not in self.names():
            raise unknown(name, self.names(), self.what)


PROBLEMS = Table("mask_pinns.problems.library", "PROBLEMS", "problem")
NETWORKS = Table("mask_pinns.networks", "NETWORKS", "network")
ACTIVATIONS = Table("mask_pinns.jets.activations", "ACTIVATIONS", "activation")
ENGINES = Table("mask_pinns.jets.engines", "ENGINES", "derivatives engine")
OPTIMIZERS = Table("mask_pinns.optim.optimizers", "OPTIMIZERS", "optimizer")
SAMPLERS = Table("mask_pinns.datamodules.samplers", "SAMPLERS", "sampler")


def problem_in_source(name: str) -> Declaration:
    """The problem called `name`, with its coefficients. Raises NotWritten if its source does not show them."""
    file, class_name, _ = _class_of(PROBLEMS, name)
    return Declaration(ast.get_docstring(class_in(file, class_name)) or "", _coefficients(file, class_name))


def network_in_source(name: str) -> Declaration:
    """The network called `name`, with its options. Raises NotWritten if its source does not show them."""
    file, class_name, fixed = _class_of(NETWORKS, name)
    cls = class_in(file, class_name)
    init = next((n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if init is None or init.args.kwarg or init.args.vararg or init.args.kwonlyargs:
        raise NotWritten(f"the parameters of {cls.name}")
    arguments = init.args.args[len(init.args.args) - len(init.args.defaults) :]
    parameters = {
        argument.arg: Parameter(_kind(argument.annotation), fixed.get(argument.arg, constant(default)))
        for argument, default in zip(arguments, init.args.defaults, strict=True)
    }
    return Declaration(ast.get_docstring(cls) or "", parameters)


def _class_of(table: Table, name: str) -> tuple[Path, str, dict[str, Any]]:
    """The file and class of an entry, which is a class or partial(class, ...), and the values that the partial sets."""
    file = file_of(table.module)
    entry, fixed = table_in(file, table.name)[name], {}
    if isinstance(entry, ast.Call) and ast.unparse(entry.func) == "partial" and len(entry.args) == 1:
        fixed = {str(keyword.arg): constant(keyword.value) for keyword in entry.keywords}
        entry = entry.args[0]
    return _home(file, entry), ast.unparse(entry), fixed


def _home(file: Path, name: ast.expr) -> Path:
    """The file from which a file imports a name."""
    module = imported_names(file).get(ast.unparse(name), "")
    if not module.startswith("mask_pinns."):
        raise NotWritten(f"where {ast.unparse(name)} in {file} comes from")
    return file_of(module)


def _coefficients(file: Path, class_name: str) -> dict[str, Parameter]:
    """The coefficients of a problem's class: those of its parent classes, with its own."""
    if class_name == "Problem":
        return {}
    cls = class_in(file, class_name)
    inherited: dict[str, Parameter] = {}
    for base in cls.bases:
        inherited |= _coefficients(_home(file, base), ast.unparse(base))
    for node in cls.body:
        if isinstance(node, ast.Assign) and inherited.keys() & {ast.unparse(target) for target in node.targets}:
            raise NotWritten(f"the type of {ast.unparse(node)}")
    annotated = [n for n in cls.body if isinstance(n, ast.AnnAssign) and not _is_class_variable(n.annotation)]
    return inherited | dict(map(_coefficient, annotated))


def _coefficient(node: ast.AnnAssign) -> tuple[str, Parameter]:
    """A coefficient `name: kind = default` of a problem; a float may be written as 1."""
    if node.value is None:
        raise NotWritten(ast.unparse(node))
    kind, default = _kind(node.annotation), constant(node.value)
    return ast.unparse(node.target), Parameter(kind, float(default) if kind is float else default)


def _kind(annotation: ast.expr | None) -> type:
    """The type that an annotation names."""
    name = "" if annotation is None else ast.unparse(annotation)
    if name not in KINDS:
        raise NotWritten(f"the type {name!r}")
    return KINDS[name]


def _is_class_variable(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith("ClassVar")
