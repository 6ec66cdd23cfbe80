"""Initial features and gradients against depth, width, activation and alpha, compared with theory, and a figure.

    python benchmarks/initial_spread.py                 all, into results/initial_spread.json and .png
    python benchmarks/initial_spread.py --only depth --networks 5

Theory, for infinitely wide layers with Xavier-normal weights and zero biases: pre-activations are normal,
z ~ N(0, q), and a layer's feature has

    E[h^2] = E[(sigma(z) m(z))^2],      m(z) = 1 - exp(-(alpha z)^2)

by the trapezoidal rule; for the identity in place of sigma and s = (alpha^2) q in closed form,

    E[(z m(z))^2] / q = 1 - 2 (1 + 2 s)^(-3/2) + (1 + 4 s)^(-3/2)          (`attenuation`).

A layer as wide as the one before has q = E[h^2] of it. With a skip, a block's input h and what its layers add, g, give
E[(h + g)^2] = E[h^2] + 2 E[h] E[g] + E[g^2].

Measured: the networks of this package, at inputs in random directions, all of length sqrt(D): root mean square of every
layer's feature, and variance of the entries of d mean(u) / dW, medians over networks of several seeds. There is no
theory here for the gradients.

Agreement with the theory, at width 256 and 6 blocks: plain networks within 5 % (softplus: 10 %), and the masked input
layer within 1 % at any alpha. Masked layers after it are above the theory. Near z = 0 a masked feature is of third
order in z, so that few large z dominate it, which the sum over a finite width spreads unevenly over units and points:
z is then not normal with a single variance. Measured over theory, GELU:

    alpha                                0.25     0.5      1        2        5 and 20
    first layers of blocks               1.6      1.3      1.1      1.0      1.0
    second layers of blocks              65-90    14-18    2.6-3.1  1.1-1.3  1.0

and second layers at alpha 1: SiLU 2.5-2.9; tanh, sin and identity 1.2-1.4; sigmoid and softplus, which are not zero at
z = 0, up to 1.2. Widths from 16 to 256 make little difference.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from mask_pinns.callbacks.features.probes import capture_layers
from mask_pinns.jets.activations import ACTIVATIONS, mask
from mask_pinns.networks import FeedForward

RESULTS = Path(__file__).parent / "results"
INPUTS, POINTS = 64, 512
NODES = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
"""Nodes of the trapezoidal rule, in standard deviations of z; a mask of alpha 20 has a dip of width 0.05."""
BASE: dict[str, Any] = {"width": 256, "blocks": 6, "activation": "gelu", "mask": True, "mask_init": 1.0}
SWEEPS: dict[str, tuple[str, list[Any]]] = {
    "width": ("width", [16, 64, 256]),
    "activation": ("activation", list(ACTIVATIONS)),
    "alpha": ("mask_init", [0.25, 0.5, 1.0, 2.0, 5.0, 20.0]),
    "depth": ("blocks", [2, 6, 12]),
}


def attenuation(s: float) -> float:
    """E[(z m(z))^2] / E[z^2] for z ~ N(0, q) and s = alpha^2 q; always below 1."""
    return float(1 - 2 * (1 + 2 * s) ** -1.5 + (1 + 4 * s) ** -1.5)


def moments(activation: str, q: float, alpha: float | None) -> tuple[float, float]:
    """E[h] and E[h^2] of h = sigma(z) m(z) for z ~ N(0, q), by the trapezoidal rule; alpha None: no mask."""
    z, weights = NODES * q**0.5, torch.exp(-0.5 * NODES.square())
    h = ACTIVATIONS[activation](z, 0)[0]
    assert h is not None
    if alpha is not None:
        m = mask(z, torch.tensor(alpha, dtype=torch.float64), 0)[0]
        assert m is not None
        h = h * m
    return float(weights @ h / weights.sum()), float(weights @ h.square() / weights.sum())


def theory(options: dict[str, Any], inputs: int = INPUTS) -> list[float]:
    """Root mean square of every layer's feature, from the input layer on, for inputs with |x|^2 = D."""
    activation, alpha = options["activation"], options["mask_init"] if options["mask"] else None
    mean, square = moments(activation, 2 * inputs / (inputs + options["width"]), alpha)
    squares = [square]
    for _ in range(options["blocks"]):
        _, first = moments(activation, square, alpha)
        inner, second = moments(activation, first, alpha)
        squares += [first, second]
        mean, square = mean + inner, square + 2 * mean * inner + second
    return [square**0.5 for square in squares]


