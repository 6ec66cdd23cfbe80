"""`Study`: the same trials for the same seed, also after an interruption; what counts, and what is tried once."""

from __future__ import annotations

from pathlib import Path

import pytest

from mask_pinns.tuning.search import Choice, Range, Space
from mask_pinns.tuning.study import Outcome, Study

SPACE: Space = {"a": Range(0.1, 10.0, log=True), "n": Range(1, 30, whole=True), "c": Choice(("x", "y"))}


def opened(folder: Path, seed: int = 0, space: Space = SPACE, steps: int = 0) -> Study:
    folder.mkdir(exist_ok=True)
    return Study(folder / "study.db", space, seed, steps, {"a": 1.0, "n": 3, "c": "z"})


def train(study: Study, count: int, kill: int = -1) -> list[Outcome]:
    """Ends trials with a loss that follows from their settings, until so many count. The one with number `kill` is
    left as it is, and so is the study.
    """
    while len(study.counted) < count and (begun := study.next()):
        trial, s = begun
        if trial.number == kill:
            break
        if s["n"] > 25:
            study.fail(trial, "too wide", 0.1)
        else:
            study.end(trial, s["a"] + s["n"] + (s["c"] == "y"), False, 10, 0.1)
    outcomes = study.counted
    study.close()
    return outcomes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    return train(opened(tmp_path_factory.mktemp("whole")), 10)


def test_the_same_study_twice_gives_the_same_trials(tmp_path: Path, whole: list[Outcome]) -> None:
    assert train(opened(tmp_path / "again"), 10) == whole
    assert train(opened(tmp_path / "other", seed=1), 3)[1:] != whole[1:3]
    assert whole[0].settings["a"] == 1.0 and whole[0].settings["n"] == 3, "those of the recipe, as far as it can"
    assert len({str(o.settings) for o in whole}) == 10
    assert {o.state for o in whole} == {"done", "failed"}
    assert all(float(f"{o.settings['a']:.3g}") == o.settings["a"] for o in whole), "numbers have few digits"


@pytest.mark.parametrize("kill", [0, 7])
def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path, whole: list[Outcome], kill: int) -> None:
    assert len(train(opened(tmp_path / "killed"), 10, kill)) == kill
    study = opened(tmp_path / "killed")
    (killed,) = (o for o in study.outcomes if o.again)
    assert (killed.number, killed.state, killed.reason) == (kill, "failed", "killed")
    resumed = train(study, 10)
    assert [o.settings for o in resumed] == [o.settings for o in whole]
    assert [o.loss for o in resumed] == [o.loss for o in whole]


def test_a_search_with_few_values_is_exhausted_and_nothing_is_tried_twice(tmp_path: Path) -> None:
    space: Space = {"n": Range(1, 2, whole=True), "c": Choice(("x", "y")), "a": Choice((1.0, 2.0))}
    outcomes = train(opened(tmp_path / "s", space=space), 100)
    tried = [tuple(o.settings.values()) for o in outcomes]
    assert len(tried) == len(set(tried)) and 4 <= len(tried) <= 8


def test_a_trial_that_is_worse_than_the_median_is_pruned(tmp_path: Path) -> None:
    study = opened(tmp_path / "s", steps=8)
    pruned = []
    for k in range(8):
        trial, _ = study.next() or pytest.fail("nothing to try")
        for step in (1, 2, 4, 8):
            trial.report((10.0 if k in (1, 5) else 1.0) / step, step)
            if trial.should_prune():
                pruned.append((k, step))
                break
        study.end(trial, 1.0 + k, bool(pruned and pruned[-1][0] == k), step, 0.0)
    assert pruned == [(5, 2)], "not in the first quarter of its steps, and not among the first trials"
    assert study.best is not None and study.best.number == 0
    assert set(study.importances()) <= set(SPACE)
    study.close()


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("this is no database")
    with pytest.raises(ValueError, match="cannot be read"):
        opened(tmp_path)
    (tmp_path / "study.db").unlink()
    opened(tmp_path).close()
    with pytest.raises(ValueError, match="was begun with another search, of a, n, c"):
        opened(tmp_path, space={"a": Range(0.1, 5.0)})
