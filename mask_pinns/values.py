"""What a parser's types do not judge in settings: names as keys, lists, switches, numbers that can be computed with.

`tidy` looks at a configuration file's before the parser does, `check` at all of them after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mask_pinns.configuration import UsageError
from mask_pinns.numbers import is_finite, is_number

LARGEST = 3.4e38  # of float32
NOT_IN_FILES = ("config", "help", "print_config")


def tidy(base: Mapping[str, Any], lists: Iterable[str], switches: Iterable[str]) -> dict[str, Any]:
    """A file's settings: a word where a list is meant is a list of one, a bare `on` or `off` the word that it was.

    Raises UsageError for a key that is no name or not for files, a list or a switch that is none.
    """
    _check_keys(base)
    for key in set(NOT_IN_FILES) & set(base):
        raise UsageError(f"{key} stands in a configuration file; it belongs on the command line")
    found = dict(base)
    for key in set(lists) & set(base):
        found[key] = [base[key]] if isinstance(base[key], str) else base[key]
        if not isinstance(found[key], list):
            raise UsageError(f"{key} is {base[key]!r}; expected a list")
    for key in set(switches) & set(base):
        if not isinstance(base[key], bool):
            raise UsageError(f"{key} is {base[key]!r}; expected true or false")
    if isinstance(base.get("compile"), bool):  # what YAML takes on and off for
        found["compile"] = "on" if base["compile"] else "off"
    return found


def _check_keys(settings: Mapping[Any, Any], path: str = "") -> None:
    for key, value in settings.items():
        if not isinstance(key, str) or not key.strip():
            raise UsageError(f"{path or 'the configuration'} has the key {key!r}; expected names")
        if isinstance(value, Mapping):
            _check_keys(value, f"{path}.{key}".lstrip("."))


def check(settings: Mapping[str, Any]) -> None:
    """Raises UsageError for a key that is no name, and a number that is not finite, at any depth."""
    _check_keys(settings)
    _check_numbers(settings)


def _check_numbers(settings: Any, path: str = "") -> None:
    inner = settings.items() if isinstance(settings, Mapping) else enumerate(settings, 1)
    for key, value in inner:
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping | list):
            _check_numbers(value, name)
        elif is_number(value) and not (is_finite(value) and abs(value) < LARGEST):
            raise UsageError(f"{name} is {value!r}; expected a finite number below {LARGEST:g}")
