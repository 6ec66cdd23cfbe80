"""`slopes`: first derivatives of a function of the coordinates, as functions that have derivatives themselves.

They come from jets of one order more: d/dc of a function has the derivative D^m where the function has D^(m + c).
Legend: N points, D coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from mask_pinns.jets.derivatives import Derivatives, canonical
from mask_pinns.jets.jet import Jet, total
from mask_pinns.jets.points import JetPoints
from mask_pinns.jets.scalar import Scalar


def slopes(
    function: Callable[[JetPoints], Scalar | float],
    x: Tensor,
    names: Sequence[str],
    derivatives: Derivatives,
    along: Sequence[str],
    fixed: str = "",
) -> dict[str, Scalar | float]:
    """The values of a function and its first derivatives at points, each with the derivatives that are asked for.

    Args:
        function: of points with derivatives.
        x: points (N, D).
        names: the names of their coordinates.
        derivatives: the derivatives of the results.
        along: the coordinates of the first derivatives.
        fixed: a coordinate whose values in x are the same for all points that are meant, so that nothing depends on it.

    Returns the values by "", the first derivatives by the names of their coordinates; 0.0 for those of a number.

    Example:
        >>> import torch
        >>> from mask_pinns.jets import Derivatives, slopes
        >>> cube = slopes(lambda p: p.x**3, torch.tensor([[2.0]]), ["x"], Derivatives(["x"]), ["x"])
        >>> cube["x"].value, cube["x"].jet["x"]
        (tensor([12.]), tensor([12.]))

    Raises ValueError if that takes derivatives of a higher order than is supported.
    """
    value = function(JetPoints.of(x, names, derivatives.wider(tuple(along))))
    if not isinstance(value, Scalar):
        nothing: dict[str, Scalar | float] = dict.fromkeys(along, 0.0)
        return nothing | {"": value}
    return {c: Scalar(_shifted(value.jet, c, derivatives, fixed)) for c in ("", *along)}


def _shifted(jet: Jet, c: str, derivatives: Derivatives, fixed: str) -> Jet:
    """d/dc of a jet (N,), with other derivatives; those along a fixed coordinate are zero."""

    def stream(m: str) -> Tensor | None:
        return None if fixed and fixed in m else jet[canonical(m + c)]

    streams = {m: stream(m) for m in derivatives.indices if m not in derivatives.operators}
    for name, operator in derivatives.operators.items():
        streams[name] = total(s * k for m, k in operator if (s := stream(m)) is not None)
    if streams[""] is None:
        streams[""] = jet.value.new_zeros(1)
    return Jet(derivatives, streams)
