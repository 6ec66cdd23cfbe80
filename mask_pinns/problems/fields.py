"""Fields, as residuals use them: `u` acts as the 1-D tensor of a field's values; `u.x`, `u.tt` are its derivatives.

    u.t + u * u.x - nu * u.xx          torch.sin(u) - u.tt

Legend: N points, F fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from mask_pinns.jets import Jet, canonical

Parts = tuple[tuple[str, float], ...]


class Field:
    """One field of a jet (N, F): its values by itself, its derivatives by attribute, each of shape (N,).

    `parts` gives the derivatives that operators replace (see objective/operators.py) as weighted sums of streams.

    Raises ValueError for a derivative that was not declared, naming the line to change.
    """

    def __init__(
        self,
        jet: Jet,
        column: int,
        name: str,
        coordinates: tuple[str, ...],
        owner: str,
        parts: Mapping[str, Parts] | None = None,
    ) -> None:
        self._jet, self._column, self._name = jet, column, name
        self._coordinates, self._owner = coordinates, owner
        self._parts = parts or {}

    @property
    def value(self) -> Tensor:
        """The field's values, (N,)."""
        return self._jet.value[:, self._column]

    def derivative(self, name: str) -> Tensor:
        """The derivative called `name` ("" the value), (N,)."""
        m = canonical(name)
        if m in self._parts:
            return sum((weight * self._stream(s) for s, weight in self._parts[m]), self._stream(None))
        if m not in self._jet.derivatives:
            condition = self._owner.startswith("condition")
            where = (
                f'write Condition(..., derivatives=("{m}",))'
                if condition
                else f'add "{m}" to its `derivatives = (...)`'
            )
            raise ValueError(f"{self._owner} uses {self._name}.{name}, which is not declared: {where}")
        return self._stream(m)

    def _stream(self, key: str | None) -> Tensor:
        stream = None if key is None else self._jet[key]
        if stream is None:
            return self.value.new_zeros(len(self.value))
        return stream[:, self._column].expand(len(self.value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if all(letter in self._coordinates for letter in name):
            return self.derivative(name).clone()  # a residual may change it in place
        if hasattr(self.value, name):  # u.abs(), u.shape: the values are a tensor
            return getattr(self.value, name)
        raise ValueError(
            f"{self._owner} uses {self._name}.{name}: no such derivative; "
            f"the coordinates are {', '.join(self._coordinates)}"
        )

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return function(*map(_values, args), **{k: _values(v) for k, v in (kwargs or {}).items()})

    def __add__(self, other: Any) -> Tensor:
        return self.value + _values(other)

    def __radd__(self, other: Any) -> Tensor:
        return _values(other) + self.value

    def __sub__(self, other: Any) -> Tensor:
        return self.value - _values(other)

    def __rsub__(self, other: Any) -> Tensor:
        return _values(other) - self.value

    def __mul__(self, other: Any) -> Tensor:
        return self.value * _values(other)

    def __rmul__(self, other: Any) -> Tensor:
        return _values(other) * self.value

    def __truediv__(self, other: Any) -> Tensor:
        return self.value / _values(other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _values(other) / self.value

    def __pow__(self, other: Any) -> Tensor:
        return self.value ** _values(other)

    def __rpow__(self, other: Any) -> Tensor:
        return _values(other) ** self.value

    def __lt__(self, other: Any) -> Tensor:
        return self.value < _values(other)

    def __le__(self, other: Any) -> Tensor:
        return self.value <= _values(other)

    def __gt__(self, other: Any) -> Tensor:
        return self.value > _values(other)

    def __ge__(self, other: Any) -> Tensor:
        return self.value >= _values(other)

    def __getitem__(self, index: Any) -> Tensor:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __abs__(self) -> Tensor:
        return self.value.abs()

    def __neg__(self) -> Tensor:
        return -self.value

    def __repr__(self) -> str:
        return f"Field({self._name}, {len(self.value)} points)"


def _values(x: Any) -> Any:
    """x with fields replaced by their values, also inside lists and tuples."""
    if isinstance(x, list | tuple):
        return type(x)(map(_values, x))
    return x.value if isinstance(x, Field) else x


def fields_of(
    jet: Jet, names: Sequence[str], coordinates: tuple[str, ...], owner: str, parts: Mapping[str, Parts] | None = None
) -> dict[str, Field]:
    """The fields of a jet (N, F) by name, in the order of its columns."""
    return {name: Field(jet, i, name, coordinates, owner, parts) for i, name in enumerate(names)}
