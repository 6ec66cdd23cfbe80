"""Worker processes on this machine that run cells in turn: if one dies, its cell fails; Ctrl-C saves and ends all.

The queue gives a cell only to a worker that is free, so no cell waits for a busy one. Only the queue receives Ctrl-C:
it asks every worker once to save and end (a second signal would make a run end at once), and starts no other cell.

Submitit is not used here, since on one machine it starts every job of an array at once, each in a new interpreter; some
hundred cells of a minute each need a few permanent workers, and a Ctrl-C that saves.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from studies.runner import fail, run_cell

CONTEXT = multiprocessing.get_context("spawn")


class Worker:
    """One process with a device (a GPU's number, or None) and CPU threads; if it dies, another one replaces it."""

    def __init__(self, device: int | None, threads: int) -> None:
        self.device, self.threads = device, threads
        self.start()

    def start(self) -> None:
        self.pipe, end = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_work, args=(end, self.device, self.threads))
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process inherits this from its first moment
        self.process.start()
        signal.signal(signal.SIGINT, handler)
        end.close()

    def begin(self, folder: Path) -> None:
        self.folder = folder
        self.pipe.send(folder)

    def end(self) -> str:
        """The reason why the cell failed, "" if it did not. If the worker died, its cell has failed too."""
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            self.start()
            return fail(self.folder, f"the process {how}" + (", as for want of memory" if code == -9 else ""))


def _work(pipe: Connection, device: int | None, threads: int) -> None:
    """In a worker: runs the cells whose folders it receives, and sends the reason of each failure."""
    os.setpgrp()
    threading.Thread(target=_end_with_queue, daemon=True).start()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
    torch.set_num_threads(threads)
    with suppress(EOFError, BrokenPipeError):  # the queue has closed its end
        while True:
            pipe.send(run_cell(pipe.recv()))


def _end_with_queue() -> None:
    """Ends this process when the queue ends, for any reason: a new queue may then run this cell."""
    queue = multiprocessing.parent_process()
    assert queue is not None
    queue.join()
    os._exit(1)


def local(folders: Sequence[Path], workers: int, threads: int) -> Generator[tuple[Path, str], None, None]:
    """Runs the cells in processes of this machine, which share its GPUs; yields (folder, reason of failure or "")."""
    count, remaining = torch.cuda.device_count(), iter(folders)
    free = [Worker(i % count if count else None, threads) for i in range(min(workers, len(folders)))]
    everyone, busy = list(free), {}
    try:
        while True:
            for worker, folder in zip(free, remaining, strict=False):
                worker.begin(folder)
                busy[worker.pipe] = worker
            if not busy:
                return
            free = [busy.pop(pipe) for pipe in wait(busy)]
            for worker in free:
                yield worker.folder, worker.end()
    finally:
        _stop(everyone)


def _stop(workers: Sequence[Worker]) -> None:
    """Asks all workers to save and end, and waits for them; another Ctrl-C ends them at once."""
    try:
        for worker in workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
    except KeyboardInterrupt:
        for worker in workers:
            worker.process.kill()
        raise
