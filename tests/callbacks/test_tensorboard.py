"""What a run leaves in TensorBoard and in drift.csv."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers import events, fit, module, real_pictures
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.plugins.custom_scalar import layout_pb2

from mask_pinns.callbacks import FeatureStatistics
from mask_pinns.callbacks.features.callback import HEATMAP_QUANTITIES, custom_scalars
from mask_pinns.callbacks.features.drift_table import DriftTable, column


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "wave-1"
    folder.mkdir()
    watchers = [FeatureStatistics(every=5, probes=64, folder=folder)]
    with pytest.MonkeyPatch.context() as patch:
        real_pictures(patch)
        fit(module("adam 6, lbfgs"), 12, watchers, logger=TensorBoardLogger(folder.parent, folder.name, version=""))
    return folder


def test_tensorboard_has_scalars_histograms_pictures_and_words(run: Path) -> None:
    written = events(run)
    tags = written.Tags()
    for quantity in ("feature/mean", "preactivation/skewness", "feature_tt/kurtosis", "feature/p99", "mask/openness"):
        assert f"{quantity}/0_input" in tags["scalars"]
        assert f"{quantity}/2_block1.2" in tags["scalars"]
    assert {"block_output/drift/3_block1", "gradient/norm/4_output"} <= set(tags["scalars"])
    assert [e.step for e in written.Scalars("preactivation/saturation/0_input")] == [0, 5, 10, 12]
    drift = [e.value for e in written.Scalars("feature/drift/0_input")]
    assert drift[0] == 0 and all(d > 0 for d in drift[1:])
    assert {"preactivation/1_block1.1", "feature_xx/1_block1.1", "alpha/1_block1.1"} <= set(tags["histograms"])
    assert [e.step for e in written.Histograms("feature/0_input")] == [0, 5, 10, 12]
    for quantity in HEATMAP_QUANTITIES:
        assert [e.step for e in written.Images(f"layers by steps/{quantity.replace('/', '_')}")] == [12]
    assert "what the statistics are/text_summary" in tags["tensors"]


def test_every_overlaid_quantity_has_a_chart_of_all_layers(run: Path) -> None:
    written = events(run)
    (content,) = [e.tensor_proto.string_val[0] for e in written.Tensors("custom_scalars__config__")]
    layout = layout_pb2.Layout.FromString(content)
    assert {c.title: [chart.title for chart in c.chart] for c in layout.category} == {
        kind: list(names) for kind, names in custom_scalars(("tt", "xx")).items()
    }
    assert {"feature_tt/drift", "feature_x/std"} <= {chart.title for c in layout.category for chart in c.chart}
    for chart in (chart for category in layout.category for chart in category.chart):
        matching = [tag for tag in written.Tags()["scalars"] if re.search(chart.multiline.tag[0], tag)]
        expected = {"block_output": 1, "gradient": 4}.get(chart.title.split("/")[0], 3)
        assert len(matching) == expected, f"{chart.title}: one line for each layer, not {matching}"


def test_drift_table_has_what_tensorboard_has(run: Path) -> None:
    with (run / "drift.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["step"]) for r in rows if r["layer"] == "input"] == [0, 5, 10, 12]
    assert len(rows) == 4 * 5
    written = events(run)
    for quantity in ("feature/drift", "preactivation/saturation", "feature/effective_rank"):
        shown = [e.value for e in written.Scalars(f"{quantity}/2_block1.2")]
        stored = [float(r[column(quantity)]) for r in rows if r["layer"] == "block1.2"]
        assert stored == pytest.approx(shown, rel=1e-6)
    assert {r["feature_drift"] for r in rows if r["layer"] == "output"} == {""}


def test_drift_table_goes_on_where_a_run_is_continued(tmp_path: Path) -> None:
    first = DriftTable(tmp_path / "drift.csv")
    for step in (0, 4, 8):
        first.add(step, {"input": {"f/a": step / 3}, "block1.1": {"f/a": 2.0}, "output": {"g/b": 1.0}})
    second = DriftTable(tmp_path / "drift.csv", resume_at=4)
    second.add(4, {"input": {"f/a": 7.0}, "block1.1": {"f/a": 2.0}, "output": {"g/b": 1.0}})
    with (tmp_path / "drift.csv").open(newline="") as file:
        rows = [(r["step"], r["layer"], r["f_a"]) for r in csv.DictReader(file) if r["layer"] != "output"]
    assert rows == [("0", "input", "0.0"), ("0", "block1.1", "2.0"), ("4", "input", "7.0"), ("4", "block1.1", "2.0")]
    axis = second.picture("f/a").axes[0]
    assert axis.images[0].get_array().tolist() == [[0.0, 7.0], [2.0, 2.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["input", "block1.1"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "4"]
    assert (second.has("f/a"), second.has("f/b")) == (True, False)


def test_settings_and_what_was_reached_can_be_compared(command: Any, tmp_path: Path) -> None:
    assert command("--steps", "4", "--mask_init", "2")[0] == 0
    written = events(tmp_path / "runs/wave-1")
    data = written.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"network.mask_init" in data and b"optimizer" in data
    assert [e.value for e in written.Scalars("final/rel_l2")] == pytest.approx(
        [json.loads((tmp_path / "runs/wave-1/summary.json").read_text())["rel_l2"]]
    )
