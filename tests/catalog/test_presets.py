"""Configuration files are found from any folder; a user's own file goes before one of this package."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import ROOT

from mask_pinns.catalog.presets import find_configuration, presets
from mask_pinns.cli.parser import read

SPELLINGS = ["configs/paper/wave.yaml", "paper/wave.yaml", "paper/wave", "configs/paper/wave"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("given", SPELLINGS)
def test_a_file_of_the_package_is_found_from_any_folder(given: str) -> None:
    assert find_configuration(given) == ROOT / "configs/paper/wave.yaml"
    assert read(["--config", given])[1].steps == 20_000


@pytest.mark.parametrize("given", SPELLINGS)
def test_a_file_of_the_user_goes_first(given: str) -> None:
    Path(given).parent.mkdir(parents=True, exist_ok=True)
    Path(given).write_text("steps: 7\n")
    assert read(["--config", given])[1].steps == 7


@pytest.mark.parametrize("given", ["paper/wav", "configs/paper/wav.yaml"])
def test_an_unknown_file_is_answered_with_those_that_are_there(given: str) -> None:
    answer = f"configuration file {given} does not exist; did you mean 'paper/wave'"
    with pytest.raises(ValueError, match=answer) as error:
        find_configuration(given)
    assert "known: allen_cahn, back_step, burgers, " in str(error.value) and "paper/wave, " in str(error.value)
    assert "\n" not in str(error.value)
    Path("paper").mkdir()
    with pytest.raises(ValueError, match="configuration file paper does not exist"):
        find_configuration("paper")


def test_all_files_of_the_package_are_known() -> None:
    assert len(presets()) == len(list((ROOT / "configs").rglob("*.yaml"))) > 10
    assert {"wave", "default", "paper/kdv"} <= set(presets())
