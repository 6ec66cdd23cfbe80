"""Error metrics against their formulas, over several chunks."""

from __future__ import annotations

import torch

from mask_pinns.metrics import MaxError, RelativeL2


def test_errors_over_chunks_are_those_of_all_points() -> None:
    """The worst point is in the first chunk, and not the mean of the errors."""
    predicted = torch.tensor([[1.0, 2.0], [3.0, 9.0], [5.0, 6.5]], dtype=torch.float64)
    true = torch.tensor([[1.0, 2.5], [3.0, 5.0], [5.5, 6.0]], dtype=torch.float64)
    relative, largest = RelativeL2(), MaxError()
    for i, j in ((0, 2), (2, 3)):
        relative.update(predicted[i:j], true[i:j])
        largest.update(predicted[i:j], true[i:j])
    assert float(largest.compute()) == 4.0
    torch.testing.assert_close(relative.compute(), torch.linalg.norm(predicted - true) / torch.linalg.norm(true))
