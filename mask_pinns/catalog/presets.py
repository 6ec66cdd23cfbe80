"""Finds configuration files: a user's own, and those of this package, wherever the command is called."""

from __future__ import annotations

from pathlib import Path

from mask_pinns.checkout import folder_of
from mask_pinns.registry import suggestion


def configs_folder() -> Path:
    """The folder of recipes, inside the installed package or at the top of the checkout."""
    return folder_of("mask_pinns.configs")


def presets() -> list[str]:
    """The short names of this package's configuration files: wave, paper/wave, ..."""
    folder = configs_folder()
    return sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml"))


def find_configuration(given: str) -> Path:
    """The file that --config names: a file as seen from here, or else one of this package.

    The latter is called paper/wave, or configs/paper/wave.yaml as in a checkout. Raises ValueError with the names of
    this package's files if there is neither.
    """
    if Path(given).is_file():
        return Path(given)
    name = given.removeprefix("configs/").removesuffix(".yaml")
    if name not in presets():
        raise ValueError(f"configuration file {given} does not exist; {suggestion(name, presets())}")
    return configs_folder() / f"{name}.yaml"
