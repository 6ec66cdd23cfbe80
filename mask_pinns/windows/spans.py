"""Where the time of a problem is cut: `resolved` reads what `--windows` says.

4             four windows of equal length
0.2 0.5       windows that end there; the last one ends with the problem's time
auto          the next length follows from how hard the last window was (see `following`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mask_pinns.domains import Domain

AUTO = "auto"
FIRST_PARTS = 8
"""Number of windows that `auto` would make if all were as long as the first one."""
EASY, HARD = 0.4, 0.8
"""Shares of the steps of a window: one that needed fewer was easy, one that needed more was hard."""
LONGER, SHORTER = 1.5, 0.75
"""Factors on the next length after an easy and a hard window."""
SHORTEST = 1 / 200
"""The shortest window, as a share of the whole time."""
MOST_WINDOWS = 1000


def resolved(given: Sequence[Any], domain: Domain) -> list[float] | None:
    """The ends of the windows, in the time of the domain; None for `auto`.

    Raises ValueError for anything that is neither a number of windows, nor ends inside the time, nor auto.
    """
    words = [str(word) for word in given]
    if words == [AUTO]:
        return None
    if len(words) == 1 and words[0].isdigit():
        return equal_ends(int(words[0]), domain)
    expected = f"--windows {' '.join(words)}: expected their number, their ends inside of the time, or auto"
    try:
        ends = [float(word) for word in words]
    except ValueError:
        raise ValueError(expected) from None
    start, end = domain["t"]
    ends = [*ends, *([] if ends[-1] == end else [end])]
    if not all(a < b for a, b in zip([start, *ends], ends, strict=False)):
        raise ValueError(f"{expected}; ends increase between {start:g} and {end:g}")
    return ends


def equal_ends(number: int, domain: Domain) -> list[float]:
    """The ends of windows of equal length. Raises ValueError for a number below one or above a thousand."""
    if not 1 <= number <= MOST_WINDOWS:
        raise ValueError(f"--windows {number}: expected a number from 1 to {MOST_WINDOWS:,}")
    start, end = domain["t"]
    return [*(start + (end - start) * k / number for k in range(1, number)), end]


class Solved(Protocol):
    """A window that is trained: its times, and the share of its steps that it needed."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def share(self) -> float: ...


def following(domain: Domain, solved: Sequence[Solved]) -> float:
    """The end of the window that `auto` makes next: longer after an easy window, shorter after a hard one.

    What would be left by less than a fifth of a window is not left.
    """
    start, end = domain["t"]
    if not solved:
        return start + (end - start) / FIRST_PARTS
    last = solved[-1]
    factor = LONGER if last.share < EASY else SHORTER if last.share > HARD else 1.0
    length = (last.end - last.start) * factor
    return end if end - last.end < 1.2 * length else last.end + length


def shorter(start: float, end: float, domain: Domain) -> float | None:
    """The end of a window half as long; None if that would be shorter than windows may be."""
    low, high = domain["t"]
    return start + (end - start) / 2 if (end - start) / 2 >= SHORTEST * (high - low) else None
