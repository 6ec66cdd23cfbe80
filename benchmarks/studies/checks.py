"""Checks of a study's file: each mistake is an error in one line, with its key, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mask_pinns.networks import NETWORKS
from mask_pinns.registry import check_options, lookup

TEXTS = ("title", "question", "budget", "config", "match")
"""Keys with text."""
REQUIRED = ("title", "question", "budget", "axes", "compare")
"""Keys that every study needs."""
MAX_NAME_LENGTH = 200
"""Largest length of a cell's name, which is the name of a folder."""


def check_content(content: Mapping[str, Any]) -> None:
    """Raises ValueError for the first key of a study's file that is missing, unknown, or of another type."""
    check_options(content, [*REQUIRED, "config", "settings", "where", "match"], "key")
    for key in REQUIRED:
        if key not in content:
            raise ValueError(f"there is no key {key!r}; a study needs {', '.join(REQUIRED)}")
    for key in TEXTS:
        if not isinstance(content.get(key, ""), str):
            raise ValueError(f"{key} is {content[key]!r}; expected text")
    axes = _mapping("axes", content["axes"])
    for axis, values in axes.items():
        check_axis(axis, values)
    _mapping("settings", content.get("settings", {}))
    _check_compare(_mapping("compare", content["compare"]), axes)
    for axis, by_value in _mapping("where", content.get("where", {})).items():
        _check_where(axis, by_value, axes)
    if content.get("match"):
        lookup(NETWORKS, content["match"], "network to match:")


def check_axis(axis: str, values: Any) -> list[Any]:
    """The values of an axis. Raises ValueError unless they are a list without repetition; seeds are whole numbers."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"axes.{axis} is {values!r}; expected a list of values, e.g. [{values or 0}]")
    if repeated := _first_repeated(map(str, values)):
        raise ValueError(f"axes.{axis} has {repeated} more than once; each value makes its own cells")
    if axis == "seed" and not all(type(value) is int and value >= 0 for value in values):
        raise ValueError(f"axes.seed is {values!r}; expected whole numbers from 0, e.g. [0, 1, 2]")
    return values


def _check_compare(compare: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]) -> None:
    check_options(compare, ("axis", "baseline"), "key of compare:")
    for key in ("axis", "baseline"):
        if key not in compare:
            raise ValueError(f"compare has no {key!r}; write e.g. {{axis: network.mask, baseline: false}}")
    values = lookup(axes, compare["axis"], "axis to compare:")
    _check_value("compare.baseline", compare["baseline"], compare["axis"], values)
    if len(values) == 1:
        raise ValueError(f"axes.{compare['axis']} has one value; to compare takes another one")


def _check_where(axis: str, by_value: Any, axes: Mapping[str, Sequence[Any]]) -> None:
    values = lookup(axes, axis, "axis of where:")
    if not isinstance(by_value, Mapping):
        raise ValueError(f"where.{axis} is {by_value!r}; expected values of that axis, each with settings")
    for value, settings in by_value.items():
        _check_value(f"where.{axis}", value, axis, values)
        _mapping(f"where.{axis}.{value}", settings)


def _check_value(key: str, value: Any, axis: str, values: Sequence[Any]) -> None:
    if str(value) not in map(str, values):
        raise ValueError(f"{key} has {value!r}, which is not on the axis {axis}: {', '.join(map(str, values))}")


def _mapping(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} is {value!r}; expected names and values")
    return value


def _first_repeated(names: Iterable[str]) -> str:
    """The first name that occurs more than once, "" if none does."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def fill_in(config: str, values: Mapping[str, Any]) -> str:
    """The path with a cell's values. Raises ValueError for a {word} that is not a column of the study."""
    try:
        return config.format(**values)
    except (LookupError, ValueError, AttributeError):
        raise ValueError(f"config {config!r} has a placeholder that is none of {', '.join(values)}") from None


def check_names(names: Sequence[str]) -> None:
    """Raises ValueError if two cells would share a folder, or a name is too long for one."""
    if repeated := _first_repeated(names):
        raise ValueError(f"two cells are called {repeated}; write values of the axes that differ in letters or digits")
    if len(longest := max(names, key=len)) > MAX_NAME_LENGTH:
        raise ValueError(
            f"cell {longest} has a name of {len(longest)} letters; shorten the values, to {MAX_NAME_LENGTH}"
        )
