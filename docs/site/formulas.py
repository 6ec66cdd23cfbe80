"""Formulas in blocks ```math become MathML, which browsers draw themselves: no script, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def fence(source: str, *_: Any, **__: Any) -> str:
    """The HTML of one block; a line that ends with two backslashes begins a new one."""
    lines = (line for line in source.replace("\\\\\n", "\\\\").split("\\\\") if line.strip())
    return "".join(f'<div class="formula">{convert(line.strip(), display="block")}</div>' for line in lines)
