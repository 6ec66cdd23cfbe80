"""Taylor mode: derivatives are carried forward with the features, through layers that act on jets.

`derivatives.py` and `jet.py` define the rules, `functions.py` and `activations.py` (with the mask) the pointwise
functions, `norms.py` and `layers.py` the layers, `network.py` the base class of networks. `scalar.py` evaluates
functions of the coordinates that a user writes, `slopes.py` their first derivatives as functions; `engines.py`
differentiates a network, by jets or by nested autograd.
"""

from mask_pinns.jets.activations import ACTIVATIONS
from mask_pinns.jets.derivatives import MAX_ORDER, Derivatives, canonical
from mask_pinns.jets.engines import ENGINES
from mask_pinns.jets.jet import Jet
from mask_pinns.jets.layers import Activation, Linear, Masked
from mask_pinns.jets.network import JetNetwork
from mask_pinns.jets.scalar import Scalar
from mask_pinns.jets.slopes import slopes

__all__ = [
    "ACTIVATIONS", "ENGINES", "MAX_ORDER", "Activation", "Derivatives", "Jet", "JetNetwork", "Linear", "Masked",
    "Scalar", "canonical", "slopes",
]  # fmt: skip
