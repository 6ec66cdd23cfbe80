"""Makes a problem from a spec: "wave", {"name": "wave", "c": 2.0}, "my_problem.py:MyProblem", or a Problem itself.

A problem file is Python code and is run: load only files that you trust.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mask_pinns.problems.failures import in_words
from mask_pinns.problems.library import PROBLEMS
from mask_pinns.problems.problem import Problem
from mask_pinns.registry import check_options, lookup, split_spec

Spec = str | Mapping[str, Any]


def make_problem(spec: Spec | Problem) -> Problem:
    """The problem that a spec describes. Raises ValueError for an unknown name, file, class or coefficient."""
    if isinstance(spec, Problem):
        return spec
    name, coefficients = split_spec(spec, "problem")
    cls = problem_class(name)
    check_options(coefficients, cls.coefficient_fields(), f"coefficient of problem {name!r}:")
    return cls(**coefficients)


def problem_class(name: str) -> type[Problem]:
    """The class called `name` in PROBLEMS, or the one in "FILE.py:CLASS"."""
    if ".py" not in name:
        return lookup(PROBLEMS, name, "problem")
    path, _, class_name = name.rpartition(".py")
    return _from_file(Path(path + ".py"), class_name.removeprefix(":"))


def _from_file(path: Path, class_name: str) -> type[Problem]:
    if not path.is_file():
        raise ValueError(f"problem file {path} does not exist")
    classes = {n: c for n, c in vars(_module(path)).items() if _is_problem(c) and c.__module__ == _module_name(path)}
    if not class_name and len(classes) == 1:
        return next(iter(classes.values()))
    if not class_name:
        raise ValueError(f"{path} has {len(classes)} problems; say which one: {path}:CLASS ({', '.join(classes)})")
    return lookup(classes, class_name, f"problem in {path}:")


def _is_problem(x: object) -> bool:
    return inspect.isclass(x) and issubclass(x, Problem)


def _module_name(path: Path) -> str:
    return f"mask_pinns_user_{path.resolve().stem}_{abs(hash(path.resolve()))}"


def _module(path: Path) -> Any:
    name = _module_name(path)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, Exception | SystemExit):
                raise ValueError(f"problem file {path} fails: {in_words(error)}") from error
            raise
    return sys.modules[name]


def describe(problem: Problem) -> dict[str, Any] | None:
    """The spec from which this problem can be made again, in plain values; None for a class that no spec names."""
    for name, cls in PROBLEMS.items():
        if type(problem) is cls:
            return {"name": name} | problem.coefficients()
    if type(problem).__module__.startswith("mask_pinns_user_"):
        path = Path(inspect.getfile(type(problem))).resolve()
        return {"name": f"{path}:{type(problem).__name__}"} | problem.coefficients()
    return None
