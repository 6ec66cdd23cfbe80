"""YAML in which a key stands once: the plain loader lets the last one win, in silence."""

from __future__ import annotations

from typing import Any

import yaml


def load_strictly(text: str) -> Any:
    """What a text of YAML holds. Raises yaml.YAMLError where it is none, or a key stands twice."""
    loader = StrictLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class StrictLoader(yaml.SafeLoader):
    """Primitives only. Raises yaml.YAMLError for a key that stands twice in one mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1 and key != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
