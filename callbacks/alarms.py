"""Alarms about features, in plain words: what is wrong, in which layer, since which step, and what usually helps.

Each kind is raised at most once a run, for the layer in which it is worst at the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Quantities = Mapping[str, float]
"""A layer's numbers, by `<stage>/<quantity>`."""


@dataclass(frozen=True)
class Kind:
    """A kind of alarm.

    Args:
        measure: of a layer's numbers now and at the start: how bad it is; NaN where nothing is known.
        limit: above which the alarm is raised.
        says: what is wrong, with {layer}, {step}, {value}, and the numbers {now[...]} and {start[...]}.
        helps: what users usually do about it.
        helps_unmasked: what else, in a network without masks.
    """

    measure: Callable[[Quantities, Quantities], float]
    limit: float
    says: str
    helps: str
    helps_unmasked: str = ""


def _grown(now: Quantities, start: Quantities) -> float:
    """Spread in units of that at the start, or of one, an ordinary spread, where it began smaller."""
    stages = [name for name in ("preactivation/std", "feature/std") if name in now and name in start]
    grown = [now[name] / max(1.0, start[name]) for name in stages]
    return max((ratio for ratio in grown if ratio == ratio), default=0.0)


def _shut(now: Quantities, start: Quantities) -> float:
    """The share of masks that are shut once training has begun: before, there is nothing yet that could open them."""
    return 0.0 if now == start else now.get("mask/closed", 0.0)


def _collapsed(now: Quantities, start: Quantities) -> float:
    """1 / effective rank, of features that began with more than two directions."""
    rank = now.get("feature/effective_rank")
    return 1 / max(rank, 1e-9) if rank is not None and start.get("feature/effective_rank", 0.0) > 2 else 0.0


KINDS = {
    "exploding spread": Kind(
        _grown, 10.0,
        "layer {layer}: at step {step} its features are spread {value:.1f} times as wide as at the start (or as one, "
        "where that was less)",
        "a lower learning rate, inputs in units of about one (--normalize true)",
        "the mask (--mask true)",
    ),
    "saturation": Kind(
        lambda now, start: now.get("preactivation/saturation", 0.0), 0.6,
        "layer {layer}: at step {step}, {value:.0%} of its entries lie on the flat part of the activation and hardly "
        "learn",
        "a smaller --first_scale or --first_bias, an activation without flat parts (--activation sin)",
        "the mask (--mask true)",
    ),
    "dead masks": Kind(
        _shut, 0.1,
        "layer {layer}: at step {step} the masks of {value:.0%} of its units are shut everywhere, m(z) < 0.01; these "
        "units add next to nothing, and learn slowly, until z or alpha grows",
        "a larger alpha at the start (--mask_init 2), a lower learning rate",
    ),
    "collapsed rank": Kind(
        _collapsed, 1 / 1.1,
        "layer {layer}: at step {step} its features use hardly more than one direction (effective rank "
        "{now[feature/effective_rank]:.2f}; at the start {start[feature/effective_rank]:.2f})",
        "fewer units, a larger --first_scale, heavier weights on conditions (--weights.conditions 100)",
    ),
}  # fmt: skip


class Alarms:
    """Looks at every look's numbers; remembers what was said."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def __call__(
        self, step: int, now: Mapping[str, Quantities], start: Mapping[str, Quantities], masked: bool = True
    ) -> dict[str, str]:
        """New alarms by kind, for numbers by layer now and at the start; `masked`: the network has masks."""
        new = {}
        for name, kind in KINDS.items():
            values = {layer: kind.measure(numbers, start.get(layer, {})) for layer, numbers in now.items()}
            over = {layer: value for layer, value in values.items() if value > kind.limit}  # NaN is not
            if not over or name in self.said:
                continue
            worst = max(over, key=lambda layer: over[layer])
            said = kind.says.format(layer=worst, step=step, value=over[worst], now=now[worst], start=start.get(worst))
            helps = ", ".join([kind.helps] + ([kind.helps_unmasked] if kind.helps_unmasked and not masked else []))
            new[name] = f"{name}: {said}. What usually helps: {helps}."
        self.said |= new
        return new
