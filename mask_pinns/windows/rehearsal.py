"""A rehearsal: a program runs once with numbers, so that a trace of it, which sees none, decides the same.

The ends of windows look up what they keep by the values of points (`handover.py`). A trace has no values: it repeats,
call by call, the answers that the same program got at some points before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Key = int | None
_repeats: list[Iterator[Key]] = []
_records: list[list[Key]] = []


def rehearsed(find: Callable[[], Key]) -> Key:
    """The key that `find` gives; in a repetition, the one that it gave at this call of the rehearsal."""
    if _repeats:
        return next(_repeats[-1])
    key = find()
    if _records:
        _records[-1].append(key)
    return key


@contextmanager
def rehearsal() -> Iterator[list[Key]]:
    """Collects the keys that are found inside the context."""
    _records.append([])
    try:
        yield _records[-1]
    finally:
        _records.pop()


@contextmanager
def repetition(keys: Sequence[Key]) -> Iterator[None]:
    """Inside, the keys of a rehearsal are found again, in their order."""
    _repeats.append(iter(keys))
    try:
        yield
    finally:
        _repeats.pop()
