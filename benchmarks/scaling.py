"""Scaling of a step over processes: strong (they share the same points) and weak (each has as many as one alone).

    python benchmarks/scaling.py                                   1 and 2 processes: gloo on CPUs, NCCL on GPUs
    python benchmarks/scaling.py --processes 1 2 4 8 --rounds 5    as many as there are devices
    python benchmarks/scaling.py --only wave-adam

Every time is that of `python train.py --devices N --strategy ddp`, in seconds a step from summary.json. Rounds go
through all cells in turn; results are medians. On CPUs each process has one thread. Efficiency: strong t_1 / (N t_N),
weak t_1 / t_N. Communication: time of the step's reductions alone between as many processes, over the time of the step.
Output: results/scaling-<device>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mask_pinns.callbacks.summary import commit, device_name, versions  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
RESULT = Path(__file__).parent / "results" / f"scaling-{DEVICE.type}.json"
QUIET = ["--statistics_record", "--figures_every", "100000", "--log_every", "5", "--compile", "off"]
WORKS: dict[str, list[str]] = {
    "wave-adam": ["--config", str(ROOT / "configs/paper/wave.yaml"), "--steps", "30", "--validate_every", "30"],
    "wave-gauss_newton": [
        "--config",
        str(ROOT / "configs/wave_precise.yaml"),
        "--steps",
        "10",
        "--validate_every",
        "10",
    ],
}
REPEATS = 20
"""Times that reductions are measured; the result is the median."""


def seconds(work: str, processes: int, kind: str) -> dict[str, Any]:
    """One run of a work: its seconds a step, and how many parameters it has."""
    sharing = {"strong": "split", "weak": "each"}[kind]
    machine = ["--devices", str(processes), "--points_over_ranks", sharing] + (
        ["--strategy", "ddp"] if processes > 1 else []
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if DEVICE.type == "cpu" else None
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(ROOT / "train.py"), *WORKS[work], *QUIET, *machine]
        process = subprocess.run(
            [*words, "--folder", folder, "--name", "a"], env=environment, capture_output=True, text=True
        )
        if process.returncode:
            raise SystemExit(f"{work} on {processes} processes failed:\n{process.stderr}")
        summary = json.loads((Path(folder) / "a/summary.json").read_text())
    return {key: summary[key] for key in ("s_per_step", "parameters", "dtype", "evaluations", "steps")}


def reductions(work: str, run: dict[str, Any]) -> list[int]:
    """Sizes of the reductions of a step: gradient and loss; for Gauss-Newton J'J, J'v, and two for each evaluation."""
    size = run["parameters"]
    if work.endswith("adam"):
        return [size, 1]
    evaluations = round(run["evaluations"] / run["steps"])
    return [size**2, size, 1] + [size, 1] * evaluations


def _reduce(rank: int, processes: int, file: str, sizes: list[int], dtype: torch.dtype, queue: Any) -> None:
    """In one of the processes: puts the median seconds of these reductions into a queue."""
    device = torch.device(DEVICE.type, rank) if DEVICE.type == "cuda" else DEVICE
    torch.set_num_threads(1)
    backend = "nccl" if DEVICE.type == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{file}", rank=rank, world_size=processes)
    tensors, times = [torch.ones(n, device=device, dtype=dtype) for n in sizes], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for x in tensors:
            distributed.all_reduce(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    if rank == 0:
        queue.put(statistics.median(times))
    distributed.destroy_process_group()


def communication(processes: int, sizes: list[int], dtype: torch.dtype) -> float:
    """Seconds of these reductions, one after the other; none for one process."""
    if processes == 1:
        return 0.0
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_reduce, (processes, f"{folder}/rendezvous", sizes, dtype, queue), nprocs=processes)
    return float(queue.get())


def measured(work: str, counts: list[int], rounds: int) -> dict[str, Any]:
    """Rows by kind and number of processes: seconds a step, efficiency, share of communication."""
    cells = [(kind, n) for kind in ("strong", "weak") for n in counts]
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {cell: [] for cell in cells}
    for _ in range(rounds):
        for kind, n in cells:
            runs[kind, n].append(seconds(work, n, kind))
            print(f"{work}, {kind}, {n}: {runs[kind, n][-1]['s_per_step']:.4f} s a step", flush=True)
    rows: dict[str, Any] = {}
    for kind, n in cells:
        last = runs[kind, n][-1]
        time_of = {m: statistics.median(r["s_per_step"] for r in runs[kind, m]) for m in (counts[0], n)}
        speedup = time_of[counts[0]] / time_of[n]
        reducing = communication(n, reductions(work, last), getattr(torch, last["dtype"]))
        rows[f"{kind}, {n}"] = {
            "s_per_step": time_of[n], "efficiency": speedup * (counts[0] / n if kind == "strong" else 1.0),
            "communication_s": reducing, "communication_share": reducing / time_of[n], "parameters": last["parameters"],
        }  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    machine = {"device": device_name(DEVICE), "cores": os.cpu_count(), "versions": versions(), "commit": commit()}
    for work in arguments.only:
        rows = measured(work, sorted(arguments.processes), arguments.rounds)
        RESULT.write_text(json.dumps(result | machine | {work: rows}, indent=2) + "\n")
        result = json.loads(RESULT.read_text())
        print(f"\n| {work} | s a step | efficiency | communication |\n|---|---|---|---|")
        for name, row in rows.items():
            share = row["communication_share"]
            print(f"| {name} | {row['s_per_step']:.3f} | {row['efficiency']:.2f} | {share:.1%} |")


if __name__ == "__main__":
    main()
