"""Settings of the transformations before and after a network: `Embedding` and `Constraints`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt

from mask_pinns.registry import check_options
from mask_pinns.settings.fields import as_names, names, plain, setting

Parity = str | Mapping[str, str]
"""Even or odd, of all fields or field by field."""


@dataclass(frozen=True)
class Embedding:
    """How coordinates are transformed before a network; by default they are not.

    Args:
        periodic: coordinates in which the fields are periodic by construction; auto: those of periodic conditions
        harmonics: waves per periodic coordinate
        normalize: map the other coordinates to [-1, 1]
        scale: factors on coordinates, so that the solution varies over lengths of about one: --scale.t 30
        fourier: number of random frequencies; they give twice as many features
        fourier_std: standard deviation of the frequencies
        fourier_trainable: train the frequencies
        fourier_activation: activation of the Fourier features, e.g. tanh

    Example:
        >>> from mask_pinns import Embedding, MaskPINN
        >>> MaskPINN("convection", embedding=Embedding(periodic="auto")).objective.hard
        ('periodic_x',)
    """

    periodic: str | Sequence[str] = setting(factory=list, kind=str, many=True, bound=as_names)
    harmonics: int = setting(1, kind=PositiveInt, bound=plain)
    normalize: bool = setting(False, bound=plain)
    scale: Mapping[str, float] = setting(
        factory=dict, kind=dict[str, PositiveFloat], bound=lambda given: plain(given or {})
    )
    fourier: int = setting(0, kind=NonNegativeInt, bound=plain)
    fourier_std: float = setting(1.0, kind=PositiveFloat, bound=plain)
    fourier_trainable: bool = setting(False, bound=plain)
    fourier_activation: str = setting("identity", bound=plain)


def _parities(given: Any) -> str:
    """Parities in a form that can be compared: "x odd, y.u even"."""
    pairs = [(k, v) for k, v in plain(given or {}).items()]
    return ", ".join(f"{k} {v}" for k, v in sorted(pairs)) or "none"


@dataclass(frozen=True)
class Constraints:
    """Embedding, hard conditions and symmetry, for any network and problem; by default none of them.

    Args:
        embedding: `Embedding`, or a mapping of its fields.
        exact: conditions that hold by construction: initial dirichlet_x; all; auto (those that can)
        exact_time: time scale on which hard initial conditions free the network; default: the whole interval
        dimensionless: divide coordinates, fields and residuals by characteristic scales of the problem
        unknowns: --unknowns.k 0.5: another start of an unknown number of the problem
        fix: k=0.1: unknown numbers that are held at a value
        symmetry: --symmetry.x odd: fields that are even or odd about the middle of x, by construction

    A periodic condition holds by construction if its coordinate is embedded as periodic; `periodic="auto"` embeds all
    coordinates of periodic conditions. `HardConstraints` defines `exact_time`; see also `Symmetry`.

    Example:
        >>> from mask_pinns import Constraints, MaskPINN
        >>> MaskPINN("wave", constraints=Constraints(exact="all")).objective.hard
        ('initial', 'dirichlet_x')

    Raises:
        ValueError: an unknown option of the embedding.
    """

    embedding: Embedding = field(default_factory=Embedding)
    exact: str | Sequence[str] = setting(factory=list, kind=str, many=True, bound=as_names)
    exact_time: float | None = setting(None, kind=PositiveFloat | None, bound=plain)
    dimensionless: bool = setting(False, bound=plain)
    unknowns: Mapping[str, float] = setting(factory=dict, kind=dict[str, float], bound=lambda given: plain(given or {}))
    fix: Sequence[str] | Mapping[str, float] = setting(factory=list, kind=str, many=True, bound=as_names)
    symmetry: Mapping[str, Parity] = setting(factory=dict, kind=dict[str, str | dict[str, str]], bound=_parities)

    def __post_init__(self) -> None:
        if not isinstance(self.embedding, Embedding):
            given = dict(self.embedding or {})
            check_options(given, names(Embedding), "option of the embedding:")
            object.__setattr__(self, "embedding", Embedding(**given))
