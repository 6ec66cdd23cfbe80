"""Alarms: what raises each kind, its text, and where it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import events, fit
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console

from mask_pinns import MaskPINN
from mask_pinns.callbacks import FeatureStatistics
from mask_pinns.callbacks.features.alarms import KINDS, Alarms


def quantities(**values: float) -> dict[str, dict[str, float]]:
    usual = {"feature/std": 1.0, "preactivation/std": 1.0, "preactivation/saturation": 0.1, "mask/closed": 0.0}
    rank = {"feature/effective_rank": 8.0}
    return {"input": usual | rank, "block1.1": usual | rank | {k.replace("_", "/", 1): v for k, v in values.items()}}


@pytest.mark.parametrize(
    ("kind", "bad", "word"),
    [
        ("exploding spread", {"feature_std": 12.5}, "12.5 times as wide"),
        ("saturation", {"preactivation_saturation": 0.7}, "70%"),
        ("dead masks", {"mask_closed": 0.25}, "25%"),
        ("collapsed rank", {"feature_effective_rank": 1.06}, "effective rank 1.06; at the start 8.00"),
    ],
)
def test_an_alarm_names_layer_step_and_cure_once(kind: str, bad: dict[str, float], word: str) -> None:
    alarms = Alarms()
    assert alarms(0, quantities(), quantities()) == {}
    ((name, text),) = alarms(40, quantities(**bad), quantities()).items()
    assert name == kind
    for piece in ("block1.1", "step 40", word, "What usually helps", KINDS[kind].remedy):
        assert piece in text
    assert alarms(50, quantities(**bad), quantities()) == {}, "at most one a kind"


@pytest.mark.parametrize("kind", ["exploding spread", "saturation"])
def test_the_mask_is_advised_where_there_is_none(kind: str) -> None:
    bad = quantities(feature_std=12.5, preactivation_saturation=0.7)
    assert "--mask true" not in Alarms()(9, bad, quantities(), masked=True)[kind]
    assert "--mask true" in Alarms()(9, bad, quantities(), masked=False)[kind]


def test_masks_that_begin_shut_are_dead_when_training_leaves_them_so() -> None:
    shut, alarms = quantities(mask_closed=0.9), Alarms()
    assert alarms(0, shut, shut) == {}
    assert list(alarms(20, quantities(mask_closed=0.9, feature_std=1.1), shut)) == ["dead masks"]


def test_growing_from_next_to_nothing_is_learning() -> None:
    start = quantities(feature_std=1e-6, preactivation_std=1e-5)
    assert Alarms()(9, quantities(feature_std=0.5, preactivation_std=2.0), start) == {}
    assert list(Alarms()(9, quantities(feature_std=0.5, preactivation_std=20.0), start)) == ["exploding spread"]


def test_few_directions_are_no_collapse_where_there_were_few() -> None:
    assert Alarms()(9, quantities(feature_effective_rank=1.01), quantities(feature_effective_rank=1.9)) == {}
    assert Alarms()(9, quantities(feature_effective_rank=1.2), quantities()) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_which_nothing_is_known_silences_no_other(kind: str) -> None:
    """NaN in the first layer, and in one of the numbers of the second."""
    bad = {"exploding spread": {"feature_std": 12.5, "preactivation_std": torch.nan}, "saturation":
           {"preactivation_saturation": 0.7}, "dead masks": {"mask_closed": 0.25}, "collapsed rank":
           {"feature_effective_rank": 1.0}}[kind]  # fmt: skip
    now = quantities(**bad)
    now["input"] = dict.fromkeys(now["input"], torch.nan)
    assert [*Alarms()(9, now, quantities())] == [kind]


def test_alarms_reach_the_terminal_the_file_and_tensorboard(tmp_path: Path) -> None:
    steep = {"name": "masked", "width": 8, "blocks": 1, "first_scale": 80.0, "activation": "tanh"}
    torch.manual_seed(0)
    m, console = MaskPINN("wave", steep), Console(record=True, width=400)
    watchers = [FeatureStatistics(every=2, probes=64, folder=tmp_path, console=console)]
    fit(m, 4, watchers, logger=TensorBoardLogger(tmp_path, "", version=""))
    (line,) = (tmp_path / "alarms.txt").read_text().splitlines()
    assert line.startswith("saturation: layer input: at step 0")
    assert line in console.export_text()
    assert "alarms/saturation/text_summary" in events(tmp_path).Tags()["tensors"]
