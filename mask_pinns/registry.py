"""Plain dict registries: a lookup returns an entry, or an error with the known names and the closest one.

A spec is a name, or a mapping with `name` and options beside it: "wave", {"name": "wave", "c": 2.0}.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def unknown(name: object, known: Iterable[str], what: str) -> ValueError:
    """The error for a name that is not among the known ones: "unknown problem 'wav'; did you mean 'wave'? ..."."""
    return ValueError(f"unknown {what} {name!r}; {suggestion(name, known)}")


def suggestion(name: object, known: Iterable[str]) -> str:
    """What to write in place of an unknown name: "did you mean 'wave'? known: wave, convection"."""
    known = list(known)
    close = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known) if known else 'none'}"


def lookup(table: Mapping[str, T], name: str, what: str) -> T:
    """table[name]. Raises ValueError with the known names and the closest one."""
    if not isinstance(name, str) or name not in table:
        raise unknown(name, table, what)
    return table[name]


def split_spec(spec: str | Mapping[str, Any], what: str) -> tuple[str, dict[str, Any]]:
    """A spec's name and its options. Raises ValueError for a mapping without a name."""
    if isinstance(spec, str):
        return spec, {}
    options = dict(spec)
    if not isinstance(options.get("name"), str):
        raise ValueError(f"{what} {dict(spec)!r} has no name; write e.g. {{name: ..., option: value}}")
    return options.pop("name"), options


def check_options(options: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raises ValueError for an option that is not among the known ones."""
    known = list(known)
    for name in options:
        if name not in known:
            raise unknown(name, known, what)