@torch.enable_grad()
def measured(options: dict[str, Any], seed: int) -> tuple[list[float], list[float]]:
    """Root mean square of every layer's feature, and variance of the entries of d mean(u) / dW of its weight."""
    torch.manual_seed(seed)
    network = FeedForward(INPUTS, 1, **options).double()
    x = torch.nn.functional.normalize(torch.randn(POINTS, INPUTS, dtype=torch.float64)) * INPUTS**0.5
    layers = {
        k: layer
        for k, layer in capture_layers(network, x, [f"c{i}" for i in range(INPUTS)]).items()
        if layer.activation
    }
    spread = [float(layer.stages["feature"].square().mean().sqrt()) for layer in layers.values()]
    weights = [layer.weight for layer in layers.values() if layer.weight is not None]
    gradients = torch.autograd.grad(network(x).mean(), weights)
    return spread, [float(g.var(correction=0)) for g in gradients]


def cell(options: dict[str, Any], networks: int) -> dict[str, Any]:
    """Medians over seeds, and the theory."""
    runs = [measured(options, seed) for seed in range(networks)]
    spread, variance = ([statistics.median(v) for v in zip(*(r[i] for r in runs), strict=True)] for i in (0, 1))
    return {"options": options, "spread": spread, "gradient_variance": variance, "theory": theory(options)}


def sweep(name: str, networks: int) -> list[dict[str, Any]]:
    """Every value of the option that the sweep varies, with and without the mask (alpha: with it)."""
    option, values = SWEEPS[name]
    masks = (True,) if name == "alpha" else (True, False)
    return [cell(BASE | {option: value, "mask": masked}, networks) for value in values for masked in masks]


def draw(results: dict[str, list[dict[str, Any]]]) -> Figure:
    """A row for each sweep: spread of the features with the theory as lines, and the gradients' variance."""
    figure = Figure(figsize=(12, 3.6 * len(results)), layout="constrained")
    for (name, cells), row in zip(results.items(), figure.subplots(len(results), 2, squeeze=False), strict=True):
        for n, result in enumerate(cells):
            masked = result["options"]["mask"]
            label = f"{result['options'][SWEEPS[name][0]]}{'' if masked else ', no mask'}"
            style = {"color": f"C{n // (1 if name == 'alpha' else 2)}", "label": label}
            marker = "o" if masked else "x"
            row[0].plot(result["spread"], marker, markersize=4, **style)
            row[0].plot(result["theory"], "-" if masked else "--", color=style["color"], linewidth=0.8)
            row[1].plot(result["gradient_variance"], marker=marker, markersize=4, linewidth=0.8, **style)
        row[0].set(title=f"{name}: rms of the features at the start; lines: theory", xlabel="layer", yscale="log")
        row[1].set(title=f"{name}: variance of the entries of d mean(u)/dW", xlabel="layer", yscale="log")
        row[1].legend(fontsize="small", ncols=2)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--networks", type=int, default=5, help="seeds; medians are shown")
    parser.add_argument("--out", type=Path, default=RESULTS / "initial_spread", help="without .json and .png")
    arguments = parser.parse_args()
    results = {name: sweep(name, arguments.networks) for name in arguments.only}
    arguments.out.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    draw(results).savefig(arguments.out.with_suffix(".png"), dpi=90)
    for name, cells in results.items():
        for result in cells:
            last, expected = result["spread"][-1], result["theory"][-1]
            value = f"{result['options'][SWEEPS[name][0]]}{'' if result['options']['mask'] else ', no mask'}"
            print(f"{name:11} {value:22} last layer's rms {last:9.2e}, by theory {expected:9.2e}")


if __name__ == "__main__":
    main()
