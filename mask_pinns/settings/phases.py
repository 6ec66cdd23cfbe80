"""`Phases`: how optimizers and their steps are written, and the mappings that this means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Phases = str | Mapping[str, Any] | Iterable[str | Mapping[str, Any]]
"""Phases of optimizers as they are written: "adam 2000, lbfgs", one mapping, or a list of either."""


def phase_mappings(spec: Phases) -> list[dict[str, Any]]:
    """One mapping a phase: {"optimizer": "adam", "steps": 2000} and {"optimizer": "lbfgs"} of "adam 2000, lbfgs".

    Raises ValueError for anything that is not written in one of these ways.
    """
    given = list(spec) if isinstance(spec, Iterable) and not isinstance(spec, str | Mapping) else [spec]
    for item in given:
        if not isinstance(item, str | Mapping):
            raise ValueError(f"optimizer {item!r}: expected a name with steps, or a mapping; e.g. 'adam 2000, lbfgs'")
    items = [part for item in given for part in (_from_text(item) if isinstance(item, str) else [dict(item)])]
    if not items:
        raise ValueError("no optimizer given; e.g. 'adam' or 'adam 2000, lbfgs'")
    return items


def _from_text(text: str) -> list[dict[str, Any]]:
    items = []
    for part in re.split(r",|\bthen\b", text):
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and not re.fullmatch("-?(0|[1-9][0-9]{0,17})", words[1])):
            raise ValueError(f"optimizer {text!r}: expected NAME [STEPS], NAME [STEPS] ...; e.g. 'adam 2000, lbfgs'")
        items.append({"optimizer": words[0]} | ({"steps": int(words[1])} if len(words) == 2 else {}))
    return items
