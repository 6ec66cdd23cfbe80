"""`--list`: problems, networks, optimizers and activations, with a line for each."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from typing import Any

from mask_pinns.catalog.presets import configs_folder
from mask_pinns.catalog.tables import ACTIVATIONS, NETWORKS, OPTIMIZERS, PROBLEMS
from mask_pinns.cli.configuration import declared_network, declared_problem

ARCHITECTURES = {
    "masked": "blocks of two masked layers with a skip connection, as published",
    "residual": "the same without masks",
    "mlp": "layers without masks and skip connections",
    "layernorm": "layer normalization before each activation, without masks",
    "batchnorm": "batch normalization, for comparison: its statistics break the map from coordinates to solution",
    "adaptive": "a trainable slope in each activation, without masks",
    "modified_mlp": "each layer gates between two encodings of the inputs (Wang, Teng & Perdikaris 2021)",
    "piratenet": "blocks that begin as the identity (Wang, Li, Chen & Perdikaris 2024)",
    "siren": "sine layers with a common frequency (Sitzmann et al. 2020)",
}
"""What a network is, in a line."""
METHODS = {
    "adam": "first order; thousands of cheap steps, points redrawn each step",
    "soap": "Adam in the eigenbasis of Shampoo's preconditioner: fewer, dearer steps",
    "lbfgs": "quasi-Newton with a short memory, at fixed points",
    "bfgs": "quasi-Newton with the whole inverse Hessian, for some thousand parameters",
    "ssbfgs": "the same, scaled to each step's curvature",
    "ssbroyden": "self-scaled Broyden: the most accurate of the quasi-Newton methods",
    "gauss_newton": "least squares with all residuals: tens of steps, for some thousand parameters",
    "tangent": "last phase: linear least squares around the trained weights, for the last digits",
}
"""What an optimizer is, in a line."""
WIDTH = 110


class List(argparse.Action):
    """Prints what can be named, and ends the process."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: Any = None) -> None:
        print("\n".join(listing()))
        parser.exit()


def listing() -> Iterator[str]:
    """A heading and a line for each name."""
    yield "problems (--problem; * has a recipe of its own)"
    for name in PROBLEMS.names():
        recipe = "*" if (configs_folder() / f"{name}.yaml").is_file() else " "
        yield _entry(f"{recipe} {name}", declared_problem(name).doc)
    yield "\nnetworks (--network)"
    for name in NETWORKS.names():
        yield _entry(f"  {name}", ARCHITECTURES.get(name, "") or declared_network(name).doc)
    yield '\noptimizers (--optimizer, alone or in phases: "adam 2000, lbfgs")'
    for name in OPTIMIZERS.names():
        yield _entry(f"  {name}", METHODS.get(name, ""))
    yield f"\nactivations (--activation)\n  {', '.join(ACTIVATIONS.names())}"


def _entry(name: str, doc: str) -> str:
    """A name and the first sentence of what it is."""
    first = " ".join(doc.partition("\n\n")[0].split())
    return f"{name:<26} {textwrap.shorten(first, WIDTH - 27, placeholder=' ...')}"
