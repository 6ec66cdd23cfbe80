"""What studies show: pairs and tests by known numbers, failures that count, and the page that says it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies import runner
from studies.effects import Effect, corrected, effect
from studies.evidence import by_setting, pairs, summary, verdict
from studies.grid import Study
from studies.page import store, write_page
from study import main
from tiny_study import TINY, run_here, shortened, write

WITH_DRIFT = TINY["settings"] | {"statistics_record": ["drift"]}
"""Settings of cells whose results are drawn."""


def table_of(errors: dict[tuple[str, bool], list[float]]) -> pd.DataFrame:
    rows = [
        {"problem": p, "mask": m, "seed": seed, "state": "done", "rel_l2": e, "drift": e, "reason": "", "device": "cpu",
         "torch": "2", "dtype": "float32", "commit": "abc", "wall_s": 1.0}
        for (p, m), values in errors.items() for seed, e in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def by_problem(tmp_path: Path) -> Study:
    return Study.read(write(tmp_path / "s.yaml", axes={"problem": ["a", "b"], **TINY["axes"]}))


def test_pairs_by_hand(tmp_path: Path) -> None:
    errors = {
        ("a", False): [1.0, 2.0, 4.0],
        ("a", True): [0.1, 0.1, 8.0],
        ("b", False): [1.0, 1.0, 1.0],
        ("b", True): [2.0, 3.0, 5.0],
    }
    study = by_problem(tmp_path)
    compared = pairs(table_of(errors), study)
    settings = by_setting(compared, study)
    assert (settings["value"] == "True").all()
    by = settings.set_index("problem")
    assert by.loc["a", "log_ratio"] == pytest.approx(-1.0), "the median of 0.1, 0.05, 2"
    assert (by.loc["a", "better"], by.loc["a", "worse"]) == (2, 1)
    assert by.loc["a", "spread"] == pytest.approx(80)
    assert by.loc["b", "log_ratio"] == pytest.approx(0.47712, abs=1e-5)
    outcome = verdict(settings, "True")
    assert [outcome["all"][key] for key in ("better", "surely_better", "surely_worse")] == [1, 0, 1]


def test_an_effect_by_hand(tmp_path: Path) -> None:
    """Problems are the units: log10 0.1 and 0.01 have the mean -1.5; errors above 1 count as 1."""
    errors = {("a", False): [0.5, 7.0], ("a", True): [0.05, 0.1], ("b", False): [0.1], ("b", True): [0.001]}
    found = effect(pairs(table_of(errors), by_problem(tmp_path)), by_problem(tmp_path), "True")
    assert (found.unit, found.units) == ("problem", 2)
    assert found.factor == pytest.approx(10**-1.5)
    half = 12.706 * 0.5**0.5 / 2**0.5  # t(0.975, 1), the standard deviation of -1 and -2
    assert np.log10([found.low, found.high]) == pytest.approx([-1.5 - half, -1.5 + half], rel=1e-4)
    one = effect(pairs(table_of({("a", False): [0.5], ("a", True): [0.05]}), by_problem(tmp_path)),
                 by_problem(tmp_path), "True")  # fmt: skip
    assert one.units == 0 and np.isnan(one.p) and not one.shown
    same = {("a", False): [0.5], ("a", True): [2.0], ("b", False): [0.5], ("b", True): [3.0]}
    assert not effect(pairs(table_of(same), by_problem(tmp_path)), by_problem(tmp_path), "True").shown, "clipped alike"


@pytest.mark.parametrize(("problems", "shared"), [(4, 1.0), (4, 3.0), (1, 1.0)])
def test_chance_alone_shows_a_difference_in_five_of_a_hundred_studies(
    problems: int, shared: float, tmp_path: Path
) -> None:
    """24 settings of 4 problems that share their luck, or six widths of one problem and three seeds."""
    study = Study.read(
        write(tmp_path / "s.yaml", axes={"problem": ["a", "b"], "network.width": [1, 2], **TINY["axes"]})
    )
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(
        [{"problem": p, "width": w, "seed": s} for p in range(problems) for w in range(6) for s in range(3)]
    )
    common = rows["problem"] if problems > 1 else rows["seed"]
    shown = []
    for _ in range(400):
        luck = shared * draw.normal(size=4)[common] + draw.normal(size=len(rows))
        table = rows.assign(value="True", base=1e-5, error=10 ** (-5 + 0.5 * luck))
        shown.append(effect(table, study, "True").shown)
    assert 0.02 <= np.mean(shown) <= 0.08


def test_several_tests_are_corrected_together() -> None:
    given = [Effect("x", "problem", 4, 0.5, 0.1, 0.9, p, p) for p in (0.04, 0.01, float("nan"), 0.03)]
    assert [e.corrected for e in corrected(given)] == pytest.approx([0.06, 0.03, float("nan"), 0.06], nan_ok=True)


def test_a_setting_that_neither_solves_counts_in_one_verdict_alone(tmp_path: Path) -> None:
    study = by_problem(tmp_path)
    errors = {("a", False): [0.9], ("a", True): [0.8], ("b", False): [0.9], ("b", True): [0.1]}
    compared = pairs(table_of(errors), study)
    outcome = verdict(by_setting(compared, study), "True")
    assert (outcome["all"]["settings"], outcome["solved"]["settings"]) == (2, 1)
    assert outcome["solved"]["factor"] == pytest.approx(1 / 9)


def lost(table: pd.DataFrame, mask: bool, seed: int, state: str, reason: str = "") -> pd.DataFrame:
    """The table with a cell that is not done."""
    here = (table["mask"] == mask) & (table["seed"] == seed)
    return table.assign(
        state=table["state"].mask(here, state),
        rel_l2=table["rel_l2"].mask(here),
        reason=table["reason"].mask(here, reason),
    )


def test_a_cell_that_failed_is_the_worse_of_its_pair(tmp_path: Path) -> None:
    study = by_problem(tmp_path)
    table = table_of({("a", False): [1.0, 2.0, 2.0], ("a", True): [0.5, 1.0, 1.0]})
    for mask, seeds, better, worse, factor in [
        (True, [1], 2, 1, 0.5),
        (True, [1, 2], 1, 2, np.inf),
        (False, [1], 3, 0, 0.5),
    ]:
        cut = table
        for seed in seeds:
            cut = lost(cut, mask, seed, "failed")
        compared = pairs(cut, study)
        setting = by_setting(compared, study).iloc[0]
        assert (setting["pairs"], setting["better"], setting["worse"]) == (3, better, worse)
        assert verdict(by_setting(compared, study), "True")["all"]["factor"] == pytest.approx(factor)


def test_pairs_of_which_both_failed_or_one_is_unfinished_are_left_out(tmp_path: Path) -> None:
    study, table = by_problem(tmp_path), table_of({("a", False): [1.0, 2.0], ("a", True): [0.5, 1.0]})
    both = lost(lost(table, True, 1, "failed"), False, 1, "failed")
    for cut in (both, lost(table, True, 1, "begun"), lost(table, False, 1, "new")):
        assert pairs(cut, study)["seed"].tolist() == [0]


def test_an_effect_counts_cells_that_failed_as_an_error_of_one(tmp_path: Path) -> None:
    study = by_problem(tmp_path)
    table = table_of({("a", False): [0.1, 0.1], ("a", True): [0.01, 0.01]})
    found = effect(pairs(lost(table, True, 1, "failed"), study), study, "True")
    assert found.unit == "seed" and found.factor == pytest.approx(1.0), "a tenth, and ten times"
    summed = summary(by_setting(pairs(lost(table, True, 1, "failed"), study), study))
    assert summed["worst"] == np.inf


def test_a_cell_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    table = table_of({("a", False): [1.0], ("a", True): [0.5]})
    with pytest.raises(ValueError, match="not unique"):
        pairs(pd.concat([table, table]), by_problem(tmp_path))


def test_the_page_says_where_it_does_not_help(tmp_path: Path) -> None:
    study = by_problem(tmp_path)
    errors = {
        ("a", False): [0.01, 0.02],
        ("a", True): [0.001, 0.002],
        ("b", False): [0.1, 0.1],
        ("b", True): [0.2, 0.9],
    }
    results = tmp_path / "results"
    results.mkdir()
    table_of(errors).to_csv(results / "s.csv", index=False)
    write_page([study], results, tmp_path / "RESULTS.md")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "lower median error in 1 of 2 settings (in all pairs: 1;" in page
    assert "*Where it does not help.* 1 settings have the higher error:" in page
    assert "b True (4.2)" in page and "1 of 8 cells end with an error above 0.5" in page


def test_the_page_lists_what_failed_or_is_unfinished_by_value_and_reason(tmp_path: Path) -> None:
    study, table = by_problem(tmp_path), table_of({("a", False): [1.0, 2.0, 3.0], ("a", True): [0.5, 1.0, 1.5]})
    table = lost(table, True, 0, "failed", "stopped: the loss became nan at step 12")
    table = lost(lost(table, True, 1, "failed", "stopped: the loss became nan at step 7"), False, 2, "begun")
    table.to_csv(tmp_path / "s.csv", index=False)
    write_page([study], tmp_path, tmp_path / "s.md")
    page = (tmp_path / "s.md").read_text()
    assert "- mask = True: 2 cells, failed: stopped: the loss became nan at step N\n" in page
    assert "- mask = False: 1 cell, begun, not finished\n" in page
    assert "lower median error in 0 of 1 settings" in page and "a True (inf)" in page


def test_where_every_cell_failed_the_page_says_so(tmp_path: Path) -> None:
    study = by_problem(tmp_path)
    cells = study.cells([0])
    for cell in cells:
        (tmp_path / "c" / cell.name).mkdir(parents=True)
        runner.fail(tmp_path / "c" / cell.name, f"error: {tmp_path / 'c' / cell.name} is full")
    store(study, cells, tmp_path / "c", tmp_path)
    write_page([study], tmp_path, tmp_path / "s.md")
    page = (tmp_path / "s.md").read_text()
    assert "0 of 4 cells" in page and "Nothing: no cell can be held against one with mask = False" in page
    assert str(tmp_path) not in (tmp_path / "s.csv").read_text(), "reasons name no folder of this machine"
    pd.read_csv(tmp_path / "s.csv").dropna(axis=1).drop(columns="reason").to_csv(tmp_path / "s.csv", index=False)
    write_page([study], tmp_path, tmp_path / "s.md")
    assert "0 of 4 cells" in (tmp_path / "s.md").read_text(), "tables of before, with fewer columns, are read"


def test_pictures_are_drawn_from_stored_runs(tmp_path: Path) -> None:
    axes = {"network.width": [3, 4], **TINY["axes"], "seed": [0]}
    study = Study.read(write(tmp_path / "s.yaml", axes=axes, settings=WITH_DRIFT))
    cells = [shortened(cell, 4) for cell in study.cells()]
    for cell in runner.prepare(cells, tmp_path / "c", retry=False):
        assert runner.run_cell(tmp_path / "c" / cell.name) == ""
    store(study, cells, tmp_path / "c", tmp_path / "r")
    assert {p.name for p in (tmp_path / "r").glob("*.png")} == {
        f"s-{kind}.png" for kind in ("box", "drift", "steps", "width")
    }
    assert json.loads((tmp_path / "c" / cells[0].name / "run" / "summary.json").read_text())["seed"] == 0


def test_other_seeds_are_stored_beside_those_that_there_are(tmp_path: Path) -> None:
    tiny = TINY["settings"] | {"steps": 2}
    file = write(tmp_path / "s.yaml", settings=tiny, axes={"network.mask": [False, True], "seed": [0]})
    for seeds in ([], ["--seeds", "7"]):
        assert run_here(file, *seeds) == 0
    table = pd.read_csv(tmp_path / "results" / "s.csv")
    assert sorted(zip(table["seed"], table["state"], strict=True)) == [(s, "done") for s in (0, 0, 7, 7)]
    assert main([str(file), "--report", "--results", str(tmp_path / "results")]) == 0
    assert "4 of 4 cells, seeds 0, 7" in (tmp_path / "results" / "s.md").read_text()


def test_axes_keep_their_columns_whatever_results_are_called(tmp_path: Path) -> None:
    """Phases as values, and an axis `steps` of a run that ends before them, by a target it has at once."""
    phases = [[{"optimizer": "adam", "target": 1e9, "lr": rate}] for rate in (0.1, 0.2)]
    axes = {"optimizer": phases, "steps": [60, 61], "network.mask": [False, True]}
    study = Study.read(write(tmp_path / "s.yaml", axes=axes, settings=WITH_DRIFT))
    cells = study.cells()
    for cell in runner.prepare(cells[:2], tmp_path / "c", retry=False):
        assert runner.run_cell(tmp_path / "c" / cell.name) == ""
    store(study, cells, tmp_path / "c", tmp_path)
    table = pd.read_csv(tmp_path / "s.csv")
    assert table["steps"].tolist() == [60, 60, 61, 61] * 2
    assert table["optimizer"].unique().tolist() == [str(phase) for phase in phases]
    assert len(pd.read_csv(tmp_path / "s-pairs.csv")) == 1
    write_page([study], tmp_path, tmp_path / "s.md")
    assert "2 of 8 cells" in (tmp_path / "s.md").read_text()
