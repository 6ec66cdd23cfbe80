"""Where the configuration files of this package are."""

from __future__ import annotations

from pathlib import Path

from mask_pinns.checkout import folder_of


def configs_folder() -> Path:
    """The folder of recipes, inside the installed package or at the top of the checkout."""
    return folder_of("mask_pinns.configs")
