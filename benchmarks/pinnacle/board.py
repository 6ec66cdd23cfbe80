"""PINNacle's rows with this package, into ../results/pinnacle.json and ../PINNACLE.md.

    python benchmarks/pinnacle/board.py                              all rows, seeds 0 1 2, masked and not (a day)
    python benchmarks/pinnacle/board.py --only PNd HNd --seeds 0     these; stored runs are kept and not run again
    python benchmarks/pinnacle/board.py --variants mask              only with the mask
    python benchmarks/pinnacle/board.py --again --only KS            runs stored ones once more
    python benchmarks/pinnacle/board.py --data FOLDER                also against the benchmark's own reference files
    python benchmarks/pinnacle/board.py --report                     writes the page from what is stored

Each run is `python train.py --config <recipe> --seed SEED` in a separate process; the variant `plain` adds
`--mask false`. Errors are those of the best weights, chosen by the loss at fresh points, in relative L2 over all
compared fields jointly, as the benchmark has it. Solutions and references are used for the table alone. Results are
stored after each run, so that an interrupt loses only one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # this file is run as a script

import page  # noqa: E402
from rows import ROWS, Row  # noqa: E402
from training_runs import recorded, train  # noqa: E402

from mask_pinns import MaskPINN  # noqa: E402
from mask_pinns.problems.evaluation_grid import load_reference  # noqa: E402

RESULT = HERE.parent / "results" / "pinnacle.json"
VARIANTS: dict[str, list[str]] = {"mask": [], "plain": ["--mask", "false"]}
"""Words that are added to a recipe's command."""


def relative(values: np.ndarray, true: np.ndarray) -> float:
    """Relative L2 over all points and columns jointly, where the truth is known."""
    known = np.isfinite(true)
    return float(np.linalg.norm((values - true)[known]) / np.linalg.norm(true[known]))


def errors(row: Row, checkpoint: Path, data: Path | None) -> dict[str, float]:
    """The error against this package's solution or reference, and against the benchmark's file, if there is one."""
    module = MaskPINN.load_from_checkpoint(checkpoint)
    problem = module.problem
    columns = [list(problem.fields).index(name) for name in row.fields or problem.fields]
    grid = problem.evaluation()
    if grid.values is None:
        raise SystemExit(f"{row.recipe}: neither a solution nor a reference is known; make it by its script")
    found = {"error": relative(module.predict(grid.points)[:, columns], grid.values.numpy()[:, columns])}
    if data and row.others:
        theirs = lowered(data / row.others, list(problem.fields))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / row.others
            np.savez(path, **theirs)
            other = load_reference(path, problem.domain, list(problem.fields), row.recipe)
        assert other.values is not None
        found["against_others"] = relative(module.predict(other.points)[:, columns], other.values.numpy()[:, columns])
    return found


def lowered(path: Path, fields: list[str]) -> dict[str, np.ndarray]:
    """The arrays of a file, in which the fields have lower-case names."""
    names = {name.lower(): name for name in fields}
    with np.load(path) as arrays:
        return {names.get(name, name): arrays[name] for name in arrays.files}


def run(row: Row, seed: int, variant: str, data: Path | None) -> dict[str, Any]:
    """One run of a row: what is kept of it, and its errors."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--config", str(row.path), "--seed", str(seed), *VARIANTS[variant]]
        out = train(words, Path(folder), row.recipe)
        return recorded(out, masked=variant == "mask") | errors(row, out / "checkpoints" / "best.ckpt", data)


def check(names: Iterable[str], data: Path | None, out: Path, parser: argparse.ArgumentParser) -> None:
    """Ends with one line, before anything is trained, if what is needed afterwards is not there."""
    if not out.parent.is_dir():
        parser.error(f"--out {out}: there is no folder {out.parent}")
    for row in (ROWS[name] for name in names):
        if data and row.others and not (data / row.others).is_file():
            parser.error(f"--data {data}: there is no {row.others}, which {row.recipe} is compared with")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the benchmark's reference files")
    parser.add_argument("--again", action="store_true", help="also runs that are stored")
    parser.add_argument("--out", type=Path, default=RESULT, metavar="FILE", help="where results are stored")
    parser.add_argument("--report", action="store_true", help="only write the page")
    options = parser.parse_args(words)
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.out.is_file() else {}
    cells = [(name, seed, variant) for name in options.only for seed in options.seeds for variant in options.variants]
    check(options.only, options.data, options.out, parser)
    for name, seed, variant in [] if options.report else cells:
        stored = {r["seed"]: r for r in results.get(name, {}).get(variant, [])}
        if seed in stored and not options.again:
            continue
        print(f"{name}, seed {seed}, {variant}", flush=True)
        stored[seed] = run(ROWS[name], seed, variant, options.data)
        results.setdefault(name, {})[variant] = [stored[s] for s in sorted(stored)]
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    page.write(results, options.out)


if __name__ == "__main__":
    main()
