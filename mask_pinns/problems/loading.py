"""Makes a problem from a spec: "wave", {"name": "wave", "c": 2.0}, "my_problem.py:MyProblem", or a Problem itself.

A problem file is Python code and is run: load only files that you trust. It may import modules that lie beside it.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mask_pinns.catalog.problem_files import MODULE_PREFIX
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
        raise ValueError(f"problem file {path} does not exist; if it was moved: --problem FOLDER/{path.name}:CLASS")
    classes = {n: c for n, c in vars(_module(path)).items() if _is_problem(c) and c.__module__ == _module_name(path)}
    if not class_name and len(classes) == 1:
        return next(iter(classes.values()))
    if not class_name:
        raise ValueError(f"{path} has {len(classes)} problems; say which one: {path}:CLASS ({', '.join(classes)})")
    return lookup(classes, class_name, f"problem in {path}:")


def _is_problem(x: object) -> bool:
    return inspect.isclass(x) and issubclass(x, Problem)


def _module_name(path: Path) -> str:
    return f"{MODULE_PREFIX}{path.resolve().stem}_{abs(hash(path.resolve()))}"


def _module(path: Path) -> Any:
    name = _module_name(path)
    if name not in sys.modules:
        _make_neighbours_importable(path.absolute())
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


def _make_neighbours_importable(path: Path) -> None:
    """Puts the folder of a file in front of the import path if the file imports a module that lies beside it.

    Raises ValueError if another module of that name has been imported already: it would be taken in silence.
    """
    folder, seen, waiting = path.parent, {"mask_pinns"}, [path]
    while waiting:
        for name in _imported(waiting.pop()) - seen:
            seen.add(name)
            files = [f for f in (folder / f"{name}.py", *(folder / name).glob("*.py")) if f.is_file()]
            if not files:
                continue
            beside = {f.resolve() for f in (*files, folder / name)}
            if name in sys.modules and _home(sys.modules[name]) not in beside:
                raise ValueError(
                    f"problem file {path} imports {name}, which lies beside it, but another module {name} is imported "
                    "already and would be taken; rename yours"
                )
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            waiting += files


def _home(module: Any) -> Path:
    """The file or folder that a module was imported from; the root for one that is built into Python."""
    return Path(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", "/")))).resolve()


def _imported(file: Path) -> set[str]:
    """The first words of the modules that a file imports; none for a file that is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    except (SyntaxError, ValueError, OSError):
        return set()  # running it tells what is wrong
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names} - {""}


def describe(problem: Problem) -> dict[str, Any] | None:
    """The spec from which this problem can be made again, in plain values; None for a class that no spec names.

    Of a time window, it is the spec of the whole problem.
    """
    problem = problem.whole or problem
    for name, cls in PROBLEMS.items():
        if type(problem) is cls:
            return {"name": name} | problem.coefficients()
    if type(problem).__module__.startswith(MODULE_PREFIX):
        path = Path(inspect.getfile(type(problem))).resolve()
        return {"name": f"{path}:{type(problem).__name__}"} | problem.coefficients()
    return None
