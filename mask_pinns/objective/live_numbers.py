"""`LiveNumbers`: the numbers that a user's function reads outside its arguments, and whether they have changed.

A coefficient may be a global variable, a variable around the function, or an attribute, and a callback may change it
during training. Derivatives travel as one stream with the numbers of the start (`operators.py`), so a change must be
noticed. The function's code names all that it can read: numbers, and functions that read others. Where it reads
something whose content cannot be compared (an object, a tensor), it is not `known` what it reads.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

LIBRARIES = ("torch", "math", "cmath", "numpy", "mask_pinns", "builtins")
"""Packages whose functions and constants do not change."""
MOST_ENTRIES = 100
"""Largest number of entries of a container that is compared at every step."""


class _Unknown(Exception):
    """A function reads something that cannot be compared."""


class LiveNumbers:
    """The numbers that a function reads.

    Args:
        function: a function or a method.

    `known` is False if it reads something else, too.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._readers: list[Callable[[], Any]] = []
        try:
            self._follow(function, set())
            self.known = True
        except _Unknown:
            self.known = False
        self._values = self._read()

    def changed(self) -> bool:
        """Whether one of the numbers is another one than at first."""
        return self._read() != self._values

    def _read(self) -> list[Any]:
        return [_copied(reader()) for reader in self._readers]

    def _follow(self, function: Any, seen: set[int]) -> None:
        """Adds what a function reads, and what the functions read that it calls."""
        owner = function.__self__ if isinstance(function, MethodType) else None
        plain = function.__func__ if isinstance(function, MethodType) else function
        if not isinstance(plain, FunctionType):
            raise _Unknown
        if id(plain) in seen:
            return
        seen.add(id(plain))
        for name in set(_globals(plain.__code__)) & plain.__globals__.keys():
            self._add(functools.partial(plain.__globals__.__getitem__, name), seen)
        for cell in plain.__closure__ or ():
            self._add(functools.partial(getattr, cell, "cell_contents"), seen)
        for default in (*(plain.__defaults__ or ()), *(plain.__kwdefaults__ or {}).values()):
            self._add(functools.partial(_itself, default), seen)
        for name in {name for code in _codes(plain.__code__) for name in code.co_names} if owner is not None else ():
            declared = getattr(type(owner), name, None)
            if isinstance(declared, property) and declared.fget:
                self._follow(MethodType(declared.fget, owner), seen)
            elif hasattr(owner, name):
                self._add(functools.partial(getattr, owner, name), seen)

    def _add(self, read: Callable[[], Any], seen: set[int]) -> None:
        value = read()
        if _never_changes(value):
            return
        if isinstance(value, FunctionType | MethodType):
            if isinstance(value, FunctionType) and vars(value):
                raise _Unknown  # attributes of a function may be read anywhere
            self._follow(value, seen)
        elif not _is_plain(value):
            raise _Unknown
        self._readers.append(read)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code, and those of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _globals(code: CodeType) -> Iterator[str]:
    """The names of globals that a code reads, without attributes of the same names: p.x is no global x.

    Raises _Unknown for a module of the user's that is imported inside.
    """
    for instruction in (instruction for part in _codes(code) for instruction in dis.get_instructions(part)):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
        if instruction.opname == "IMPORT_NAME" and instruction.argval.partition(".")[0] not in LIBRARIES:
            raise _Unknown


def _copied(value: Any) -> Any:
    """A copy of a value with the containers in it, to compare with later."""
    if isinstance(value, Mapping):
        return {key: _copied(entry) for key, entry in value.items()}
    return [_copied(entry) for entry in value] if isinstance(value, list | tuple) else value


def _itself(value: Any) -> Any:
    return value


def _never_changes(value: Any) -> bool:
    """Whether a value is a library, or a function of one."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] in LIBRARIES
    home = getattr(value, "__module__", None) or getattr(getattr(value, "__self__", None), "__module__", None) or ""
    code = isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc)  # not an object that has a state
    return code and home.partition(".")[0] in LIBRARIES


def _is_plain(value: Any, depth: int = 3) -> bool:
    """Whether a value is a number or a text, or a small container of them."""
    if value is None or isinstance(value, bool | int | float | complex | str):
        return True
    inner = list(value.values()) if isinstance(value, Mapping) else value
    small = isinstance(inner, list | tuple) and len(inner) <= MOST_ENTRIES and depth > 0
    return small and all(_is_plain(entry, depth - 1) for entry in inner)
