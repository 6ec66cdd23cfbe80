"""Checks settings beyond the types that a parser checks: names, lists, switches, and finite numbers.

`normalize_file_settings` checks those of a configuration file before the parser, `check_settings` all of them after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mask_pinns.catalog.tables import ACTIVATIONS, ENGINES, OPTIMIZERS, SAMPLERS
from mask_pinns.checks import is_finite, is_number
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.settings import phase_mappings

MAX_NUMBER = 3.4e38
"""The largest number of float32."""
ONLY_ON_COMMAND_LINE = ("config", "help", "version", "print_config")


def normalize_file_settings(base: Mapping[str, Any], lists: Iterable[str], switches: Iterable[str]) -> dict[str, Any]:
    """Returns a file's settings in full: a single word becomes a list if a list is expected, and booleans of `compile`
    become `on` and `off` again.

    Raises UsageError for a key that is not a name or not allowed in files, and for a list or a switch of another type.
    """
    _check_keys(base)
    for key in set(ONLY_ON_COMMAND_LINE) & set(base):
        raise UsageError(f"{key} is not allowed in a configuration file; give it on the command line")
    settings = dict(base)
    for key in set(lists) & set(base):
        settings[key] = [base[key]] if isinstance(base[key], str) else base[key]
        if not isinstance(settings[key], list):
            raise UsageError(f"{key} is {base[key]!r}; expected a list")
    for key in set(switches) & set(base):
        if not isinstance(base[key], bool):
            raise UsageError(f"{key} is {base[key]!r}; expected true or false")
    if isinstance(base.get("compile"), bool):  # YAML reads on and off as booleans
        settings["compile"] = "on" if base["compile"] else "off"
    return settings


def _check_keys(settings: Mapping[Any, Any], path: str = "") -> None:
    for key, value in settings.items():
        if not isinstance(key, str) or not key.strip():
            raise UsageError(f"{path or 'the configuration'} has the key {key!r}; expected names")
        if isinstance(value, Mapping):
            _check_keys(value, f"{path}.{key}".lstrip("."))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises ValueError for a key that is not a name and for a number that is not finite, at any depth, and for an
    unknown activation, sampler, engine or optimizer.
    """
    _check_keys(settings)
    _check_numbers(settings)
    if "activation" in settings["network"]:
        ACTIVATIONS.require(settings["network"]["activation"])
    ACTIVATIONS.require(settings["embedding"]["fourier_activation"])
    SAMPLERS.require(settings["sampler"])
    ENGINES.require(settings["derivatives"])
    for phase in phase_mappings(settings["optimizer"]):
        if "optimizer" in phase:
            OPTIMIZERS.require(phase["optimizer"])


def _check_numbers(settings: Any, path: str = "") -> None:
    inner = settings.items() if isinstance(settings, Mapping) else enumerate(settings, 1)
    for key, value in inner:
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, Mapping | list):
            _check_numbers(value, name)
        elif is_number(value) and not (is_finite(value) and abs(value) < MAX_NUMBER):
            raise UsageError(f"{name} is {value!r}; expected a finite number below {MAX_NUMBER:g}")
