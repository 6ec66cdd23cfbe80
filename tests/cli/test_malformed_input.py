"""Malformed input by the hundred: flags, YAML, problem files, references (test_malformed_problems: declarations).

What can be run runs; anything else is answered by one line that names the culprit, never by an error from the depths.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from malformed import cases

from mask_pinns.cli.parser import build_parser, read

WORDS = [
    "", "-1", "0", "1", "3", "0.5", "1e400", "-1e400", "nan", "inf", "1e-400", "null", "true", "no", "[]", "[1, 2]",
    "[[1]]", "{}", "{a: 1}", "{a: {b: c}}", "[1, 2", "{a", "a: b: c", "!!python/object/apply:os.getcwd []", "&a [*a]",
    "?", "%", "\t", "ü", "\x00", "9" * 30, "x" * 300, "wave", "adam", "adam 3, adam", "adam x", "adam -3", ",", "then",
    "gelu", "x", "x,t", "0x10", "1_000", "--", "-", "'", '"', "#", "$HOME", "../..", "/", "a=b", "None",
]  # fmt: skip
NOT_TRIED = ("--help", "--version", "--print_config", "--folder")
FLAGS = sorted(
    flag
    for flag in build_parser("wave", "masked")._option_string_actions
    if flag.startswith("--") and not flag.startswith(NOT_TRIED)
)
TINY = ["--width", "4", "--blocks", "1", "--points", "20", "--optimizer", "adam"]
SMALL: dict[str, Any] = {
    "problem": {"name": "wave"}, "network": {"name": "masked", "width": 4, "blocks": 1}, "points": {"pde": 20},
    "optimizer": [{"optimizer": "adam", "steps": 2}, {"optimizer": "lbfgs"}], "steps": 2, "weights": {"initial": 2.0},
    "embedding": {"periodic": [], "scale": {"t": 2.0}}, "exact": [], "adaptive": [1.0, 1.0], "seed": 0, "lr": 1e-3,
    "sampler": "sobol", "precision": 64, "trainer": {"benchmark": False},
}  # fmt: skip
PATHS: list[tuple[Any, ...]] = [
    *((key,) for key in SMALL),
    *((key, inner) for key, value in SMALL.items() if isinstance(value, dict) for inner in value),
    *(("optimizer", *rest) for rest in ((0,), (0, "steps"), (1, "max_iter"))),
]
NAMES = ["wave", "masked", "adam", "x", "t", "initial", "all", "auto", "gelu"]
LEAVES = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**4) | st.floats() | st.text(max_size=5)
    | st.sampled_from(NAMES)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=4), x, max_size=2), max_leaves=4
)


# ---- flags and YAML -----------------------------------------------------------------------------------------------


@cases(90)
@given(flag=st.sampled_from(FLAGS), value=st.sampled_from(WORDS), joined=st.booleans())
def test_flags(answer: Callable[..., str], flag: str, value: str, joined: bool) -> None:
    message = answer([*TINY, *([f"{flag}={value}"] if joined else [flag, value])])
    name = flag.lstrip("-").rpartition(".")[2].rstrip("+")
    culprits = (name, name.partition("_")[0], repr(value), value.strip() or name)
    assert not message or any(word in message for word in culprits), message


@cases(90)
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_yaml(answer: Callable[..., str], path: tuple[Any, ...], value: Any) -> None:
    """One entry of a configuration, at any depth, replaced by anything."""
    content = yaml.safe_load(yaml.safe_dump(SMALL))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    Path("c.yaml").write_text(yaml.safe_dump(content))
    message = answer(["--config", "c.yaml"])
    parts = value if isinstance(value, dict) else [value]
    named = {str(key) for key in path} | {text(part) for part in parts for text in (str, repr)}
    assert not message or any(name in message for name in named), message


@cases(40)
@given(text=st.text(max_size=40) | st.binary(max_size=40))
def test_files_that_are_no_configuration(answer: Callable[..., str], text: str | bytes) -> None:
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    message = answer(["--config", "c.yaml", *TINY])
    assert not message or "c.yaml" in message or "setting" in message, message


YAML = {
    "weights: {1: 2}": "weights has the key 1",
    "config: foo.yaml": "config",
    "help: 3": "help",
    '"": 3': "the key ''",
    "problem: {name: wave, 3: 4}": "problem has the key 3",
    "embedding: {scale: {1: 2.0}}": "embedding.scale has the key 1",
    "trainer: {1: 2}": "trainer has the key 1",
    "statistics_record: {a: 1}": "statistics_record",
    "explain: 3": "explain",
    "steps: 3\nsteps: 4": "'steps' occurs twice",
    "weights: {pde: 1, pde: 2}": "'pde' occurs twice",
    "network: {name: masked, first_bias: .inf}": "network.first_bias",
    "network: {name: masked, mask_init: .nan}": "network.mask_init",
    "weights: {conditions: .inf}": "weights.conditions",
    "weights: {pde: 0, conditions: 0}": "all weights of Wave are 0",
    "exact_time: .inf": "exact_time",
    "symmetry: {x: odder}": "parity 'odder'",
    "symmetry: {q: odd}": "coordinate of a symmetry: 'q'",
    "symmetry: {1: odd}": "symmetry has the key 1",
    "symmetry: {x: odd}": "leave out --symmetry.x",
    "symmetry: {x: even}": "",
    "symmetry: {x: {u: even}}": "",
    "adaptive: [.inf, 1]": "adaptive",
    "target: .inf": "target",
    "seed: 4294967296": "seed",
    "validate_every: 1.5": "validate_every",
    "validate_every: 1.0e+3": "",
    "points: {pde: 1.0e+1}": "",
    "statistics_record: drift": "",
    "compile: off": "",
    "compile: on": "",
    "compile: 3": "compile",
}
"""A configuration file, and what its answer names, "" where it is as good as any."""
TYPED = {
    "--fourier 2 --fourier_std inf": "fourier_std",
    "--weights.pde 1e400": "weights.pde",
    "--scale.t 1e308": "embedding.scale.t",
    "--problem.c 1e300": "problem.c",
    "--seed 4294967296": "seed",
    "--symmetry odd": "symmetry",
    "--symmetry.x 3": "parity '3'",
    "--lr -inf": "lr: ",
    "--lr -1e-3": "lr: ",
    "--mask_init -nan": "mask_init: ",
    "--problem.c -1e-3": "",
    "--weights {1:2}": "weights",
    "--weights.pde 0 --weights.conditions 0": "all weights",
    "--problem.c -1.5": "",
}


@pytest.mark.parametrize("text", YAML)
def test_files_that_are_wrong_in_a_known_way(answer: Callable[..., str], text: str) -> None:
    Path("c.yaml").write_text(text)
    message = answer(["--config", "c.yaml", *TINY])
    assert YAML[text] in message and bool(message) == bool(YAML[text]), message


def test_values_of_a_file_arrive_as_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("compile: off\nsteps: 1.0e+3\npoints: {pde: 1.0e+2}\nstatistics_record: drift")
    _, config = read(["--config", str(path)])
    given = config.compile, config.steps, config.points, config.statistics_record
    assert given == ("off", 1000, {"pde": 100}, ["drift"])
    assert {type(config.steps), type(config.points["pde"])} == {int}


HUGE = {
    "--points 99999999999999": "points",
    "--points.initial 1000000000000 --exact": "initial",
    "--points 9999999999999 --optimizer gauss_newton": "points",
    "--statistics_probes 99999999999": "statistics_probes",
    "--width 1000000000": "width",
    "--blocks 100000000": "blocks",
    "--fourier 10000000000": "fourier",
    "--periodic x --harmonics 10000000000": "harmonics",
    "--network siren --width 1000000000": "width",
    "--network piratenet --blocks 1000000000": "blocks",
}


@pytest.mark.parametrize("words", HUGE)
def test_what_no_memory_holds(answer: Callable[..., str], words: str) -> None:
    """Refused before anything of that size is built."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert HUGE[words] in answer([*TINY, *words.split()])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000, "kB"


