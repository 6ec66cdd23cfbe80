"""What is read from the source is what the imported classes declare, for every entry of the tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mask_pinns import ACTIVATIONS, NETWORKS, OPTIMIZERS, PROBLEMS, SAMPLERS
from mask_pinns.catalog import source, tables
from mask_pinns.catalog.tables import Table, network_in_source, problem_in_source
from mask_pinns.cli.configuration import declared_network, declared_problem
from mask_pinns.jets import ENGINES

TABLES = {
    tables.PROBLEMS: PROBLEMS, tables.NETWORKS: NETWORKS, tables.ACTIVATIONS: ACTIVATIONS, tables.ENGINES: ENGINES,
    tables.OPTIMIZERS: OPTIMIZERS, tables.SAMPLERS: SAMPLERS,
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_names_in_the_source_are_those_of_the_table(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    assert table.names() == list(TABLES[table])
    monkeypatch.delitem(sys.modules, table.module)
    assert table.names() == list(TABLES[table])


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_declare_what_their_source_says(name: str) -> None:
    assert problem_in_source(name) == declared_problem(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_declare_what_their_source_says(name: str) -> None:
    assert network_in_source(name) == declared_network(name)
    assert network_in_source(name).parameters


def test_entries_that_a_user_adds_are_known(command, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(PROBLEMS["wave"]):
        """Waves of my own."""

        d: float = 2.0

    monkeypatch.setitem(PROBLEMS, "mine", Mine)
    assert "mine" in tables.PROBLEMS.names()
    assert list(declared_problem("mine").parameters) == ["c", "d"]
    assert command("--problem", "mine", "--problem.d", "3", "--steps", "1")[0] == 0


SOURCE = """
from functools import partial
from math import pi
from mask_pinns.problems.problem import Problem

TABLE: dict[str, type] = {"mine": Mine, "called": partial(Mine, c=2)}


class Mine(Problem):
    k: float = 1
    nu: float = 0.01 / pi**2
    n: int = -6
    how: str = "so"
    many: list = [1]
"""


def test_constants_and_what_is_none(tmp_path: Path) -> None:
    """A formula of numbers is computed as Python does; anything else is not guessed."""
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    assert list(source.table_in(file, "TABLE")) == ["mine", "called"]
    assert source.imported_names(file)["pi"] == "math"
    body = source.class_in(file, "Mine").body
    coefficients = dict(tables._coefficient(node) for node in body[:4])
    assert {name: p.default for name, p in coefficients.items()} == {
        "k": 1.0, "nu": 0.01 / 3.141592653589793**2, "n": -6, "how": "so",
    }  # fmt: skip
    assert type(coefficients["k"].default) is float
    with pytest.raises(source.NotWritten):
        tables._coefficient(body[4])
    for missing in ("Yours", "TABLE"):
        with pytest.raises(source.NotWritten):
            source.class_in(file, missing)
    with pytest.raises(source.NotWritten):
        source.tree_of(tmp_path / "none.py")


def test_unknown_names_are_answered_as_by_the_table() -> None:
    with pytest.raises(ValueError, match="unknown problem 'wav'; did you mean 'wave'\\? known: wave, convection"):
        tables.PROBLEMS.require("wav")
