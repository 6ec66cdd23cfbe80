"""The language of --search: what it means, and one line for each mistake, before torch is imported."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from helpers import ROOT

from mask_pinns.cli.parser import read
from mask_pinns.cli.tuning.space import current, default_search, searched, with_values, written
from mask_pinns.tuning.search import Choice, Range

MEANT = {
    "width 10..40": {"width": Range(10, 40, whole=True)},
    "first_scale 0.5..4 log": {"first_scale": Range(0.5, 4.0, log=True)},
    "--first_bias -1e-1..1": {"first_bias": Range(-0.1, 1.0)},
    "activation tanh|sin, mask true|false": {"activation": Choice(("tanh", "sin")), "mask": Choice((True, False))},
    "network.width 8|16 , network masked|mlp": {"network.width": Choice((8, 16)), "network": Choice(("masked", "mlp"))},
    "scale.t 1..3,causal 1..100 log": {"scale.t": Range(1.0, 3.0), "causal": Range(1.0, 100.0, log=True)},
    "optimizer adam 5|lbfgs": {"optimizer": Choice(("adam 5", "lbfgs"))},
}


@pytest.mark.parametrize("text", MEANT)
def test_what_a_search_means(text: str) -> None:
    config = read(["tune", "--search", text])[1]
    assert config.search == text and searched(config, text) == MEANT[text]


REFUSED = {
    "widht 10..40": ("widht", "unknown setting; did you mean 'width'? known: width, blocks"),
    "width 40..10": ("width", "no number lies in 40..10; the smaller one comes first: 10..40"),
    "width 10..10": ("width", "has one value; leave it out, and give --width 10"),
    "first_scale 0..4 log": ("first_scale", "a log range begins above 0, not at 0.0"),
    "first_scale 1..inf": ("first_scale", "'inf' is no number"),
    "width ten..40": ("width", "'ten' is no number; expected decimal digits, e.g. width 10..40"),
    "width 010..40": ("width", "'010' is no number"),
    "width 1e400..3": ("width", "'1e400' is no number"),
    "width 1.5..4": ("width", "1.5 is no whole number"),
    "width 0..40": ("width 0", "does not conform to restriction v>0"),
    "width tanh|sin": ("width", "'tanh' is no number"),
    "width 10-40": ("width", "'10-40' is one value; expected several, width 10..40"),
    "width 10..40 lgo": ("width", "'lgo' after the range; expected log, or nothing"),
    "width 10|20 log": ("width", "log is for a range"),
    "width 10|": ("width", "nothing between two |"),
    "width": ("'width'", "expected settings with values, e.g. width 10..40"),
    "width 10..40,": ("--search", "nothing between two commas"),
    " ": ("--search", "expected settings with values"),
    "activation 1..3": ("activation", "is a range, but it takes words; e.g. activation tanh|sin"),
    "activation tnh|sin": ("activation", "unknown activation 'tnh'; did you mean 'tanh'?"),
    "activation sin|sin": ("activation", "a value occurs twice"),
    "mask 1|0": ("mask", "'1' is no switch; expected true|false"),
    "mask false..true": ("mask", "it takes true and false"),
    "network masked|mpl": ("network", "unknown network 'mpl'; did you mean 'mlp'?"),
    "network masked|siren, first_scale 1..2": ("first_scale", "the network siren has none"),
    "width 10..40, width 1..2": ("width", "it occurs twice"),
    "width 10..40, network.width 1..2": ("width", "it occurs twice, under two names"),
    "optimizer adm|adam": ("optimizer", "unknown optimizer 'adm'; did you mean 'adam'?"),
    "seed 1|2": ("seed", "all trials have the seed of the study"),
    "points 100..200": ("points", "the loss at fresh points means another thing"),
    "weights.pde 1..2": ("weights.pde", "the loss at fresh points means another thing"),
    "problem.c 1..2": ("problem.c", "another value makes it another problem"),
    "steps 10..20": ("steps", "same number of steps"),
    "precision 32|64": ("precision", "it is not searched; there are: width"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_search_is_answered_in_one_line_that_names_the_culprit(answer, text: str) -> None:
    message, (culprit, cure) = answer(["tune", "--search", text]), REFUSED[text]
    assert culprit in message and cure in message
    assert message.startswith("error: --search")


def test_a_search_without_quotes_is_told_of_them(answer) -> None:
    assert 'did you mean a search, in quotes: --search "width' in answer(["tune", "--search", "width", "10..40"])


def test_a_wrong_search_is_answered_without_torch_and_without_optuna() -> None:
    code = (
        "import sys\nfrom mask_pinns.cli.main import main\ncode = main(['tune', '--search', 'width 4..2'])\n"
        "print(code, *({'torch', 'optuna', 'sqlalchemy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr


def test_without_optuna_one_line_says_what_to_install(answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mask_pinns.cli.tuning.space.find_spec", lambda name: None if name == "optuna" else object())
    assert 'pip install "mask-pinns[tune]"' in answer(["tune"])


@pytest.mark.parametrize(
    ("problem", "network"), [("wave", "masked"), ("burgers", "siren"), ("convection", "piratenet")]
)
def test_the_default_search_is_one_and_has_the_settings_of_the_recipe(problem: str, network: str) -> None:
    config = read(["tune", "--problem", problem, "--network", network])[1]
    for first_order in (False, True):
        space = searched(config, default_search(config, first_order))
        assert 1 <= len(space) <= 4 and ("lr" in space) == first_order
        assert all(values.contains(current(config, name)) for name, values in space.items() if name != "lr")


def test_the_values_of_a_trial_are_those_of_their_flags() -> None:
    values = {"width": 7, "first_scale": 0.25, "activation": "tanh", "mask": False, "scale.t": 3.0, "causal": 1e-5}
    config = read(["tune"])[1]
    flags = [word for name, value in values.items() for word in (f"--{name}", written(value))]
    typed = read(["tune", *flags])[1]
    assert vars(with_values(config, values)) | {"typed": []} == vars(typed) | {"typed": []}
    assert with_values(config, {"network": "mlp"}).network["mask"] is False, "that of the other network"


def test_rounding_stays_in_the_range_and_is_read_as_the_same_number() -> None:
    values = Range(0.12345, 9.87654)
    for x in (0.12345, 0.123451, 1.23456, 9.87654):
        rounded = values.rounded(x)
        assert values.contains(rounded) and math.isclose(rounded, x, rel_tol=5e-3)
        assert float(written(rounded)) == rounded
    assert Range(1, 9, whole=True).rounded(3) == 3
