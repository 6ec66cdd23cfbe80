"""Configuration files: presets, published settings, what a run saves, values and keys that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from helpers import ROOT

from mask_pinns.cli.parser import read


@pytest.mark.parametrize("file", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_can_be_read_and_built(file: Path) -> None:
    from mask_pinns.cli.run import build

    _, config = read(["--config", str(file)])
    run = build(config)
    assert run.module.problem.evaluation().values is not None
    assert any(layer.alpha is not None for layer in run.module.network.hidden().values()), "the mask is on"


def test_published_settings_are_those_of_the_paper() -> None:
    from mask_pinns.cli.run import build

    parameters = {"wave": 25_665, "convection": 793_857, "helmholtz": 167_041}
    for name, count in parameters.items():
        _, config = read(["--config", str(ROOT / f"configs/paper/{name}.yaml")])
        run = build(config)
        assert sum(p.numel() for p in run.module.network.parameters()) == count
        assert run.steps == {"wave": 20_000}.get(name, 50_000)
    assert run.module.objective.weights == {"boundary": 100.0}
    assert run.data.counts == {"pde": 10_000, "boundary": 100}


def test_the_published_wave_setting_trains(command) -> None:
    quick = ["--statistics_record", "moments"]
    code, _, err = command("--config", str(ROOT / "configs/paper/wave.yaml"), "--steps", "2", *quick, tiny=False)
    assert (code, err) == (0, "")


def test_the_saved_configuration_repeats_the_run(command, tmp_path: Path) -> None:
    assert command("--problem", "convection", "--problem.beta", "5", "--steps", "4", "--weights.initial", "7")[0] == 0
    saved = tmp_path / "runs/convection-1/config.yaml"
    content = yaml.safe_load(saved.read_text())
    assert (content["problem"]["beta"], content["weights"]["initial"]) == (5.0, 7.0)
    assert command("--config", str(saved), tiny=False)[0] == 0
    losses = [json.loads((tmp_path / f"runs/convection-{i}/summary.json").read_text())["loss"] for i in (1, 2)]
    assert losses[0] == losses[1]


def test_a_problem_file_is_found_from_any_folder(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is whole in config.yaml; a configuration file may name it as it lies beside it."""
    (tmp_path / "mine.py").write_text(
        "from mask_pinns import Box, Initial, Problem\n\nclass Mine(Problem):\n"
        "    domain = Box(t=(0.0, 1.0))\n    derivatives = ('t',)\n    conditions = (Initial(u=1.0),)\n"
        "    rate: float = 1.0\n\n    def residual(self, p, u):\n        return u.t + self.rate * u\n"
    )
    (tmp_path / "c.yaml").write_text("problem: {name: 'mine.py:Mine', rate: 2.0}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command("--config", "c.yaml", "--steps", "2")[0] == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/mine.py").write_text("raise ValueError('the file beside the configuration is meant')\n")
    (run,) = (tmp_path / "runs").iterdir()
    assert yaml.safe_load((run / "config.yaml").read_text())["problem"]["name"] == f"{tmp_path}/mine.py:Mine"
    for words in (["--resume", str(run), "--steps", "4"], ["--config", str(tmp_path / "c.yaml"), "--steps", "2"]):
        code, _, err = command(*words, tiny="--resume" not in words)
        assert (code, err) == (0, "")
    (tmp_path / "mine.py").rename(tmp_path / "elsewhere/mine.py")
    assert "if it was moved" in command("test", "--ckpt_path", str(run), tiny=False)[2]
    words = ["--from", str(run), "--problem", "mine.py:Mine", "--steps", "1", "--name", "moved"]
    code, _, err = command(*words, tiny=False)
    assert (code, err) == (0, "")
    assert yaml.safe_load((tmp_path / "runs/moved/config.yaml").read_text())["problem"]["rate"] == 2.0


def test_embedding_and_exact_conditions_from_yaml(command, tmp_path: Path) -> None:
    """A single name may stand without brackets."""
    (tmp_path / "c.yaml").write_text("problem: convection\nembedding: {periodic: x, harmonics: 2}\nexact: all\n")
    _, config = read(["--config", str(tmp_path / "c.yaml")])
    assert (config.embedding["periodic"], config.embedding["harmonics"], config.exact) == (["x"], 2, ["all"])
    code, _, err = command("--config", str(tmp_path / "c.yaml"), "--steps", "1")
    assert (code, err) == (0, "")
    _, config = read(["--config", str(tmp_path / "c.yaml"), "--exact", "--periodic", "--seed", "3"])
    assert (config.embedding["periodic"], config.exact, config.seed) == ([], [], 3), "flags turn them off"


def test_yaml_with_unknown_keys_or_none_at_all(command, tmp_path: Path) -> None:
    for text, message in (
        ("problem: {name: wave, beta: 3}", "problem.beta"),
        ("widht: 3", "widht"),
        ("network: 7", "network"),
        ("- a list", "expected keys and values"),
        ("a: [1,", "not YAML"),
    ):
        (tmp_path / "c.yaml").write_text(text)
        code, _, err = command("--config", str(tmp_path / "c.yaml"))
        assert (code, err.count("\n")) == (2, 1), err
        assert message in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problem: {name: 3}", "problem.name"),
        ("points: null", "points"),
        ("optimizer: null", "optimizer"),
        ("seed: null", "seed"),
        ("network: {name: masked, width: null}", "width"),
        ("trainer: 3", "trainer"),
        ("1: 2", "no name"),
        ("steps: abc", "steps"),
        ("exact: 3", "exact"),
        ("embedding: {periodic: 3}", "periodic"),
        ("embedding: {fourier: many}", "fourier"),
        ("embedding: x", "embedding"),
        ("exact: null", "exact"),
        ("adaptive: 3", "adaptive"),
        ("adaptive: [a, 1]", "adaptive"),
        ("adaptive: null", "adaptive"),
        ("causal: null", "causal"),
        ("balance: often", "balance"),
    ],
)
def test_yaml_values_of_the_wrong_kind(command, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    code, _, err = command("--config", str(tmp_path / "c.yaml"), tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
