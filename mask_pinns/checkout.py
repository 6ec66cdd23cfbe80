"""Where the rooms `callbacks`, `datamodules` and `configs` are: beside the package in a checkout, inside it in a wheel.

The first two are imported as mask_pinns.callbacks and mask_pinns.datamodules. In a checkout a finder maps these two
names to their folders: adding the checkout to the package's path would map every other name in it as well,
mask_pinns.mask_pinns.mask_pinns included.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {f"mask_pinns.{name}": ROOT / name for name in ("callbacks", "datamodules")}


def folder_of(room: str) -> Path:
    """The folder of a room, e.g. of mask_pinns.callbacks; for a room that is one file, its path without the suffix."""
    name = room.removeprefix("mask_pinns.")
    inside = Path(__file__).with_name(name)
    return inside if inside.is_dir() or not (ROOT / name).is_dir() else ROOT / name


class RoomFinder:
    """Finds the packages of `ROOMS`; what is below them is found by their own paths."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        folder = ROOMS.get(name)
        if folder is None:
            return None
        return spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])


if not Path(__file__).with_name("callbacks").is_dir():
    sys.meta_path.insert(0, RoomFinder)  # before the finder of an editable installation of another checkout
