"""Where the packages `callbacks` and `datamodules` are: beside this one in a checkout, inside it in a wheel.

They are imported as mask_pinns.callbacks and mask_pinns.datamodules. In a checkout a finder maps these two names to
their folders: adding the checkout to the package's path would map every other name in it as well,
mask_pinns.mask_pinns.mask_pinns included.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {f"mask_pinns.{name}": ROOT / name for name in ("callbacks", "datamodules")}


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
