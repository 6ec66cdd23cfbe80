"""Hostile inputs by kind, 40 or more of each: whatever is typed, written or set is done, or answered in one line."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_words import ARRAYS, BODIES, CELLS, FLAGS, LINES, SET_TO, VALUES, VARIABLES

from mask_pinns.cli.main import main

EACH = 40
"""Number of inputs of a kind."""
NOT_HERE = ("--dry_run", "--help")


def fresh(seed: int, kind: str) -> random.Random:
    return random.Random(f"{kind} {seed}")


@pytest.mark.parametrize("seed", range(EACH))
def test_flags(answer: Callable[..., str], seed: int) -> None:
    draw = fresh(seed, "flags")
    words = []
    for _ in range(draw.randint(1, 4)):
        flag = draw.choice([f for f in FLAGS if f not in NOT_HERE])
        value = draw.choice(VALUES)
        words += draw.choice([[flag, value], [f"{flag}={value}"], [value], [flag], [flag.upper(), value]])
    answer(words)


@pytest.mark.parametrize("seed", range(EACH))
def test_configuration_files(answer: Callable[..., str], seed: int, tmp_path: Path) -> None:
    draw, lines = fresh(seed, "files"), []
    for _ in range(draw.randint(1, 4)):
        key = draw.choice(FLAGS).lstrip("-") if draw.random() < 0.8 else draw.choice(VALUES)
        lines.append(f"{key}{draw.choice([': ', ':', ' '])}{draw.choice(VALUES)}")
    text = draw.choice(["", "\ufeff", "--- \n", "%YAML 1.1\n---\n"]) + "\n".join(lines)
    content = text.encode() if draw.random() < 0.9 else text.encode("utf-16")
    (tmp_path / "c.yaml").write_bytes(content)
    answer(["--config", str(tmp_path / "c.yaml")])


@pytest.mark.parametrize("seed", range(EACH))
def test_problem_files(answer: Callable[..., str], seed: int, tmp_path: Path) -> None:
    draw = fresh(seed, "problems")
    lines = ["domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))", "derivatives = ('t', 'xx')", "conditions = (Initial(u=0.0),)"]
    lines += draw.sample(LINES, draw.randint(1, 2))
    body = draw.choice(BODIES) if draw.random() < 0.5 else "u.t - u.xx"
    text = "import torch\nfrom mask_pinns import *\n\n\nclass Mine(Problem):\n    " + "\n    ".join(lines)
    text += f"\n\n    def residual(self, p, u):\n        return {body}\n"
    (tmp_path / "mine.py").write_text(text)
    answer(["--problem", str(tmp_path / "mine.py:Mine"), "--width", "4", "--blocks", "1", "--points", "30"])


def points_file(draw: random.Random) -> tuple[str, bytes]:
    """The suffix and content of a file of points."""
    if draw.random() < 0.5:
        buffer = io.BytesIO()
        (np.savez if draw.random() < 0.2 else np.save)(buffer, draw.choice(ARRAYS))
        content = buffer.getvalue()
        return ".npy", content if draw.random() < 0.7 else content[: draw.randint(0, len(content))]
    rows = [
        ",".join(draw.choice(CELLS) for _ in range(draw.choice([1, 2, 2, 2, 3]))) for _ in range(draw.randint(0, 4))
    ]
    return ".csv", draw.choice(["", "\ufeff", "x,t\n", "t,x\n", "# t,x\n", "\n\n"]).encode() + "\n".join(rows).encode()


@pytest.mark.parametrize("seed", range(EACH))
def test_prediction_files(trained: Path, tmp_path: Path, capsys, seed: int) -> None:
    suffix, content = points_file(fresh(seed, "points"))
    (tmp_path / f"p{suffix}").write_bytes(content)
    capsys.readouterr()
    code = main(["predict", "--ckpt_path", str(trained), "--predict_points", str(tmp_path / f"p{suffix}")])
    err = capsys.readouterr().err
    assert code in (0, 2) and err.count("\n") == (code == 2) and "Traceback" not in err, (content, err)


@pytest.mark.parametrize("seed", range(EACH))
def test_environments(answer: Callable[..., str], monkeypatch, seed: int) -> None:
    draw = fresh(seed, "environments")
    for name in draw.sample(VARIABLES, draw.randint(1, 4)):
        monkeypatch.setenv(name, draw.choice(SET_TO))
    answer(
        [
            "--width",
            "4",
            "--blocks",
            "1",
            "--points",
            "30",
            *draw.choice([[], ["--devices", "2"], ["--num_nodes", "2"]]),
        ]
    )


def test_there_are_two_hundred() -> None:
    assert 5 * EACH >= 200
