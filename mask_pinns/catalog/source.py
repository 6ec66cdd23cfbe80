"""Reads what stands in a source file as it is written: imports, tables, constants. No module is imported for it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mask_pinns.checkout import folder_of

OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg,
}  # fmt: skip


class NotWritten(Exception):
    """What was looked for is not written literally in the source."""


def file_of(module: str) -> Path:
    """The source file of a module of this package."""
    room, *inner = module.split(".")[1:]
    path = folder_of(f"mask_pinns.{room}").joinpath(*inner)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a source file. Raises NotWritten if there is none, as in an installation of compiled files."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotWritten(str(path)) from error


def imported_names(path: Path) -> dict[str, str]:
    """The names that a file imports from modules, each with its module."""
    imports = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom) and node.module)
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def table_in(path: Path, name: str) -> dict[str, ast.expr]:
    """The entries of the dictionary that a file assigns to a name."""
    for node in tree_of(path).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.Dict(keys=keys, values=values)) if target == name:
                return {constant(key): value for key, value in zip(keys, values, strict=True) if key}
    raise NotWritten(f"{name} in {path}")


def class_in(path: Path, name: str) -> ast.ClassDef:
    """The class of that name in a file."""
    for node in tree_of(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    raise NotWritten(f"{name} in {path}")


def constant(node: ast.expr) -> Any:
    """The value of a constant, or of a formula of numbers and pi. Raises NotWritten for anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="pi"):
            return math.pi
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](constant(left), constant(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -constant(operand)
    raise NotWritten(ast.unparse(node))
