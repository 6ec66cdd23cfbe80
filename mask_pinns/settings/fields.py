"""How a field of settings is described, and how settings become plain mappings and back.

@dataclass(frozen=True)
class Sampling:
    (its docstring has under "Args:" the line  sampler: latin_hypercube, sobol, uniform, grid)

    sampler: str = setting("latin_hypercube", may_change=True)
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar, get_type_hints

from docstring_parser import parse as parse_docstring

from mask_pinns.registry import check_options

S = TypeVar("S")
"""A class of settings."""


def setting(
    default: Any = MISSING,
    *,
    factory: Any = MISSING,
    kind: Any = None,
    many: bool = False,
    switch: bool = False,
    bound: Callable[[Any], Any] | None = None,
    may_change: bool = False,
    decides: bool = True,
    judged: bool = False,
) -> Any:
    """A field of settings.

    Args:
        default: the default value.
        factory: a function that makes the default, for values that could be changed in place.
        kind: the type that a parser checks; by default the field's annotation.
        many: the flag takes any number of values.
        switch: the flag takes no value; it sets the field to true.
        bound: the value belongs to the network in a checkpoint, and cannot change on resume. The function gives the
            form in which two values are compared.
        may_change: the value may change on resume; the run then prints the change.
        decides: the value influences the training, and is shown where runs are compared.
        judged: the loss at fresh points depends on the value, so that later ones cannot be compared with earlier ones.
    """
    metadata = {"kind": kind, "many": many, "switch": switch, "bound": bound, "may_change": may_change}
    return dataclasses.field(
        default=default, default_factory=factory, metadata=metadata | {"decides": decides, "judged": judged}
    )


@dataclass(frozen=True)
class Option:
    """One field of settings, for parsers and checks; the attributes are those of `setting`."""

    name: str
    kind: Any
    default: Any
    help: str
    many: bool
    switch: bool
    bound: Callable[[Any], Any] | None
    may_change: bool
    decides: bool
    judged: bool


def options(cls: type) -> Iterator[Option]:
    """The options of a class of settings, in their order, without fields that are settings themselves."""
    help_of = {p.arg_name: p.description for p in parse_docstring(inspect.getdoc(cls) or "").params}
    kinds = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(kinds[field.name]):
            continue
        given = dict(field.metadata)
        kind = given.pop("kind") or kinds[field.name]
        yield Option(field.name, kind, default_of(field), " ".join((help_of.get(field.name) or "").split()), **given)


def default_of(field: dataclasses.Field[Any]) -> Any:
    """A field's default, made anew if it has a factory."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def defaults(cls: type) -> dict[str, Any]:
    """The defaults of all fields of a class of settings by name."""
    return {field.name: default_of(field) for field in dataclasses.fields(cls)}


def names(cls: type) -> list[str]:
    """The names of all fields of a class of settings."""
    return [field.name for field in dataclasses.fields(cls)]


def pick(cls: type[S], values: Mapping[str, Any]) -> S:
    """Settings from a mapping that may contain other keys too."""
    return cls(**{name: values[name] for name in names(cls) if name in values})


def complete(what: str, given: Mapping[type, Any], values: Mapping[str, Any]) -> list[Any]:
    """Settings of several classes: the given objects (None: the defaults), with `values` in place of fields by name.

    Raises ValueError, which begins with "unknown" and `what`, for a name that is not a field of any class.
    """
    check_options(values, [name for cls in given for name in names(cls)], what)
    completed = []
    for cls, instance in given.items():
        changed = {name: values[name] for name in names(cls) if name in values}
        completed.append(dataclasses.replace(cls() if instance is None else instance, **changed))
    return completed


def to_mapping(settings: Any) -> dict[str, Any]:
    """Settings as plain values by name, with settings inside settings as mappings too."""
    return {
        name: to_mapping(value) if dataclasses.is_dataclass(value) else plain(value)
        for name, value in ((name, getattr(settings, name)) for name in names(type(settings)))
    }


NESTED = ("problem", "network", "embedding", "trainer")
"""Groups of settings whose flags are dotted: --network.width."""


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with dotted keys for nested groups, as in their flags."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if key in NESTED and isinstance(value, Mapping):
            flat |= {f"{key}.{k}": v for k, v in value.items()}
        else:
            flat[key] = value
    return flat


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """old with the values of new, mappings key by key; a problem or network of another name is replaced as a whole."""
    merged = dict(old)
    for key, value in new.items():
        before: Any = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        same = both and value.get("name", before.get("name")) == before.get("name")
        merged[key] = merge(before, value) if same else value
    return merged


def plain(x: Any) -> Any:
    """x with plain numbers, as YAML and checkpoints contain them (a parser returns e.g. a PositiveInt)."""
    if isinstance(x, Mapping):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [plain(value) for value in x]
    kind = next((k for k in (bool, int, float, str) if isinstance(x, k)), None)
    return x if kind is None else kind(x)


def as_names(given: Any) -> list[str]:
    """One name or several as a sorted list, a form that can be compared."""
    return sorted(map(str, given)) if isinstance(given, list | tuple) else [] if given is None else [str(given)]
