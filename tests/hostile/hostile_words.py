"""Words, lines and values of which hostile inputs are made."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from mask_pinns.settings import SETTINGS, options

VALUES = [
    "", " ", "-", "--", "=", "null", "~", "true", "no", "[]", "{}", "[1, 2", "{a: 1}", "{a: {b: {c: 1}}}",
    "[[[[1]]]]", "1e400", "-1", "0", "-0.0", "010", "0x1F", "0o17", "1_000", "1:30", "2026-01-01", ".inf", ".nan",
    "nan", "1e-3", "9" * 400, "1.5", "a" * 5000, "\u0661\u0662", "\U0001d7d9", "\u2212" + "5", "\ufeff1", "a\tb",
    "a\nb", "[red]x[/blue]", "{}{}", "%s%n", "%(prog)s", "$HOME", "*x", "&x", "!!python/object/apply:os.system [ls]",
    "<<", "../../etc", "/dev/null", "/dev/zero", "C:\\x", "'", '"', "`ls`", "masked", "wave", "adam 3, adam",
    "adam,", ",", "adam -1", "x", "t", "pde", "u.xx", "\x7f", "\u202e", "\U0001f600",
]  # fmt: skip
"""Values of flags and settings."""
FLAGS = [f"--{option.name}" for classes in SETTINGS.values() for cls in classes for option in options(cls)]
FLAGS += [
    "--problem", "--network", "--problem.c", "--network.width", "--weights.pde", "--points.initial",
    "--trainer.max_time", "--trainer.limit_val_batches", "--embedding.scale.t", "--symmetry.x", "--config",
    "--optimizer",
]  # fmt: skip
LINES = [
    "domain = Box(x=(0.0, 1.0), t=(0.0, 1.0))", "domain = Box(x=(1, 0))", "domain = Box()",
    "domain = Box(x=(0, float('nan')))", "domain = 3", "fields = ('u',)", "fields = ('u', 'u')", "fields = ()",
    "fields = 'u'", "fields = ('x',)", "derivatives = ('t', 'xx')", "derivatives = 'xx'", "derivatives = ('y',)",
    "derivatives = (3,)", "derivatives = ('x' * 9,)", "conditions = (Initial(u=0.0), Dirichlet('x', u=1.0))",
    "conditions = Initial(u=None)", "conditions = (Dirichlet('y', u=0.0),)",
    "conditions = (Initial(u=lambda p: p.y),)", "conditions = (Initial(u=lambda p: 1 / 0),)", "conditions = [1]",
    "conditions = (Neumann('x', u=float('inf')),)", "conditions = (Periodic('x'), Periodic('x'))", "k: float = 1",
    "k: float", "k: int = 'a'", "k: list = []", "k = None", "grid = 1", "grid = 10**9", "scales = {'u': 0.0}",
    "scales = {'v': 1.0}", "reference = 'nowhere.npz'", "__init__ = None",
    "@property\n    def domain(self): raise SystemExit(3)",
    "@property\n    def conditions(self): return self.conditions", "def exact(self, p): return float('nan') * p.x",
    "def exact(self, p): return p.x[:3]", "def exact(self): return 0",
]  # fmt: skip
"""Lines in a problem's class."""
BODIES = [
    "u.t - u.xx", "u", "0.0", "None", "u.yy", "p.y", "u.t[:1]", "(u.t, u.xx)", "{}", "()", "u.t.sum()", "1 / 0",
    "exit()", "int(u.t)", "u.t if u.t > 0 else u.xx", "self.residual(p, u)", "torch.ones(3)", "u.t * float('nan')",
    "u.xx.item()", "[u.t]", "u.t + 1j", "u.nothing", "open('/nowhere')", "u.t.long()",
]  # fmt: skip
"""What a residual returns."""
ARRAYS: list[Any] = [
    np.zeros((3, 2)), np.zeros((0, 2)), np.zeros(2), np.zeros((2, 2, 2)), np.zeros((3, 3)), np.full((2, 2), np.nan),
    np.zeros(()), np.zeros((2, 2), complex), np.array([["a", "b"]]), np.zeros((2, 2), bool),
    np.zeros((2, 2), "M8[s]"), np.full((2, 2), 1e308), np.zeros((2, 2), np.float16),
    np.array([[1, 2]], dtype=np.int8), np.array([(1.0, 2.0)], dtype=[("x", float), ("t", float)]),
]  # fmt: skip
"""Contents of a file of points."""
CELLS = [
    "0", "1", "0.5", "nan", "inf", "", " ", "x", "t", "1e999", "1j", "1;2", "'0'", '"1"', "#", "0x1", "\u0661",
    "1 2", "-", "\x00",
]  # fmt: skip
"""Cells of a table of points."""
VARIABLES = [
    "RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR",
    "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_NAME", "TORCHELASTIC_RUN_ID", "MASK_PINNS_PARENT", "COLUMNS", "TERM",
    "NO_COLOR", "PL_GLOBAL_SEED", "LANG", "HOME",
]  # fmt: skip
"""Variables of the environment, and their settings."""
SET_TO = [
    "", "0", "1", "2", "-1", "foo", "1.5", "1e3", "nan", "localhost", "nowhere.invalid", "\u0661", "9" * 30,
    *string.punctuation,
]  # fmt: skip