@pytest.mark.parametrize("words", TYPED)
def test_flags_that_are_wrong_in_a_known_way(answer: Callable[..., str], words: str) -> None:
    message = answer([*TINY, *words.split()])
    assert TYPED[words] in message and bool(message) == bool(TYPED[words]), message


# ---- files of problems and references -----------------------------------------------------------------------------

REFERENCE = """
from mask_pinns import Box, Problem

class Mine(Problem):
    domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))
    derivatives = ("t",)
    reference = "r.npz"

    def residual(self, p, u):
        return u.t + u
"""
WRONG_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "nan": lambda a: a * np.nan,
    "inf": lambda a: a + np.inf,
    "empty": lambda a: a[:0],
    "0-D": lambda a: np.float64(1),
    "3-D": lambda a: a.reshape(*a.shape, 1, 1),
    "text": lambda a: np.full(a.shape, "a"),
    "object": lambda a: a.astype(object),
    "complex": lambda a: a + 1j,
    "short": lambda a: a[1:],
    "missing": lambda a: None,
}


@cases(40)
@given(name=st.sampled_from(["x", "t", "u"]), wrong=st.sampled_from(sorted(WRONG_ARRAYS)))
def test_references(answer: Callable[..., str], name: str, wrong: str) -> None:
    arrays: dict[str, Any] = {"x": np.linspace(0, 1, 4), "t": np.linspace(0, 1, 5), "u": np.ones((4, 5))}
    arrays[name] = WRONG_ARRAYS[wrong](arrays[name])
    Path("mine.py").write_text(REFERENCE)
    np.savez("r.npz", **{key: a for key, a in arrays.items() if a is not None})
    message = answer(["--problem", "mine.py:Mine", *TINY])
    assert "Mine" in message and "r.npz" in message, message


