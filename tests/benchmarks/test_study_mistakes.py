"""Mistakes in a study's file or its flags: one line with the file and the key, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from studies.grid import Study
from study import main
from tiny_study import TINY, write

AXES, SETTINGS = TINY["axes"], TINY["settings"]
TWO = {"axis": "network.mask", "baseline": False}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"wher": {}}, "unknown key 'wher'; did you mean 'where'"),
    ({"title": 3}, "title is 3; expected text"),
    ({"axes": ["a"]}, "axes is ['a']; expected names and values"),
    ({"axes": AXES | {"seed": []}}, "axes.seed is []; expected a list"),
    ({"axes": AXES | {"seed": 0}}, "axes.seed is 0; expected a list"),
    ({"axes": AXES | {"problem": "wave"}}, "axes.problem is 'wave'; expected a list of values, e.g. [wave]"),
    ({"axes": AXES | {"seed": [0, 0]}}, "axes.seed has 0 more than once"),
    ({"axes": AXES | {"seed": [-1]}}, "axes.seed is [-1]; expected whole numbers"),
    ({"axes": AXES | {"optimizer": ["adam 2", "adam_2"]}}, "two cells are called mask=false,seed=0,optimizer=adam_2"),
    ({"axes": AXES | {"optimizer": ["a" * 200]}}, "shorten the values"),
    ({"axes": {"network.mask": [False]}}, "axes.network.mask has one value"),
    ({"compare": "network.mask"}, "compare is 'network.mask'; expected names and values"),
    ({"compare": {"axis": "network.mask"}}, "compare has no 'baseline'"),
    ({"compare": {"baseline": False}}, "compare has no 'axis'"),
    ({"compare": TWO | {"axis": "network.maks"}}, "did you mean 'network.mask'"),
    ({"compare": TWO | {"baseline": "none"}}, "compare.baseline has 'none', which is not on the axis network.mask"),
    ({"compare": TWO | {"basline": 1}}, "did you mean 'baseline'"),
    ({"where": ["a"]}, "where is ['a']; expected names and values"),
    ({"where": {"network.maks": {}}}, "did you mean 'network.mask'"),
    ({"where": {"network.mask": 3}}, "where.network.mask is 3; expected values of that axis"),
    ({"where": {"network.mask": {"yes": {"lr": 0.5}}}}, "where.network.mask has 'yes', which is not on the axis"),
    ({"where": {"network.mask": {True: 3}}}, "where.network.mask.True is 3; expected names and values"),
    ({"settings": ["a"]}, "settings is ['a']; expected names and values"),
    ({"settings": {1: 2}}, "settings is {1: 2}; expected names and values"),
    ({"match": "maskd"}, "unknown network to match: 'maskd'; did you mean 'masked'"),
    ({"config": "configs/paper/{prblem}.yaml"}, "has a placeholder that is none of mask, seed"),
    ({"config": "configs/{}.yaml"}, "has a placeholder that is none of mask, seed"),
    ({"config": "configs/nothing.yaml"}, "nothing.yaml does not exist"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_mistakes_in_a_study_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^s\.yaml: .*") as error:
        Study.read(write(tmp_path / "s.yaml", **changes))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["title", "question", "budget", "axes", "compare"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in TINY.items() if name != key}))
    with pytest.raises(ValueError, match=f"s.yaml: there is no key '{key}'"):
        Study.read(path)


@pytest.mark.parametrize(("text", "message"), [("title: [", "is not YAML"), ("", "no key 'title'"), ("- a", "a list")])
def test_files_that_hold_no_study_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        Study.read(tmp_path / "s.yaml")


@pytest.mark.parametrize("dry", [[], ["--dry_run"]], ids=["run", "dry_run"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": AXES | {"network.wdith": [3, 4]}}, "cell mask=false,wdith=3: unknown setting --network.wdith"),
        ({"settings": SETTINGS | {"stepz": 3}}, "cell mask=false: unknown setting --stepz"),
        ({"where": {"network.mask": {True: {"lr": -1.0}}}}, "cell mask=true: "),
    ],
)
def test_what_train_py_does_not_take_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dry: list[str], changes: dict[str, Any], message: str
) -> None:
    study = write(tmp_path / "s.yaml", **changes)
    assert main([str(study), "--out", str(tmp_path / "cells"), *dry]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
    assert not (tmp_path / "cells").exists()


@pytest.mark.parametrize(
    ("axes", "words", "message"),
    [
        ({"network.mask": [False, True]}, ["--seeds", "7"], "has no axis `seed`"),
        (AXES, ["--seeds", "7", "7"], "axes.seed has 7 more than once"),
        (AXES, ["--seeds", "-1"], "expected whole numbers from 0"),
        (AXES, ["--report"], "no results of s are stored"),
    ],
)
def test_flags_that_do_not_fit_the_study_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], axes: dict[str, Any], words: list[str], message: str
) -> None:
    study = write(tmp_path / "s.yaml", axes=axes)
    assert main([str(study), "--out", str(tmp_path / "cells"), "--results", str(tmp_path / "results"), *words]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_a_file_called_like_a_study_that_there_is_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(write(tmp_path / "width.yaml")), "--dry_run"]) == 2
    assert "give the file a name of its own" in capsys.readouterr().err


def test_axes_that_would_share_a_column_keep_their_whole_names(tmp_path: Path) -> None:
    axes = AXES | {"points.initial": [10], "weights.initial": [1.0], "problem.spread": [1], "steps": [2]}
    study = Study.read(write(tmp_path / "s.yaml", axes=axes))
    assert list(study.columns.values()) == [
        "mask",
        "seed",
        "points.initial",
        "weights.initial",
        "problem.spread",
        "steps",
    ]


def test_values_of_any_kind_are_told_apart_by_their_text(tmp_path: Path) -> None:
    phases = [{"optimizer": "adam", "steps": 3}]
    axes = AXES | {"optimizer": [phases, "adam"]}
    study = Study.read(write(tmp_path / "s.yaml", axes=axes, where={"optimizer": {"adam": {"lr": 0.1}}}))
    by_name = {cell.name: cell.config.get("lr") for cell in study.cells([0]) if not cell.values["mask"]}
    assert by_name == {"mask=false,seed=0,optimizer=_optimizer_adam_,_steps_3_": None,
                       "mask=false,seed=0,optimizer=adam": 0.1}  # fmt: skip
