"""Studies: resumable grids of runs that show when the mask helps, and when it does not.

    python benchmarks/study.py                           lists the studies
    python benchmarks/study.py mask_on_off --dry_run     lists its cells, and the time that they will take here
    python benchmarks/study.py mask_on_off               runs it, or continues where it stopped
    python benchmarks/study.py mask_on_off --retry       runs the cells that failed once more
    python benchmarks/study.py my_study.yaml             runs a study from a file (studies/grid.py explains its keys)
    python benchmarks/study.py width --launcher slurm    runs it as one job array, by submitit
    python benchmarks/study.py --report                  writes RESULTS.md from all stored results
    python benchmarks/study.py my_study.yaml --report    writes the same for one study, in a page beside its results

Cells are in runs/studies/<study>/, tables and figures in benchmarks/results/studies/.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]  # this file is run as a script; workers inherit the path

from filelock import FileLock, Timeout  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402
from rich.table import Column, Table  # noqa: E402
from studies import page, runner, workers  # noqa: E402
from studies.cells import check_cells  # noqa: E402
from studies.estimate import Estimate, duration  # noqa: E402
from studies.grid import STUDIES, Cell, Study  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "studies"


def positive(text: str) -> int:
    """The whole number above zero in the text of a flag."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help=f"{', '.join(STUDIES)}, or a YAML file")
    parser.add_argument("--dry_run", action="store_true", help="list the cells and the time they will take, run none")
    parser.add_argument("--retry", action="store_true", help="run cells that failed once more, from their start")
    parser.add_argument("--seeds", nargs="+", type=int, help="in place of the study's own")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "studies", help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of tables and pictures")
    parser.add_argument("--workers", type=positive, default=os.cpu_count(), help="cells at a time")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads of each")
    parser.add_argument("--launcher", choices=("here", "slurm", "local", "debug"), default="here",
        help="here: processes of this machine; else submitit's clusters")  # fmt: skip
    parser.add_argument("--hours", type=float, default=24, help="time limit of a cluster's job")
    parser.add_argument("--report", action="store_true", help="only write the page from what is stored")
    return parser


def find(name: str) -> Study:
    """The study with this name, or in this file. Raises ValueError with the known names."""
    path = STUDIES.get(name, Path(name))
    if not path.is_file():
        raise ValueError(f"unknown study {name!r}; known: {', '.join(STUDIES)}, or a YAML file")
    if path.stem in STUDIES and not path.samefile(STUDIES[path.stem]):
        raise ValueError(f"{path} is called like a study that there is; give the file a name of its own")
    return Study.read(path)


def show_plan(cells: Sequence[Cell], out: Path, estimate: Estimate, console: Console) -> None:
    """Prints the cells with their states and seconds, and the time that remains."""
    table = Table(Column("cell", overflow="fold"), "state", "about")
    remaining = 0.0
    for cell in cells:
        state, seconds = runner.state(out / cell.name), estimate.seconds(cell)
        remaining += seconds if state in ("new", "begun") else 0
        table.add_row(cell.name, state, duration(seconds))
    console.print(table)
    console.print(f"{len(cells)} cells; what is left takes about {duration(remaining)} of one worker", highlight=False)


def run(
    cells: Sequence[Cell], out: Path, arguments: argparse.Namespace, estimate: Estimate, console: Console
) -> Counter[str]:
    """Runs the remaining cells, with a progress bar and the remaining time; returns the number of cells by state."""
    remaining = runner.prepare(cells, out, arguments.retry)
    by_folder = {out / cell.name: cell for cell in remaining}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console) as progress:
        task = progress.add_task(out.name, total=len(cells), completed=len(cells) - len(remaining), left="")
        with closing(start(list(by_folder), out, arguments)) as ended:  # before the lock is released, on Ctrl-C too
            for folder, failure in ended:
                cell = by_folder.pop(folder)
                if failure:
                    console.print(f"failed: {cell.name}: {failure}", highlight=False)
                estimate.learn(cell)
                seconds = sum(map(estimate.seconds, by_folder.values())) / arguments.workers
                progress.update(task, advance=1, left=f"left {duration(seconds)}")
    return Counter(runner.state(out / cell.name) for cell in cells)


def start(folders: Sequence[Path], out: Path, arguments: argparse.Namespace) -> Generator[tuple[Path, str], None, None]:
    """Starts the cells in these folders; yields (folder, reason of its failure or "") as they end."""
    if arguments.launcher == "here":
        return workers.local(folders, arguments.workers, arguments.threads)
    return runner.cluster(folders, out, arguments.launcher, arguments.hours, arguments.workers)


def judge(states: Counter[str]) -> int:
    """The exit code, 0 if all cells are done; prints what to do about the others."""
    if failed := states["failed"]:
        print(f"{failed} cells failed, see failed.txt in their folders; once more: --retry", file=sys.stderr)
    if unfinished := states["begun"] + states["new"]:
        print(f"{unfinished} cells unfinished; the same command goes on", file=sys.stderr)
    return int(failed + unfinished > 0)


def report(arguments: argparse.Namespace) -> None:
    """Writes RESULTS.md for all studies, or for one alone a page beside its results."""
    if arguments.study:
        study = find(arguments.study)
        page.write_page([study], arguments.results, arguments.results / f"{study.name}.md")
    else:
        page.write_page(page.all_studies(), arguments.results, Path(__file__).parent / "RESULTS.md")


def show_studies(console: Console) -> None:
    """Lists the studies in grids/."""
    for study in page.all_studies():
        console.print(f"{study.name}: {study.title}; {len(study.cells())} cells. {study.budget}", highlight=False)


def run_study(arguments: argparse.Namespace, console: Console) -> int:
    """Runs a study, or only shows its plan. Raises ValueError before anything runs, if a cell cannot be run."""
    study = find(arguments.study)
    out, cells = arguments.out / study.name, study.cells(arguments.seeds)
    check_cells(cells)
    estimate = Estimate(out)
    if arguments.dry_run:
        show_plan(cells, out, estimate, console)
        return 0
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock", timeout=0):
        everything = runner.with_stored(study, cells, out)
        states = run(cells, out, arguments, estimate, console)
        page.store(study, everything, out, arguments.results)
    return judge(states)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    console = Console()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # of plans; each cell has a separate log
    try:
        if arguments.report:
            report(arguments)
        elif arguments.study:
            return run_study(arguments, console)
        else:
            show_studies(console)
    except Timeout as error:
        print(f"error: another process runs the study in {Path(error.lock_file).parent}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