@pytest.mark.parametrize(
    ("name", "array", "culprit"),
    [
        ("x", np.linspace(0, 2, 4), "axis 'x' in r.npz runs from 0 to 2"),
        ("t", np.linspace(-0.1, 1, 5), "axis 't' in r.npz runs from -0.1 to 1"),
        ("x", np.linspace(0, 1 + 1e-7, 4), ""),  # rounded
        ("u", np.zeros((4, 5)), "r.npz is 0"),
    ],
)
def test_references_of_something_else(answer: Callable[..., str], name: str, array: np.ndarray, culprit: str) -> None:
    arrays = {"x": np.linspace(0, 1, 4), "t": np.linspace(0, 1, 5), "u": np.ones((4, 5)), name: array}
    Path("mine.py").write_text(REFERENCE)
    np.savez("r.npz", **arrays)
    message = answer(["--problem", "mine.py:Mine", *TINY])
    assert culprit in message and bool(message) == bool(culprit), message


@pytest.mark.parametrize("name", ["x", "t"])
def test_a_reference_whose_axis_falls(answer: Callable[..., str], name: str) -> None:
    arrays = {"x": np.linspace(0, 1, 4), "t": np.linspace(0, 1, 5), "u": np.ones((4, 5))}
    Path("mine.py").write_text(REFERENCE)
    np.savez("r.npz", **arrays | {name: arrays[name][::-1]})
    assert f"axis {name!r} in r.npz" in answer(["--problem", "mine.py:Mine", *TINY])


SOURCES = {
    "syntax": ("class Mine(Problem)\n", "SyntaxError"),
    "import": ("import no_such_package\n", "no_such_package"),
    "nothing": ("x = 3\n", "known: none"),
    "no problem": ("class Mine: ...\n", "known: none"),
    "mistake": ("1 / 0\n", "ZeroDivisionError"),
    "exit": ("raise SystemExit(3)\n", "SystemExit"),
    "no domain": ("class Mine(Problem): ...\n", "no domain"),
    "no residual": ("class Mine(Problem):\n    domain = Box(x=(0, 1))\n", "no residual"),
    "mutable": ("class Mine(Problem):\n    domain = Box(x=(0, 1))\n    k: list = []\n", "k"),
    "no default": ("class Mine(Problem):\n    domain = Box(x=(0, 1))\n    k: float\n", "'k' of Mine has no default"),
    "bytes": ("\x00\xff", "mine.py"),
    "loop": ("from mine import Mine\n", "mine"),
}


@cases(20)
@given(kind=st.sampled_from(sorted(SOURCES)))
def test_problem_files(answer: Callable[..., str], kind: str) -> None:
    source, culprit = SOURCES[kind]
    path = Path(f"{kind.replace(' ', '_')}.py")
    path.write_text("from mask_pinns import Box, Problem\n" + source)
    message = answer(["--problem", f"{path}:Mine", *TINY])
    assert culprit.replace("mine.py", str(path)) in message, message
