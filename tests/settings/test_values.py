"""One rule for values in files and flags: decimal numbers, true, false, null; everything else is text, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mask_pinns.cli.configuration import load_yaml
from mask_pinns.cli.parser import read
from mask_pinns.settings.values import parse_values, write_values

TEXT = ["010", "0o17", "0x1F", "0b101", "1_000", "1:30", "10:00:30.5", "2026-01-01", "2026-01-01 10:00:00", "yes", "no",
        "On", "OFF", "y", ".inf", "-.INF", ".nan", "nan", "infinity", "00.5", "1__0.5",
        "１０", "=", "9" * 500]  # fmt: skip
"""What YAML 1.1, or Python, takes for a number, a boolean or a date."""
VALUES = {
    "10": 10, "-3": -3, "+5": 5, "0": 0, "1e-3": 1e-3, "1E5": 1e5, "-.5e3": -500.0, "2.": 2.0, "0.10": 0.1,
    "true": True, "False": False, "null": None, "~": None, "": None,
}  # fmt: skip
NUMBERS = {
    "seed": ("--seed", "seed: {}"),
    "points": ("--points.initial", "points: {{pde: {}}}"),
    "network.width": ("--width", "network: {{width: {}}}"),
    "lr": ("--lr", "lr: {}"),
    "embedding.scale": ("--scale.t", "embedding: {{scale: {{t: {}}}}}"),
    "adaptive": ("--adaptive", "adaptive: [{}, 1]"),
    "devices": ("--devices", "devices: {}"),
    "problem.c": ("--problem.c", "problem: {{name: wave, c: {}}}"),
    "weights": ("--weights.pde", "weights: {{pde: {}}}"),
    "trainer.limit_val_batches": ("--trainer.limit_val_batches", "trainer: {{limit_val_batches: {}}}"),
}
"""Settings that are numbers, as a flag and in a file."""


@pytest.mark.parametrize("text", TEXT)
def test_what_is_no_decimal_number_is_text(text: str) -> None:
    assert parse_values(text) == text
    assert parse_values(f"{{a: [{text}]}}") == {"a": [text]}


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    value = parse_values(text)
    assert value == VALUES[text] and type(value) is type(VALUES[text])


@pytest.mark.parametrize("value", [*TEXT, *VALUES, *VALUES.values(), 1e-5, 1e22, 123456789.125, "a: b", "- a", "#"])
def test_what_is_written_is_read_as_the_same_value(value: Any) -> None:
    """Also by a reader of YAML 1.1, but for text in its own form of a number it does not know."""
    written = write_values({"a": value})
    again = parse_values(written)["a"]
    assert again == value and type(again) is type(value)
    assert yaml.safe_load(written) == {"a": value}


@pytest.mark.parametrize("text", ["a: 1\na: 2", "!!int abc", "!!timestamp x", "[" * 5000, "{[1]: 2", "<<: 3"])
def test_what_cannot_be_read_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_values(text)


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("text", ["010", "0x1F", "1_0", "1:30", "2026-01-01", ".inf", "yes", "１０"])
def test_text_in_place_of_a_number_is_refused(answer, key: str, text: str) -> None:
    flag, line = NUMBERS[key]
    Path("c.yaml").write_text(line.format(text))
    for words in (["--config", "c.yaml"], [flag, text]):
        message = answer(words)
        assert message.startswith("error: ") and key in message and repr(text) in message and "expected" in message


def test_optimizers_and_switches_follow_the_same_rule(answer) -> None:
    for words in (
        ["[{optimizer: adam, steps: 0x10}]"],
        ["adam 010"],
        ["{optimizer: adam, betas: [0x1, 0.9]}"],
        ["adam ２"],
    ):
        assert "expected" in answer(["--optimizer", *words])
    Path("c.yaml").write_text("optimizer: [{optimizer: adam, steps: 1_0}]")
    assert "steps is '1_0'; expected a whole number" in answer(["--config", "c.yaml"])
    assert "dimensionless: 'yes' is no switch; expected true or false" in answer(["--dimensionless", "yes"])
    Path("c.yaml").write_text("dimensionless: on")
    assert "dimensionless: 'on' is no switch" in answer(["--config", "c.yaml"])


@pytest.mark.parametrize("text", ["no", "2026-01-01", "010", "0x1F", "1:30"])
def test_text_stays_text_where_text_is_meant(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"folder: {text}\ntrainer: {{max_time: 10:00:12:00}}")
    _, config = read(["--config", str(file), "--name", text])
    assert (config.folder, config.name, config.trainer["max_time"]) == (text, text, "10:00:12:00")


def test_what_worked_works(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("compile: on\nlr: 1e-3\nsteps: 1.0e+3\nseed: '5'\nexact: no_such")
    assert load_yaml(file)["lr"] == 1e-3
    _, config = read(["--config", str(file), "--exact"])
    assert (config.compile, config.lr, config.steps, config.seed) == ("on", 1e-3, 1000, 5)
    assert read(["--compile", "on", "--precision", "64"])[1].compile == "on"


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
BOMBS = {
    "aliases of aliases": (LAUGHS, "more than 100,000 values"),
    "merged aliases": (LAUGHS.replace("[", "{k: [").replace("]", "]}"), "more than 100,000 values"),
    "brackets": ("[" * 100_000, "nested more than 30 deep"),
    "mappings": ("{a: " * 40 + "1" + "}" * 40, "nested more than 30 deep"),
    "itself": ("a: &a [*a]", "contains itself"),
    "a key of itself": ("&a {b: *a}", "contains itself"),
    "a long text": ("x: " + "y" * 2_000_000, "at most 1,000,000 are read"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_before_they_grow(answer, tmp_path: Path, bomb: str) -> None:
    text, message = BOMBS[bomb]
    with pytest.raises(yaml.YAMLError, match=message):
        parse_values(text)
    (tmp_path / "bomb.yaml").write_text(text)
    assert message in answer(["--config", str(tmp_path / "bomb.yaml")])


def test_aliases_that_stay_small_are_read() -> None:
    assert parse_values("base: &b {width: 3}\nnetwork: {<<: *b, blocks: 1}")["network"] == {"width": 3, "blocks": 1}
