"""The settings that a checkpoint fixes (problem, network and constraints, derivatives), and those that may change.

The fields of settings declare this: one that is `bound` belongs to the network in a checkpoint, one that `may_change`
may have another value on resume. Optimizers may not change: see `Schedule.load_state_dict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mask_pinns.networks import NETWORKS, network_options
from mask_pinns.registry import split_spec
from mask_pinns.settings import Constraints, Embedding, LossSettings, flatten, options, plain


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, str]:
    """The bound settings in which two modules' hyperparameters differ: {key: "a there, b here"}.

    Only keys of the first are compared, so that checkpoints that are older than an option stay valid. A problem or
    network that is a Python object has no name, and is not compared.
    """
    old, new = _bound(there), _bound(here)
    known = {key.partition(".")[0] for key in new}
    differ = [key for key in old if key.partition(".")[0] in known and not _same_value(old[key], new.get(key))]
    others = [key.partition(".")[0] + "." for key in differ if key.endswith(".name")]  # their options differ too
    differ = [key for key in differ if key.endswith(".name") or not key.startswith(tuple(others))]
    return {key: f"{old[key]} there, {new.get(key)} here" for key in differ}


def differing(
    before: Mapping[str, Any], now: Mapping[str, Any], settings: Iterable[type], judged: bool = False
) -> list[str]:
    """The names of settings that may change and differ.

    Args:
        before, now: values by the names of the fields.
        settings: the classes whose fields are compared.
        judged: compare only those on which the loss at fresh points depends.
    """
    compared = [o.name for cls in settings for o in options(cls) if (o.judged if judged else o.may_change)]
    return [name for name in compared if name in before and not _same_value(before[name], now.get(name))]


def changes(before: Mapping[str, Any], now: Mapping[str, Any], settings: Iterable[type], prefix: str = "") -> str:
    """The settings that differ, in words: "seed 0 -> 9, causal 0.0 -> 1.0"; empty if none does. See `differing`."""
    names = differing(before, now, settings)
    return ", ".join(f"{prefix}{name} {plain(before[name])} -> {plain(now.get(name))}" for name in names)


def _bound(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The bound settings with dotted keys and defaults. A problem's file may have moved: only its name is compared."""
    bound: dict[str, Any] = {}
    if settings.get("problem") is not None:
        name, coefficients = split_spec(settings["problem"], "problem")
        bound["problem"] = {"name": Path(name).name} | coefficients
    if settings.get("network") is not None:
        name, given = split_spec(settings["network"], "network")
        bound["network"] = {"name": name} | _network_defaults(name) | given
    if "embedding" in settings:
        given = dict(settings["embedding"] or {})
        embedding = {option.name: option.default for option in options(Embedding)} | given
        bound["embedding"] = embedding | _comparable(Embedding, embedding)
    for cls in (Constraints, LossSettings):
        bound |= _comparable(cls, settings)
    return flatten(plain(bound))


def _comparable(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The bound fields of some settings that have a value, in the form in which they are compared."""
    return {o.name: o.bound(values[o.name]) for o in options(cls) if o.bound is not None and o.name in values}


def _network_defaults(name: str) -> dict[str, Any]:
    parameters = network_options(name) if name in NETWORKS else {}
    return {key: p.default for key, p in parameters.items() if p.default is not p.empty}


def _same_value(a: Any, b: Any) -> bool:
    """Whether two values are equal; lists equal tuples, 1 equals 1.0, and "64" equals 64."""
    return plain(a) == plain(b) or str(plain(a)) == str(plain(b))


def change_of_devices(before: int | None, now: int) -> str:
    """What changes if a run goes on with another number of devices; "" if it does not."""
    if before in (None, now):
        return ""
    return (
        f"trained on {before} device(s) so far, on {now} from here: each draws points of its own, so the run goes on "
        f"from the same weights, but not with the same points as on {before}"
    )
