"""How values are written, in files and in flags: one rule, under which nothing becomes another value silently.

It is the JSON-like core of YAML 1.2. Decimal numbers without leading zeros (10, -0.5, 1e-3) are numbers, true and false
are booleans, null, ~ and nothing are None, and everything else is text. YAML 1.1, which most libraries read, makes 8 of
010, 90 of 1:30, a date of 2026-01-01, a boolean of no, and text of 1e-3.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import IO, Any, Union, get_args, get_origin

import yaml

_WHOLE = "(?:0|[1-9][0-9]{0,399})"
"""Digits of a whole number; Python refuses to convert several thousands of them."""
_FORMS = {
    "null": ("|~|null|Null|NULL", "~nN"),
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (f"[-+]?{_WHOLE}", "-+0123456789"),
    "float": (rf"[-+]?(?:{_WHOLE}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    "merge": ("<<", "<"),
}
"""{kind: (form, first characters)} of what is not text; a whole number is found before a float."""
_NOT_TEXT = (int, float)


class _Loader(yaml.SafeLoader):
    """Loads plain values by the forms above. Raises yaml.YAMLError for a key that occurs twice in a mapping."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (the attribute in which PyYAML expects them)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1 and key != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Puts quotes around text that these forms, or those of YAML 1.1, would not read as text."""


for _kind, (_form, _first) in _FORMS.items():
    for _class in (_Loader, _Dumper):
        _letters = [*_first, ""] if _kind == "null" else list(_first)
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_form})$"), _letters)


MOST_CHARACTERS, MOST_VALUES, MOST_LEVELS = 1_000_000, 100_000, 30
"""Limits of a text of values, of the values in it where aliases (*name) are written out, and of their nesting."""


def _expanded_size(node: Any, known: dict[int, int], levels: int) -> int:
    """The number of values of a node with its aliases written out. Raises ValueError beyond the limits."""
    if id(node) in known:
        if known[id(node)] < 0:
            raise ValueError("a value contains itself")
        return known[id(node)]
    if levels < 0:
        raise ValueError(f"values are nested more than {MOST_LEVELS} deep")
    known[id(node)] = -1  # until its size is known
    inner = node.value if isinstance(node, yaml.CollectionNode) else []
    parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
    size = 1 + sum(_expanded_size(part, known, levels - 1) for part in parts)
    if size > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values, aliases (*name) written out")
    known[id(node)] = size
    return size


def parse_values(text: str) -> Any:
    """Parses a text of YAML. Raises yaml.YAMLError if it is not YAML, or if a key occurs twice."""
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"{len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            _expanded_size(node, {}, MOST_LEVELS)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise yaml.YAMLError(f"values are nested more than {MOST_LEVELS} deep") from None
    except (ValueError, TypeError, AttributeError) as error:  # of a tag that does not fit its value
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from None


def write_values(content: Any, file: IO[str] | None = None, sort_keys: bool = False) -> Any:
    """Writes values as a text of YAML, which `parse_values` reads as the same values; without a file, returns it."""
    return yaml.dump(content, file, _Dumper, sort_keys=sort_keys)


def check_written(value: Any, kind: Any, name: str) -> None:
    """Raises ValueError for text where a number or a switch is expected, at any depth.

    A parser of flags would read some of it as a number by its own rules.

    Args:
        value: what was read by `parse_values`.
        kind: the type of the setting.
        name: its name, for the message.
    """
    kinds = [k for k in _members(kind) if k is not type(None)]
    if isinstance(value, Mapping | list):
        inner = value.items() if isinstance(value, Mapping) else enumerate(value, 1)
        of_inner = [get_args(k)[-1] for k in kinds if get_origin(k) in (dict, list)]
        for key, part in inner:
            for each in of_inner:
                check_written(part, each, f"{name}.{key}")
    elif isinstance(value, str):
        kinds = [get_args(k)[-1] for k in kinds] if len(kinds) == 1 and get_origin(kinds[0]) is dict else kinds
        numbers = [k for k in kinds if isinstance(k, type) and issubclass(k, _NOT_TEXT)]
        if numbers and _misspelt(value, other_text=len(numbers) < len(kinds)):
            switch = numbers == [bool]
            what = "true or false" if switch else "a number in decimal digits, without leading zeros: 10, 0.5, 1e-3"
            raise ValueError(f"{name}: {value!r} is no {'switch' if switch else 'number'}; expected {what}")


def _members(kind: Any) -> tuple[Any, ...]:
    """The types of which a value may have one."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _misspelt(text: str, other_text: bool) -> bool:
    """Whether a text does not stand for a number or a switch; beside other text, whether another rule takes it for one.

    Numbers in quotes are numbers.
    """
    try:
        if not isinstance(parse_values(text), str):
            return False
    except yaml.YAMLError:
        return not other_text
    return not other_text or _number_elsewhere(text)


def _number_elsewhere(text: str) -> bool:
    """Whether YAML 1.1 or Python takes a text for a number, a boolean or a date."""
    try:
        float(text)
    except ValueError:
        return yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str"
    return True
