"""Two engines for a network's derivatives, with one signature.

`by_jet` carries them forward through layers that act on jets: one reverse pass trains.
`by_autograd` nests reverse passes: slower, but it takes any network, and it is the independent reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mask_pinns.jet import Derivatives, Jet
from mask_pinns.networks import JetNetwork

Engine = Callable[[nn.Module, Tensor, Sequence[str], Derivatives], Jet]


def by_jet(network: nn.Module, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
    """The network's outputs (N, F) and derivatives in Taylor mode. x: (N, D), names: its D coordinates.

    Raises ValueError for a network that is not made of layers that act on jets.
    """
    if not isinstance(network, JetNetwork):
        raise ValueError(
            f"{type(network).__name__} is not made of layers that act on jets; "
            "train it with derivatives='autograd' (--derivatives autograd)"
        )
    return network(Jet.of_coordinates(x, names, derivatives))


def by_autograd(network: nn.Module, x: Tensor, names: Sequence[str], derivatives: Derivatives) -> Jet:
    """The same by nested reverse passes through `network(x)`, one column of x and one field at a time."""
    with torch.enable_grad():
        columns = {name: x[:, i].detach().requires_grad_() for i, name in enumerate(names)}
        y = network(torch.stack(tuple(columns.values()), 1))  # (N, F)
        members = [m for operator in derivatives.operators.values() for m, _ in operator]
        plain = Derivatives([*(m for m in derivatives.indices if m not in derivatives.operators), *members])
        found = {"": [y[:, f] for f in range(y.shape[1])]}
        for m in plain.indices[1:]:
            found[m] = [_gradient(s, columns[m[-1]]) for s in found[m[:-1]]]
        streams = {m: torch.stack(s, 1) for m, s in found.items()}
        for name, operator in derivatives.operators.items():
            streams[name] = torch.stack([c * streams[m] for m, c in operator]).sum(0)
    return Jet(derivatives, {m: streams[m] for m in derivatives.indices})


def _gradient(y: Tensor, column: Tensor) -> Tensor:
    """d y_n / d column_n for all n at once (exact where points do not influence each other)."""
    if not y.requires_grad:
        return torch.zeros_like(column)
    (slope,) = torch.autograd.grad(y.sum(), column, create_graph=True, allow_unused=True)
    return torch.zeros_like(column) if slope is None else slope


ENGINES: dict[str, Engine] = {"jet": by_jet, "autograd": by_autograd}
