"""What the default run reaches: `python train.py` for several seeds, into results/default_run.json.

    python benchmarks/default_run.py [SEED ...]

Each seed is a process of its own. Recorded: relative L2 and largest error of the final weights, seconds of training
(wall_s, validation and pictures included), and what the run's own summary.json says about machine and versions.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "default_run.json"
KEPT = ("seed", "rel_l2", "max_error", "loss", "steps", "wall_s", "s_per_step", "parameters", "stop_reason")


def run(seed: int, folder: str) -> dict[str, object]:
    """One default run; its summary."""
    flags = ["--seed", str(seed), "--folder", folder, "--name", f"seed-{seed}"]
    subprocess.run([sys.executable, str(ROOT / "train.py"), *flags], check=True, cwd=ROOT)
    return json.loads((Path(folder) / f"seed-{seed}" / "summary.json").read_text())


def main() -> None:
    seeds = [int(word) for word in sys.argv[1:]] or [0, 1, 2]
    with tempfile.TemporaryDirectory() as folder:
        summaries = [run(seed, folder) for seed in seeds]
    errors = [summary["rel_l2"] for summary in summaries]
    result = {
        "command": "python train.py --seed SEED",
        "problem": summaries[0]["problem"],
        "rel_l2_median": statistics.median(errors),
        "rel_l2_worst": max(errors),
        "wall_s_median": statistics.median(summary["wall_s"] for summary in summaries),
        "runs": [{key: summary[key] for key in KEPT} for summary in summaries],
        "device": summaries[0]["device"],
        "dtype": summaries[0]["dtype"],
        "versions": summaries[0]["versions"],
        "commit": summaries[0]["commit"],
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"relative L2: median {result['rel_l2_median']:.2e}, worst {result['rel_l2_worst']:.2e}; {RESULT}")


if __name__ == "__main__":
    main()
