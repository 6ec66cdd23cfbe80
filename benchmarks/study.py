"""Studies: does the mask help, on what, and when not? A grid of runs, resumable, and what it shows.

    python benchmarks/study.py                           the studies there are
    python benchmarks/study.py mask_on_off --dry_run     its cells, and how long they will take here
    python benchmarks/study.py mask_on_off               run it; again: go on where it stopped
    python benchmarks/study.py mask_on_off --retry       the cells that failed, once more
    python benchmarks/study.py my_study.yaml             a study of one's own (studies/grid.py says what is in it)
    python benchmarks/study.py width --launcher slurm    as one job array, by submitit
    python benchmarks/study.py --report                  RESULTS.md from all stored results
    python benchmarks/study.py my_study.yaml --report    the same of one study, in a page beside its results

Cells lie in runs/studies/<study>/; tables and pictures go to benchmarks/results/studies/.
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
from studies.checks import check_cells  # noqa: E402
from studies.estimate import Estimate, duration  # noqa: E402
from studies.grid import STUDIES, Cell, Study  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "studies"


def positive(text: str) -> int:
    """A whole number above zero, as the flags take it."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def parser() -> argparse.ArgumentParser:
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
    """The study of that name, or in that file. Raises ValueError, naming those there are."""
    path = STUDIES.get(name, Path(name))
    if not path.is_file():
        raise ValueError(f"unknown study {name!r}; known: {', '.join(STUDIES)}, or a YAML file")
    if path.stem in STUDIES and not path.samefile(STUDIES[path.stem]):
        raise ValueError(f"{path} is called like a study that there is; give the file a name of its own")
    return Study.read(path)


def show_plan(cells: Sequence[Cell], out: Path, estimate: Estimate, console: Console) -> None:
    """The cells with their states and seconds, and the sum of what is left."""
    table = Table(Column("cell", overflow="fold"), "state", "about")
    left = 0.0
    for cell in cells:
        now, seconds = runner.state(out / cell.name), estimate.seconds(cell)
        left += seconds if now in ("new", "begun") else 0
        table.add_row(cell.name, now, duration(seconds))
    console.print(table)
    console.print(f"{len(cells)} cells; what is left takes about {duration(left)} of one worker", highlight=False)


def run(
    cells: Sequence[Cell], out: Path, given: argparse.Namespace, estimate: Estimate, console: Console
) -> Counter[str]:
    """Runs what is left, with a bar and the time left; returns how many cells are in which state."""
    left = runner.prepare(cells, out, given.retry)
    by_folder = {out / cell.name: cell for cell in left}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console) as progress:
        task = progress.add_task(out.name, total=len(cells), completed=len(cells) - len(left), left="")
        with closing(started(list(by_folder), out, given)) as ended:  # on Ctrl-C, too, before the lock is given up
            for folder, failed in ended:
                cell = by_folder.pop(folder)
                if failed:
                    console.print(f"failed: {cell.name}: {failed}", highlight=False)
                estimate.learn(cell)
                seconds = sum(map(estimate.seconds, by_folder.values())) / given.workers
                progress.update(task, advance=1, left=f"left {duration(seconds)}")
    return Counter(runner.state(out / cell.name) for cell in cells)


def started(folders: Sequence[Path], out: Path, given: argparse.Namespace) -> Generator[tuple[Path, str], None, None]:
    if given.launcher == "here":
        return workers.local(folders, given.workers, given.threads)
    return runner.cluster(folders, out, given.launcher, given.hours, given.workers)


def judge(states: Counter[str]) -> int:
    """The exit code: 0 where all cells are done; says what is to be done about the others."""
    if failed := states["failed"]:
        print(f"{failed} cells failed, see failed.txt in their folders; once more: --retry", file=sys.stderr)
    if unfinished := states["begun"] + states["new"]:
        print(f"{unfinished} cells unfinished; the same command goes on", file=sys.stderr)
    return int(failed + unfinished > 0)


def report(given: argparse.Namespace) -> None:
    """RESULTS.md of all studies; of one alone, a page beside its results."""
    if given.study:
        study = find(given.study)
        page.write_page([study], given.results, given.results / f"{study.name}.md")
    else:
        page.write_page(page.all_studies(), given.results, Path(__file__).parent / "RESULTS.md")


def show_studies(console: Console) -> None:
    for study in page.all_studies():
        console.print(f"{study.name}: {study.title}; {len(study.cells())} cells. {study.budget}", highlight=False)


def run_study(given: argparse.Namespace, console: Console) -> int:
    """Runs a study, or only shows its plan. Raises ValueError for what cannot be run, before anything is."""
    study = find(given.study)
    out, cells = given.out / study.name, study.cells(given.seeds)
    check_cells(cells)
    estimate = Estimate(out)
    if given.dry_run:
        show_plan(cells, out, estimate, console)
        return 0
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock", timeout=0):
        everything = runner.with_stored(study, cells, out)
        states = run(cells, out, given, estimate, console)
        page.store(study, everything, out, given.results)
    return judge(states)


def main(argv: Sequence[str] | None = None) -> int:
    given = parser().parse_args(argv)
    console = Console()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # of the plans; cells have logs of their own
    try:
        if given.report:
            report(given)
        elif given.study:
            return run_study(given, console)
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
