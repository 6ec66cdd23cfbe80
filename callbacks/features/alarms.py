"""Alarms about features: messages that tell what is wrong, in which layer, at which step, and what usually helps.

Each kind is raised at most once in a run, for the layer in which it is worst at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Quantities = Mapping[str, float]
"""The numbers of a layer, by `<stage>/<quantity>`."""


@dataclass(frozen=True)
class Kind:
    """A kind of alarm.

    Args:
        measure: computes how bad it is from a layer's numbers now and at the start; NaN if they are unknown.
        limit: the value above which the alarm is raised.
        message: describes what is wrong, with {layer}, {step}, {value}, and the numbers {now[...]} and {start[...]}.
        remedy: what usually helps.
        remedy_unmasked: what also helps in a network without masks.
    """

    measure: Callable[[Quantities, Quantities], float]
    limit: float
    message: str
    remedy: str
    remedy_unmasked: str = ""


def _spread_growth(now: Quantities, start: Quantities) -> float:
    """Returns the spread over that at the start, or over one, an ordinary spread, if it began smaller."""
    stages = [name for name in ("preactivation/std", "feature/std") if name in now and name in start]
    ratios = [now[name] / max(1.0, start[name]) for name in stages]
    return max((ratio for ratio in ratios if ratio == ratio), default=0.0)  # NaN does not equal itself


def _closed_masks(now: Quantities, start: Quantities) -> float:
    """Returns the share of closed masks; 0 at the start, because only training can open them."""
    return 0.0 if now == start else now.get("mask/closed", 0.0)


def _inverse_rank(now: Quantities, start: Quantities) -> float:
    """Returns 1 / effective rank of features that began with more than two directions, else 0."""
    rank = now.get("feature/effective_rank")
    return 1 / max(rank, 1e-9) if rank is not None and start.get("feature/effective_rank", 0.0) > 2 else 0.0


KINDS = {
    "exploding spread": Kind(
        _spread_growth, 10.0,
        "layer {layer}: at step {step} its features are spread {value:.1f} times as wide as at the start (as one, if "
        "they began with less)",
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
        _closed_masks, 0.1,
        "layer {layer}: at step {step} the masks of {value:.0%} of its units are closed everywhere, m(z) < 0.01; these "
        "units add almost nothing and learn slowly until z or alpha grows",
        "a larger alpha at the start (--mask_init 2), a lower learning rate",
    ),
    "collapsed rank": Kind(
        _inverse_rank, 1 / 1.1,
        "layer {layer}: at step {step} its features use hardly more than one direction (effective rank "
        "{now[feature/effective_rank]:.2f}; at the start {start[feature/effective_rank]:.2f})",
        "fewer units, a larger --first_scale, heavier weights on conditions (--weights.conditions 100)",
    ),
}  # fmt: skip


class Alarms:
    """Checks the statistics of each recording, and remembers which alarms were raised."""

    def __init__(self) -> None:
        self.raised: dict[str, str] = {}

    def __call__(
        self, step: int, now: Mapping[str, Quantities], start: Mapping[str, Quantities], masked: bool = True
    ) -> dict[str, str]:
        """Returns the new alarms by kind. `now` and `start` are numbers by layer; `masked` tells if there are masks."""
        new = {}
        for name, kind in KINDS.items():
            values = {layer: kind.measure(numbers, start.get(layer, {})) for layer, numbers in now.items()}
            over = {layer: value for layer, value in values.items() if value > kind.limit}  # NaN is not above it
            if not over or name in self.raised:
                continue
            worst = max(over, key=lambda layer: over[layer])
            message = kind.message.format(
                layer=worst, step=step, value=over[worst], now=now[worst], start=start.get(worst)
            )
            unmasked = [kind.remedy_unmasked] if kind.remedy_unmasked and not masked else []
            new[name] = f"{name}: {message}. What usually helps: {', '.join([kind.remedy, *unmasked])}."
        self.raised |= new
        return new
