"""Checks that a change of the code leaves the training the same to the last bit: ten steps of every recipe.

    python benchmarks/same_bits.py ../before                    this checkout against another one
    python benchmarks/same_bits.py ../before --only wave kdv    some of the cases

Every case runs `train.py` of each checkout in a separate process: seed 0, one thread, not compiled. It compares the
logged losses and terms of every step, and all weights at the end, bit by bit. The exit code is 1 if they differ.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "same_bits.json"
STEPS = 10
SMALL = ["--width", "8", "--points", "200"]
OPTIONS = {  # optimizers, networks, weights and embeddings that no recipe uses
    "adam_adaptive_weights": [*SMALL, "--optimizer", "adam", "--causal", "1", "--balance", "2", "--adaptive", "1", "1"],
    "soap": [*SMALL, "--optimizer", "soap"],
    "phases_of_two_precisions": [*SMALL, "--optimizer", "adam 2, lbfgs 1, ssbroyden 2"],
    "bfgs_causal": [*SMALL, "--optimizer", "bfgs", "--causal", "10", "--exact", "initial"],
    "gauss_newton_balanced": [*SMALL, "--optimizer", "gauss_newton", "--balance", "2", "--causal", "1"],
    "batchnorm": [*SMALL, "--network", "batchnorm", "--optimizer", "adam"],
    "piratenet": ["--network", "piratenet", *SMALL, "--blocks", "2", "--optimizer", "adam", "--fourier", "8"],
    "autograd": [*SMALL, "--optimizer", "adam", "--derivatives", "autograd"],
    "two_symmetries": ["--problem", "helmholtz", *SMALL, "--symmetry.x", "odd", "--symmetry.y", "odd"],
    "neumann_soft": ["--problem", "benchmarks/unseen.py:Fisher", *SMALL, "--exact", "--optimizer", "adam"],
}


def cases() -> dict[str, list[str]]:
    """The flags of each case by name: recipes, published settings, then OPTIONS."""
    recipes = sorted((HERE / "configs").rglob("*.yaml"))
    named = {str(path.relative_to(HERE / "configs").with_suffix("")): path for path in recipes}
    flags = {name: ["--config", str(path.relative_to(HERE))] for name, path in named.items()}
    flags["paper/kdv"] += ["--optimizer", "adam"]  # the plan of its second phase needs 72 GB
    flags["default"] += ["--problem", "benchmarks/unseen.py:Poisson3D"]
    return flags | OPTIONS


def trained(checkout: Path, flags: Sequence[str]) -> dict[str, Any]:
    """The losses of every step, as they were logged, and a digest of the weights after the last one."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = ["--seed", "0", "--steps", str(STEPS), "--compile", "off", "--log_every", "1", "--folder", folder]
        words = [sys.executable, "train.py", *flags, *fixed, "--name", "run", "--statistics_record"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
        process = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)} in {checkout}: {process.stderr.strip()}")
        run = Path(folder, "run")
        with (run / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        losses = [{k: v for k, v in row.items() if k.startswith("loss") and v} for row in rows]
        state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    digest = hashlib.sha256()
    network_first = sorted(state, key=lambda name: not name.startswith("network."))  # other buffers may be renamed
    for name in network_first:
        digest.update(state[name].contiguous().numpy().tobytes())
    return {"losses": [row for row in losses if row], "weights": digest.hexdigest()}


def commit(checkout: Path) -> str:
    """The commit of a checkout."""
    git = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="names of cases; all unless given")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args(argv)
    there = arguments.before.resolve() / "configs"
    known = {k: v for k, v in cases().items() if k in OPTIONS or (there / f"{k}.yaml").is_file()}  # both have these
    same: dict[str, bool] = {}
    digests: dict[str, str] = {}
    for name in arguments.only or known:
        before, now = (trained(checkout.resolve(), known[name]) for checkout in (arguments.before, HERE))
        assert len(now["losses"]) >= STEPS, f"{name}: {len(now['losses'])} logged losses of {STEPS} steps"
        same[name], digests[name] = before == now, now["weights"][:16]
        print(f"{name}: {'the same bits' if same[name] else 'DIFFERENT'}", flush=True)
        if before["losses"] != now["losses"]:
            print(f"  before: {before['losses']}\n  now:    {now['losses']}")
        checkouts = {"before": commit(arguments.before), "now": commit(HERE)}
        arguments.out.write_text(json.dumps({**checkouts, "same": same, "weights": digests}, indent=2) + "\n")
    return 0 if all(same.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
