"""The language of `--search`: settings with a range or a choice of values, between commas.

    width 10..40, first_scale 0.5..4 log, activation tanh|sin, mask true|false

A range has its two ends, which belong to it; with `log`, factors count instead of differences. A choice has its values,
with | between them. Neither torch nor Optuna is imported here: mistakes are answered at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mask_pinns.settings.values import parse_values

DIGITS = 3
"""Significant digits of a real number that is proposed: a command can be read, and typed."""
LARGEST = 1e12
"""Largest number of a search."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
        low, high: its ends.
        log: whether factors count instead of differences.
        whole: whether they are whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def size(self) -> float:
        """The number of its values; infinite for real numbers."""
        return self.high - self.low + 1 if self.whole else float("inf")

    def contains(self, value: Any) -> bool:
        """Whether a value lies in the range."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (not self.whole or value == int(value))

    def rounded(self, value: float) -> float:
        """The value with few digits, which never leaves the range."""
        return int(value) if self.whole else min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values: words, numbers, true and false."""

    values: tuple[Any, ...]

    @property
    def size(self) -> float:
        """The number of its values."""
        return len(self.values)

    def contains(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return value in self.values

    def rounded(self, value: Any) -> Any:
        """The value, which is exact."""
        return value


Space = Mapping[str, Range | Choice]
"""What is searched: a range or a choice for each setting, under the name that the user has given."""


class SearchError(ValueError):
    """The search cannot be read; the message names the setting, and says what to write."""


def parse_search(text: str, kind_of: Callable[[str], type]) -> dict[str, Range | Choice]:
    """Returns what is searched, in the order of the text.

    Args:
        text: the search, as in the heading of this file.
        kind_of: gives the type of a setting's values (int, float, bool or str); raises ValueError for another name.

    Raises:
        SearchError: a text of another form, or a range without numbers in it.
        ValueError: what `kind_of` raises.
    """
    space: dict[str, Range | Choice] = {}
    for part in text.split(","):
        words = part.split()
        if len(words) < 2:
            given = repr(part.strip()) if words else "nothing between two commas"
            raise SearchError(f"--search: expected settings with values, {example('width')}; got {given}")
        name, values = words[0].lstrip("-"), " ".join(words[1:])
        if name in space:
            raise SearchError(f"--search {name}: it occurs twice; leave one of them out")
        space[name] = _range(name, values, kind_of(name)) if ".." in values else _choice(name, values, kind_of(name))
    return space


def example(name: str, kind: type = int) -> str:
    """An example of the values of a setting, for messages."""
    values = {bool: "true|false", int: "10..40", float: "0.5..4 log"}.get(kind, "tanh|sin")
    return f"e.g. {name} {values}"


def _range(name: str, values: str, kind: type) -> Range:
    low_text, _, rest = values.partition("..")
    high_text, *further = rest.split() or [""]
    if kind not in (int, float):
        words = "true and false" if kind is bool else "words"
        raise SearchError(f"--search {name}: {values!r} is a range, but it takes {words}; {example(name, kind)}")
    if further not in ([], ["log"]):
        raise SearchError(f"--search {name}: {' '.join(further)!r} after the range; expected log, or nothing")
    low, high, log = _number(name, low_text.strip(), kind), _number(name, high_text, kind), bool(further)
    if low > high:
        raise SearchError(f"--search {name}: no number lies in {values}; the smaller one comes first: {high}..{low}")
    if low == high:
        raise SearchError(f"--search {name}: {values} has one value; leave it out, and give --{name} {low}")
    if log and low <= 0:
        raise SearchError(f"--search {name}: a log range begins above 0, not at {low}; raise it, or leave out log")
    return Range(low, high, log, kind is int)


def _choice(name: str, values: str, kind: type) -> Choice:
    given = [word.strip() for word in values.split("|")]
    if given[-1].endswith(" log"):
        raise SearchError(f"--search {name}: log is for a range, {example(name, float)}; got {values!r}")
    if len(given) == 1:
        words = {bool: "true|false", str: f"{given[0]}|another"}.get(kind, "10..40, or a choice, 10|20")
        raise SearchError(f"--search {name}: {values!r} is one value; expected several, {name} {words}")
    if "" in given:
        raise SearchError(f"--search {name}: nothing between two | in {values!r}; {example(name, kind)}")
    chosen = tuple(_value(name, word, kind) for word in given)
    if len(set(chosen)) < len(chosen):
        raise SearchError(f"--search {name}: a value occurs twice in {values!r}; leave one of them out")
    return Choice(chosen)


def _value(name: str, word: str, kind: type) -> Any:
    if kind is bool:
        if word not in ("true", "false"):
            raise SearchError(f"--search {name}: {word!r} is no switch; expected true|false")
        return word == "true"
    return word if kind is str else _number(name, word, kind)


def _number(name: str, word: str, kind: type) -> int | float:
    try:
        value = parse_values(word)
    except yaml.YAMLError:
        value = word
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
        raise SearchError(f"--search {name}: {word!r} is no number; expected decimal digits, {example(name, kind)}")
    if kind is int and value != int(value):
        raise SearchError(f"--search {name}: {word} is no whole number; {example(name, kind)}")
    return int(value) if kind is int else float(value)
