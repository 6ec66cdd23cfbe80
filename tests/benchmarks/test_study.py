"""Studies: their grids, their cells, their plans."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from studies import runner
from studies.grid import STUDIES, Cell, Study
from studies.tables import collect
from study import main
from tiny_study import TINY, shortened, words, write

from mask_pinns.networks import make_network
from mask_pinns.networks.assembly import assemble
from mask_pinns.problems.loading import make_problem


@cache
def cells_of(name: str) -> list[Cell]:
    """Of a stored study; matching the sizes of all its networks takes seconds."""
    return Study.read(STUDIES[name]).cells()


@pytest.mark.parametrize("name", STUDIES)
def test_the_smallest_cell_of_every_study_runs(name: str, tmp_path: Path) -> None:
    study = Study.read(STUDIES[name])
    cell = shortened(min(cells_of(name), key=lambda cell: cell.config["network"]["width"]), 2)
    assert runner.prepare([cell], tmp_path, retry=False) == [cell]
    assert runner.run_cell(tmp_path / cell.name) == ""
    table, curves = collect(study, [cell], tmp_path)
    assert runner.state(tmp_path / cell.name) == "done"
    assert table["rel_l2"].notna().all() and table["drift"].notna().all() and len(curves)


@pytest.mark.parametrize("name", STUDIES)
def test_cells_differ_where_their_axes_do_and_nowhere_else(name: str) -> None:
    study, cells = Study.read(STUDIES[name]), cells_of(name)
    assert len({cell.name for cell in cells}) == len(cells)
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(str({k: v for k, v in cell.values.items() if k != study.compared}), []).append(cell)
    for group in groups.values():
        for cell in group[1:]:
            assert _but_for(cell, study) == _but_for(group[0], study)


def _but_for(cell: Cell, study: Study) -> dict[str, object]:
    """The configuration without what is compared; with another network come its width, if matched, and own options."""
    compared = {study.compare["axis"].rpartition(".")[2]}
    compared |= {"name", "width", "mask_init"} if study.compare["axis"] == "network" else set()
    return {**cell.config, "network": {k: v for k, v in cell.config["network"].items() if k not in compared}}


def test_matched_networks_have_about_as_many_parameters() -> None:
    for cell in (cell for cell in cells_of("normalization") if cell.values["seed"] == 0):
        count = sum(p.numel() for p in make_network(dict(cell.config["network"]), 2, 1).parameters())
        target = sum(p.numel() for p in make_network({"name": "masked", "width": 32, "blocks": 2}, 2, 1).parameters())
        assert abs(count - target) < 0.04 * target, cell.name


def test_matched_networks_are_counted_behind_their_embedding(tmp_path: Path) -> None:
    """Eight harmonics of a periodic x, and t: 17 inputs for two."""
    study = Study.read(
        write(
            tmp_path / "s.yaml",
            match="masked",
            axes={"network": ["residual", "masked"], "seed": [0]},
            compare={"axis": "network", "baseline": "residual"},
            settings=TINY["settings"] | {"problem": "kdv", "network.width": 8, "embedding.periodic": ["x"],
                                         "embedding.harmonics": 8},
        )
    )  # fmt: skip
    residual, masked = study.cells()
    assert masked.config["network"]["width"] == 8, "the one that is matched keeps its own"
    target = count_at(masked, 0)
    nearest, *beside = [abs(count_at(residual, wider) - target) for wider in (0, -1, 1)]
    assert nearest < min(beside)


def count_at(cell: Cell, wider: int) -> int:
    """Parameters of the cell's network, embedded, at a width so much larger."""
    network = cell.config["network"] | {"width": cell.config["network"]["width"] + wider}
    made = assemble(network, make_problem(cell.config["problem"]), embedding=cell.config["embedding"])
    return sum(p.numel() for p in made.parameters())


def test_settings_by_axis_and_over_the_file(tmp_path: Path) -> None:
    study = Study.read(
        write(tmp_path / "s.yaml", config="configs/paper/wave.yaml", where={"network.mask": {True: {"lr": 0.5}}})
    )
    masked, plain = study.cells([7])[1], study.cells([7])[0]
    assert (masked.config["lr"], plain.config["lr"], masked.config["seed"]) == (0.5, 1e-3, 7)
    assert masked.config["network"]["activation"] == "gelu", "the file's"
    assert masked.config["problem"] == {"name": "wave"}


def test_cells_of_two_definitions_do_not_mix(tmp_path: Path) -> None:
    study = write(tmp_path / "s.yaml")
    runner.prepare(Study.read(study).cells(), tmp_path, retry=False)
    write(study, settings=TINY["settings"] | {"steps": 11})
    with pytest.raises(ValueError, match="another definition"):
        runner.prepare(Study.read(study).cells(), tmp_path, retry=False)


def test_the_plan_lists_cells_and_time_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(write(tmp_path / "s.yaml"), "--dry_run")) == 0
    assert "4 cells; what is left takes about" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "cells").exists()


def test_the_plan_shows_whole_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = [[{"optimizer": "adam", "lr": rate, "decay": 0.5, "decay_every": 10, "steps": 4}] for rate in (0.125, 0.25)]
    file = write(tmp_path / "s.yaml", axes=TINY["axes"] | {"optimizer": rates, "seed": [0]})
    assert main([str(file), "--dry_run", "--out", str(tmp_path / "cells")]) == 0
    shown = "".join(line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line)
    for cell in Study.read(file).cells():
        assert cell.name in shown
    assert not (tmp_path / "cells").exists()


def test_an_unknown_study_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maks"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "mask_on_off" in message
