"""Input of others: nothing in configurations and checkpoints is executed."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from helpers import ROOT, loads

from mask_pinns import MaskPINN
from mask_pinns.cli.parser import read


class Malicious:
    """Pickles as a call that makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_malicious_checkpoint_is_refused_and_not_executed(command, tmp_path: Path) -> None:
    command("--steps", "2", "--name", "a")
    last, made = tmp_path / "runs/a/checkpoints/last.ckpt", tmp_path / "executed"
    torch.save(loads(last) | {"callbacks": Malicious(made)}, last)
    for flags in (["--resume", str(last)], ["test", "--ckpt_path", str(last)], ["predict", "--ckpt_path", str(last)]):
        code, _, err = command(*flags, "--steps", "4", tiny=False)
        assert (code, err.count("\n")) == (2, 1), err
        assert "cannot be read" in err
        assert "could run code: never loaded" in err
        assert "weights_only" not in err, "no advice to load it all the same"
    with pytest.raises(pickle.UnpicklingError):
        MaskPINN.load_from_checkpoint(last, weights_only=True)
    assert not made.exists()
    torch.load(last, weights_only=False)
    assert made.exists(), "it would have been"


def test_yaml_with_python_in_it_is_refused_and_not_executed(command, tmp_path: Path) -> None:
    made = tmp_path / "executed"
    text = f"steps: !!python/object/apply:os.system ['touch {made}']\n"
    (tmp_path / "c.yaml").write_text(text)
    code, _, err = command("--config", str(tmp_path / "c.yaml"), tiny=False)
    assert (code, err.count("\n")) == (2, 1), err
    assert "is not YAML" in err
    command("--steps", "2", "--name", "a")
    (tmp_path / "runs/a/config.yaml").write_text(text)
    assert command("--resume", str(tmp_path / "runs/a"), tiny=False)[0] == 2
    assert command("--weights", text.partition(": ")[2], "--steps", "1")[0] == 2
    assert not made.exists()
    yaml.unsafe_load(text)
    assert made.exists(), "it would have been"


def test_a_configuration_names_no_classes(tmp_path: Path, monkeypatch) -> None:
    """A parser that takes classes imports the module to check one: no flag takes any."""
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w').close()\nclass Evil: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    values = "{class_path: evil.Evil}"
    keys = [f"trainer.{key}" for key in ("plugins", "profiler", "logger", "callbacks", "strategy", "max_time")]
    for key in [*keys, "strategy", "optimizer", "weights", "network", "problem", "embedding", "precision", "devices"]:
        inner, _, outer = key.rpartition(".")[::-1]
        (tmp_path / "c.yaml").write_text(f"{outer}: {{{inner}: {values}}}\n" if outer else f"{key}: {values}\n")
        for words in (["--config", str(tmp_path / "c.yaml")], [f"--{key}", values]):
            try:
                read(words)
            except ValueError:
                continue
    assert not (tmp_path / "executed").exists()


def test_every_file_of_others_is_read_without_executing_it() -> None:
    """No torch.load without weights_only, no unsafe YAML, no pickled arrays, in the whole package."""
    package = [p for room in ("mask_pinns", "datamodules", "callbacks") for p in (ROOT / room).rglob("*.py")]
    for path in [*package, ROOT / "train.py"]:
        text = path.read_text()
        assert all("weights_only=True" in line for line in text.splitlines() if "torch.load(" in line), path
        assert not re.search(
            r"yaml\.(load|unsafe_load|full_load)\(|allow_pickle=True|import pickle|(?<!\.)\beval\(", text
        ), path
