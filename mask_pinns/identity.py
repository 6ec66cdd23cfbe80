"""What a checkpoint is bound to (problem, network and its ends, derivatives), and what may change from here on."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import Any

from mask_pinns.configuration import flatten, plain
from mask_pinns.embeddings import embedding_options
from mask_pinns.networks import NETWORKS, network_options
from mask_pinns.registry import split_spec

MAY_CHANGE = (
    "seed", "points", "sampler", "adaptive", "resample", "weights", "causal", "balance", "target", "on_nonfinite",
    "precision",
)  # fmt: skip
"""Settings with which a run may go on that were others before. Optimizers may not: see `Schedule.load_state_dict`."""


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, str]:
    """What two modules' hyperparameters do not have in common, of what they are bound to: {key: "a there, b here"}.

    Only what the first know is compared, so that those of before an option was made stay good; and no problem or
    network that was given from Python, which have no name.
    """
    old, new = _bound(there), _bound(here)
    known = {key.partition(".")[0] for key in new}
    differ = [key for key in old if key.partition(".")[0] in known and not _alike(old[key], new.get(key))]
    others = [key.partition(".")[0] + "." for key in differ if key.endswith(".name")]  # their options are others too
    differ = [key for key in differ if key.endswith(".name") or not key.startswith(tuple(others))]
    return {key: f"{old[key]} there, {new.get(key)} here" for key in differ}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What may change and does, in words: "seed 0 -> 9, causal 0.0 -> 1.0"; empty if nothing does."""
    changed = [key for key in MAY_CHANGE if key in before and not _alike(before[key], now[key])]
    return ", ".join(f"{key} {plain(before[key])} -> {plain(now[key])}" for key in changed)


def _bound(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat, with defaults filled in. A file of the user's own problem may have moved: only its name counts."""
    found: dict[str, Any] = {}
    if settings.get("problem") is not None:
        name, coefficients = split_spec(settings["problem"], "problem")
        found["problem"] = {"name": Path(name).name} | coefficients
    if settings.get("network") is not None:
        name, options = split_spec(settings["network"], "network")
        found["network"] = {"name": name} | _defaults(network_options(name) if name in NETWORKS else {}) | options
    if "embedding" in settings:
        embedding = _defaults(embedding_options()) | dict(settings["embedding"] or {})
        found["embedding"] = embedding | {"periodic": _names(embedding["periodic"]), "scale": embedding["scale"] or {}}
    if "exact" in settings:
        found["exact"] = _names(settings["exact"])
    if "symmetry" in settings:
        parities = flatten(plain(settings["symmetry"] or {}))
        found["symmetry"] = ", ".join(f"{k} {v}" for k, v in sorted(parities.items())) or "none"
    if "balance" in settings:
        found["balance"] = "on" if settings["balance"] else "off"  # its multipliers are in the checkpoint
    found |= {key: settings[key] for key in ("exact_time", "derivatives") if key in settings}
    return flatten(plain(found))


def _defaults(options: Mapping[str, Parameter]) -> dict[str, Any]:
    return {name: option.default for name, option in options.items() if option.default is not option.empty}


def _names(given: Any) -> list[str]:
    return sorted(map(str, given)) if isinstance(given, list | tuple) else [] if given is None else [str(given)]


def _alike(a: Any, b: Any) -> bool:
    """Lists as tuples, 1 as 1.0, and "64" as 64."""
    return plain(a) == plain(b) or str(plain(a)) == str(plain(b))
