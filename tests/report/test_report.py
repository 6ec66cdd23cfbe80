"""The report: one page for a run or a pair, complete in itself, or one line about what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers import FULLY_RECORDED, ROOT, TINY
from matplotlib.figure import Figure

from mask_pinns.cli.main import main as train
from mask_pinns.report.figures import _image, _line_chart
from mask_pinns.report.page import TABLES, main, names, page
from mask_pinns.report.run_record import RunRecord
from mask_pinns.settings import RECORDED


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    flags = ["--steps", "6", "--folder", str(folder), "--statistics_every", "2", *FULLY_RECORDED]
    assert train([*TINY, *flags, "--name", "masked"]) == 0
    assert train([*TINY, *flags, "--name", "plain", "--mask", "false", "--first_bias", "0.5"]) == 0
    assert train([*TINY, *flags, "--name", "unwatched", "--statistics_record"]) == 0
    return folder


class Addresses(HTMLParser):
    """Everything that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attrs if name in ("src", "href")]


def test_a_pair_is_compared_and_the_page_is_complete_in_itself(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = runs / "pair.html"
    assert main([str(runs / "masked"), str(runs / "plain"), "--out", str(out)]) == 0
    assert f"written to {out}" in capsys.readouterr().out
    html = out.read_text()
    addresses = Addresses()
    addresses.feed(html)
    assert all(address.startswith(("data:", "#")) for address in addresses.urls)
    assert sum(address.startswith("data:image") for address in addresses.urls) >= 10
    assert re.findall(r'<tr class="differs"><th>([^<]*)</th>', html) == ["network.first_bias", "network.mask"]
    masked, plain = (RunRecord.read(runs / name) for name in ("masked", "plain"))
    for run in (masked, plain):
        for layer in ("input", "block1.1", "block1.2"):
            assert f"{run.last(layer, 'feature_drift'):.2g}" in html
        assert f"{run.summary['rel_l2']:.4g}" in html
    assert masked.last("input", "feature_drift") != plain.last("input", "feature_drift")


def test_one_run_reports_beside_itself(runs: Path) -> None:
    """With its layers, and its block outputs and masks in tables of their own."""
    assert main([str(runs / "masked")]) == 0
    html = (runs / "masked/report.html").read_text()
    assert "<title>masked: report</title>" in html and "is unfinished" not in html
    assert all(f"<tr><th>{layer}</th>" in html for layer in ("input", "block1.1", "block1.2"))
    run = RunRecord.read(runs / "masked")
    tables = [run.layers_with(*compared) for compared in TABLES.values()]
    assert tables == [["input", "block1.1", "block1.2"], ["block1"]]
    assert '<th colspan="1">mask openness</th>' in html and "Each block output in its last recording" in html
    cells = re.search(r"<tr><th>block1</th>(.*)</tr>", html)[1]
    assert re.findall(r">([^<]+)</td>", cells)[0] == f"{run.last('block1', 'block_output_drift'):.2g}"


def test_a_run_without_statistics_has_a_report_all_the_same(runs: Path) -> None:
    assert "No statistics of features were recorded" in page([RunRecord.read(runs / "unwatched")])


@pytest.mark.parametrize("record", RECORDED)
def test_a_run_with_some_statistics_has_a_report(tmp_path: Path, record: str) -> None:
    described = ["drift"] if record == "derivatives" else []
    flags = ["--steps", "2", "--folder", str(tmp_path), "--name", "some", "--statistics_record", record, *described]
    assert train([*TINY, *flags]) == 0
    assert main([str(tmp_path / "some")]) == 0


def test_runs_of_the_same_name_are_told_apart() -> None:
    """By as many folders above them as it takes."""
    assert names([Path("/a/masked"), Path("/a/plain")]) == ["masked", "plain"]
    assert names([Path("/a/masked"), Path("/b/masked")]) == ["a/masked", "b/masked"]
    assert names([Path("/x/runs/m1"), Path("/y/runs/m1")]) == ["x/runs/m1", "y/runs/m1"]
    assert names([Path("/runs/m1"), Path("/y/runs/m1")]) == ["/runs/m1", "y/runs/m1"]
    assert names([Path("/a/masked"), Path("/a/masked")]) == ["masked", "masked"]


def copied(run: Path, to: Path, *left_out: str) -> Path:
    to.mkdir(parents=True)
    for name in ("summary.json", "config.yaml", "metrics.csv", "drift.csv"):
        if name not in left_out:
            (to / name).write_bytes((run / name).read_bytes())
    return to


def test_a_run_that_goes_on_has_a_report_of_what_there_is(runs: Path, tmp_path: Path) -> None:
    """No summary yet, and a last recording that is half written: its last line, and its last layers."""
    folder = copied(runs / "masked", tmp_path / "run", "summary.json")
    whole = (folder / "drift.csv").read_text()
    for cut in (1, 40, 700):
        (folder / "drift.csv").write_text(whole[:-cut])
        assert len(_image(RunRecord.read(folder), "feature_drift")[0]) >= 3
    assert main([str(folder)]) == 0
    html = (folder / "report.html").read_text()
    assert "<b>run</b> is unfinished" in html
    assert "Drift of the features h, layers by steps" in html


def test_errors_are_those_of_each_field(runs: Path, tmp_path: Path) -> None:
    folder = copied(runs / "masked", tmp_path / "run")
    errors = {"u": {"rel_l2": 1.25e-7, "max_error": 2.0}, "P": {"rel_l2": None, "max_error": None}}
    summary = json.loads((folder / "summary.json").read_text()) | {"errors": errors}
    (folder / "summary.json").write_text(json.dumps(summary))
    assert main([str(folder)]) == 0
    html = (folder / "report.html").read_text()
    for label, value in (("relative L2 of u", "1.25e-07"), ("largest error of u", "2"), ("relative L2 of P", "-")):
        assert re.search(rf"{label}</th>\s*<td[^>]*>{value}</td>", html)


def test_the_pair_of_the_readme_can_be_reported_from_the_repository(tmp_path: Path) -> None:
    pair, out = ROOT / "benchmarks/results/convection_pair", tmp_path / "pair.html"
    assert main([str(pair / "masked"), str(pair / "unmasked"), "--out", str(out)]) == 0
    html = out.read_text()
    assert "<title>masked and unmasked: report</title>" in html and "is unfinished" not in html
    assert re.findall(r'<tr class="differs"><th>([^<]*)</th>', html) == ["network.mask"]


def test_what_a_recording_lacks_is_left_open(runs: Path, tmp_path: Path) -> None:
    folder = copied(runs / "masked", tmp_path / "run")
    rows = (folder / "drift.csv").read_text().splitlines(keepends=True)
    (folder / "drift.csv").write_text("".join(rows[:-3]))  # of the last look: input and block1.1
    run = RunRecord.read(folder)
    steps, image = _image(run, "feature_drift")
    assert steps == [0, 2, 4, 6] and run.layers_with("feature_drift") == ["input", "block1.1", "block1.2"]
    assert np.isnan(image).tolist() == [[False] * 4, [False] * 4, [False] * 3 + [True]]
    assert page([run])


def test_layers_of_two_networks_have_one_colour_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs of one and of two blocks: what both have is drawn alike, and the legend names what either has."""
    figures: list[Figure] = []
    monkeypatch.setattr("mask_pinns.report.figures.svg_of", lambda figure: figures.append(figure) or "drawn")

    def run(name: str, *layers: str) -> RunRecord:
        drift = [{"step": s, "layer": layer, "feature_drift": s + 0.5} for s in (0.0, 2.0) for layer in layers]
        return RunRecord(name, tmp_path, {}, {}, [], drift, [])

    pair = [run("short", "input", "block1.1"), run("deep", "input", "block1.1", "block2.1"), run("other", "gate_u")]
    _line_chart(pair, "feature_drift", "drift")
    (figure,) = figures
    colours = [{line.get_label(): tuple(line.get_color()) for line in axis.lines} for axis in figure.axes]
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["input", "block1.1", "block2.1", "gate_u"]
    named = dict(zip(labels, (tuple(line.get_color()) for line in legend.get_lines()), strict=True))
    assert len(set(named.values())) == 4
    assert all(named[layer] == colour for panel in colours for layer, colour in panel.items())


def test_alarms_are_shown_and_names_are_escaped(runs: Path) -> None:
    run = RunRecord.read(runs / "unwatched")
    run.alarms.append("saturation: layer input: <script>alert(1)</script>")
    html = page([run])
    assert "saturation: layer input" in html and "<script>" not in html


Spoil = Callable[[Path], object]


def without_column(path: Path, name: str) -> None:
    """A table whose column has another name."""
    path.write_text(path.read_text().replace(name, "other", 1))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "summary.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "summary.json").write_text("[1]"), "summary.json holds [1]; expected names with values"),
        (lambda f: (f / "drift.csv").write_text("step,layer,a\n1,y,z\n"), "cannot be read"),
        (lambda f: (f / "config.yaml").write_text("- a\n- b\n"), "config.yaml holds ['a', 'b']; expected names"),
        (lambda f: without_column(f / "metrics.csv", "step"), "metrics.csv has no column 'step'"),
        (lambda f: without_column(f / "drift.csv", "layer"), "drift.csv has no column 'layer'"),
        (lambda f: [path.unlink() for path in f.iterdir()], "is no run: it has none of summary.json, config.yaml"),
        (shutil.rmtree, "is no folder"),
    ],
)
def test_what_is_no_run_is_answered_in_one_line(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str], spoil: Spoil, words: str
) -> None:
    folder = copied(runs / "masked", tmp_path / "run")
    spoil(folder)
    assert main([str(folder)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and words in err and err.count("\n") == 1
