"""Imports point one way, and files keep their size."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(p for room in ("mask_pinns", "datamodules", "callbacks") for p in (ROOT / room).rglob("*.py"))

# What each room may import from this project; rooms are matched by the longest prefix.
MAY_IMPORT = {
    "mask_pinns.version": set(),
    "mask_pinns.registry": set(),
    "mask_pinns.numbers": set(),
    "mask_pinns.jet": set(),
    "mask_pinns.activations": {"mask_pinns.jet"},
    "mask_pinns.norms": {"mask_pinns.jet"},
    "mask_pinns.layers": {"mask_pinns.jet", "mask_pinns.activations", "mask_pinns.norms", "mask_pinns.registry"},
    "mask_pinns.networks": {
        "mask_pinns.networks", "mask_pinns.jet", "mask_pinns.layers", "mask_pinns.norms", "mask_pinns.registry",
        "mask_pinns.optim.memory",
    },
    "mask_pinns.functions": {"mask_pinns.jet", "mask_pinns.activations"},
    "mask_pinns.embeddings": {
        "mask_pinns.jet", "mask_pinns.activations", "mask_pinns.layers", "mask_pinns.problems", "mask_pinns.registry",
        "mask_pinns.optim.memory",
    },
    "mask_pinns.exact_conditions": {
        "mask_pinns.jet", "mask_pinns.activations", "mask_pinns.functions", "mask_pinns.problems",
    },
    "mask_pinns.ends": {
        "mask_pinns.jet", "mask_pinns.layers", "mask_pinns.networks", "mask_pinns.embeddings",
        "mask_pinns.exact_conditions", "mask_pinns.symmetry", "mask_pinns.problems", "mask_pinns.registry",
    },
    "mask_pinns.symmetry": {
        "mask_pinns.jet", "mask_pinns.activations", "mask_pinns.exact_conditions", "mask_pinns.problems",
        "mask_pinns.registry",
    },
    "mask_pinns.differentiation": {"mask_pinns.jet", "mask_pinns.networks"},
    "mask_pinns.problems": {"mask_pinns.problems", "mask_pinns.jet", "mask_pinns.numbers", "mask_pinns.registry"},
    "mask_pinns.optim": {"mask_pinns.optim", "mask_pinns.numbers", "mask_pinns.registry"},
    "mask_pinns.objective": {
        "mask_pinns.problems", "mask_pinns.jet", "mask_pinns.differentiation", "mask_pinns.registry",
        "mask_pinns.weighting", "mask_pinns.modes",
    },
    "mask_pinns.jacobian": {"mask_pinns.jet", "mask_pinns.objective", "mask_pinns.problems"},
    "mask_pinns.least_squares": {"mask_pinns.jacobian", "mask_pinns.objective", "mask_pinns.compilation"},
    "mask_pinns.metrics": set(),
    "mask_pinns.modes": set(),
    "mask_pinns.weighting": set(),
    "mask_pinns": {"mask_pinns"},
    "datamodules": {"mask_pinns", "datamodules"},
    "callbacks": {"mask_pinns", "datamodules", "callbacks"},
}  # fmt: skip
ROOMS = ("mask_pinns", "datamodules", "callbacks", "train")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name for name in found if name.split(".")[0] in ROOMS}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    name = module_name(path)
    rule = max((k for k in MAY_IMPORT if name == k or name.startswith(k + ".")), key=len)
    for target in imported(path):
        allowed = any(target == a or target.startswith(a + ".") for a in MAY_IMPORT[rule])
        assert allowed, f"{name} imports {target}"


def test_the_rule_can_fail(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("from callbacks import Progress\n")
    assert imported(tmp_path / "bad.py") == {"callbacks"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
