"""Help and mistakes are answered before torch and Lightning are imported, which takes seconds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

import mask_pinns

HEAVY = ("torch", "lightning", "torchmetrics", "tensorboard", "matplotlib", "scipy", "pytorch_optimizer", "optuna",
         "shtab")  # fmt: skip
MODULES = """
import sys
from mask_pinns.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


def imported(code: str, *words: str, cwd: Path = ROOT) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Runs Python code that prints a line of modules. Returns the process, and the heavy ones among them."""
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("imported:"))
    return done, set(line.split()) & set(HEAVY)


ANSWERS = [
    ("--help", 0, "usage: mask-pinns"),
    ("--problem burgers --network piratenet --help", 0, "--problem.nu"),
    ("--version", 0, f"mask-pinns {mask_pinns.__version__}"),
    ("--print_config", 0, "name: wave"),
    ("--widht 3", 2, "unknown setting --widht; did you mean --width?"),
    ("--trainer.max_tim 3", 2, "did you mean --trainer.max_time? There are: --trainer.max_time, "),
    ("--problem.d 3", 2, "unknown setting --problem.d; did you mean --problem.c?"),
    ("--width wide", 2, "width"),
    ("--problem.c fast", 2, "problem.c"),
    ("--problem wav", 2, "unknown problem 'wav'; did you mean 'wave'? known: wave, convection"),
    ("--network mask", 2, "unknown network 'mask'; did you mean 'masked'? known: masked, residual"),
    ("--activation gleu", 2, "unknown activation 'gleu'; did you mean 'gelu'? known: gelu, tanh"),
    ("--fourier_activation gleu", 2, "unknown activation 'gleu'; did you mean 'gelu'? known: gelu, tanh"),
    ("--optimizer adm", 2, "unknown optimizer 'adm'; did you mean 'adam'? known: adam, lbfgs"),
    ("--sampler sobl", 2, "unknown sampler 'sobl'; did you mean 'sobol'? known: latin_hypercube"),
    ("--derivatives jets", 2, "unknown derivatives engine 'jets'; did you mean 'jet'? known: jet, autograd"),
    ("--config missing.yaml", 2, "configuration file missing.yaml does not exist"),
    ("--resume missing.ckpt", 2, "checkpoint missing.ckpt does not exist"),
]


@pytest.mark.parametrize(("words", "code", "answer"), ANSWERS, ids=[words for words, _, _ in ANSWERS])
def test_what_is_answered_at_once(words: str, code: int, answer: str) -> None:
    done, heavy = imported(MODULES, *words.split())
    assert done.returncode == code and answer in done.stdout + done.stderr, done.stderr
    assert not heavy
    assert done.stderr.count("\n") == bool(code), done.stderr


def test_a_command_that_can_be_run_imports_them() -> None:
    """The list above can fail: the names are those of modules."""
    done, heavy = imported(MODULES, "--dry_run", "--width", "5", "--points", "30", "--steps", "2")
    assert done.returncode == 0 and {"torch", "lightning", "tensorboard", "matplotlib"} <= heavy, done.stderr


PUBLIC = """
import pickle, sys
import mask_pinns
from mask_pinns import *
assert set(mask_pinns.__all__) <= set(dir(mask_pinns)) and set(mask_pinns.__all__) <= set(globals())
assert mask_pinns.MaskPINN is MaskPINN and pickle.loads(pickle.dumps(MaskPINN)) is MaskPINN
assert pickle.loads(pickle.dumps(Sampling(seed=3))) == Sampling(seed=3)
assert mask_pinns.problems.PROBLEMS is PROBLEMS and mask_pinns.callbacks.Progress is Progress
assert mask_pinns.cli.__name__ == "mask_pinns.cli" and not hasattr(mask_pinns, "__main__")
assert __version__ == mask_pinns.__version__
print("imported:")
"""


def test_public_names() -> None:
    done, _ = imported(PUBLIC)
    assert done.returncode == 0, done.stderr


def test_public_names_that_need_no_torch() -> None:
    _, heavy = imported(
        "import sys, mask_pinns\nfrom mask_pinns import Sampling, TrainingSettings\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    assert not heavy


def test_every_public_name_is_imported_for_type_checkers_and_known_at_run_time() -> None:
    tree = ast.parse((ROOT / "mask_pinns/__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == sorted(mask_pinns.__all__)
    for name in names:
        assert getattr(mask_pinns, name) is not None
    with pytest.raises(AttributeError, match="module 'mask_pinns' has no attribute 'MaskPIN'"):
        _ = mask_pinns.MaskPIN  # type: ignore[attr-defined]
