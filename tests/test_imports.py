"""The house: imports point one way through the rooms, no two files import each other, files keep their size."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from helpers import ROOT

TOP = ("datamodules", "callbacks")
"""Folders at the top of a checkout that belong to the package."""
FILES = sorted(p for room in ("mask_pinns", *TOP) for p in (ROOT / room).rglob("*.py"))

# From the bottom up: a file may import from its own room and from those before it.
ROOMS = (
    "version", "process", "checkout", "registry", "catalog", "checks", "memory", "metrics", "settings", "jets",
    "domains", "problems", "networks", "windows", "objective", "optim", "checkpoints", "stepper", "module",
    "pictures", "export", "datamodules", "callbacks", "report", "tuning", "doctor", "cli", "solution", "recipe",
    "__main__",
)  # fmt: skip
# Rooms that know less than their place allows.
KNOWS_ONLY = {
    "checkout": set(),
    "catalog": {"checkout", "registry"},
    "metrics": set(),
    "jets": {"registry"},
    "domains": {"checks"},
    "problems": {"registry", "catalog", "checks", "metrics", "jets", "domains"},
    "optim": {"registry", "checks", "memory", "settings"},
    "pictures": {"domains", "problems", "checkpoints"},
}
# These read the house as a whole, or are read as one piece, and say why here.
LONGER: dict[str, str] = {}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return f"mask_pinns.{name}" if parts[0] in TOP else name


NAMES = {module_name(path) for path in FILES}


@cache
def imported(path: Path) -> frozenset[str]:
    """The modules of this project that a file imports, wherever in it; for `from room import file`, the file."""
    targets: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            files = members & NAMES
            targets |= files | ({node.module} if len(files) < len(members) else set())
    return frozenset(name for name in targets if name.split(".")[0] in ("mask_pinns", "train", *TOP))


def room(name: str) -> str:
    """The room of a module; "" for the package's own page of public names."""
    return name.removeprefix("mask_pinns").lstrip(".").partition(".")[0]


@pytest.mark.parametrize("path", [path for path in FILES if room(module_name(path))], ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    own = room(module_name(path))
    below = KNOWS_ONLY.get(own, set(ROOMS[: ROOMS.index(own)]))
    for target in imported(path):
        assert room(target) in {own, *below}, f"{module_name(path)} imports {target}"


def test_no_two_files_import_each_other() -> None:
    graph = {module_name(path): imported(path) for path in FILES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_rules_can_fail(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("from mask_pinns import callbacks\nfrom mask_pinns.jets import jet, Jet\n")
    assert imported(tmp_path / "bad.py") == {"mask_pinns.callbacks", "mask_pinns.jets", "mask_pinns.jets.jet"}
    assert room("mask_pinns.jets.jet") == "jets" and room("mask_pinns") == ""


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_files_functions_and_folders_keep_their_size() -> None:
    code = [*FILES, *(p for room in ("tests", "benchmarks") for p in (ROOT / room).rglob("*.py"))]
    long = []
    for path in code:
        name, text = str(path.relative_to(ROOT)), path.read_text()
        if text.count("\n") > 300:
            long.append(name)
        functions = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        long += [f"{name}:{n.name}" for n in functions if (n.end_lineno or 0) - n.lineno >= 40]
    assert set(long) == set(LONGER)
    assert max(Counter(path.parent for path in code).values()) <= 12
