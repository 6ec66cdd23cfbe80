"""What the tests of malformed input share: how many cases, a problem tried to the end, what answers are allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from mask_pinns import Box, MaskPINN, Problem
from mask_pinns.datamodules import PointsDataModule


def cases(count: int) -> Any:
    """So many examples, the same ones each time."""
    calm = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=calm)


def one_line(error: BaseException | None) -> str:
    """What an error says, which is one line."""
    message = str(error)
    assert message and "\n" not in message, message
    return message


def tried(**attributes: Any) -> None:
    """Everything that happens to a problem before its first step, and loss and gradient at a few points."""
    own = {"domain": Box(x=(0, 1), t=(0, 1)), "derivatives": ("t",), "residual": lambda s, p, u: u.t + u}
    problem = type("Mine", (Problem,), {**own, **attributes})()
    module = MaskPINN(problem, {"name": "masked", "width": 4, "blocks": 1}, "adam")
    data = PointsDataModule(problem, points=7)
    module.check()
    problem.evaluation()
    loss, _ = module.objective.loss(module.network, data.draw(0))
    loss.backward()


def refused(culprit: str, **attributes: Any) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  (the message is checked below)
        tried(**attributes)
    assert culprit in one_line(error.value)


def answered(**attributes: Any) -> str:
    """What a problem that is wrong in some way is told, "" if it is not wrong."""
    try:
        tried(**attributes)
    except ValueError as error:
        message = one_line(error)
    else:
        return ""
    assert "Mine" in message or "condition" in message or "coordinate" in message, message
    return message


def give_up(error: BaseException) -> None:
    raise error
