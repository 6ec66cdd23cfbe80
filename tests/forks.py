"""Functions in processes of their own, forked from a server that has imported everything, which takes seven seconds.

The server runs nothing itself, so that it may be forked: no thread and no CUDA context is in it.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
from helpers import BENCHMARKS, ROOT, blank_pictures
from lightning.pytorch.utilities.rank_zero import rank_zero_only

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["forks", "pytest", "study"])
atexit.register(forkserver._forkserver._stop)  # waits for it, so that its time counts as that of the tests


def start_server() -> None:
    """Starts the server of all forks, if it does not run yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, BENCHMARKS, ROOT / "tests"))))
        forkserver.ensure_running()


class Fork:
    """`function(*arguments)` in a process and a session of its own; its result is the exit code.

    Standard output and standard error are in the files `out` and `err` of the folder `streams`. With `pictures`, runs
    save real ones.
    """

    def __init__(
        self, streams: Path, function: Callable[..., int], *arguments: Any, pictures: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        streams.mkdir(parents=True, exist_ok=True)
        self.streams = streams
        given = (streams, function, arguments, dict(environment or {}), pictures)
        self.process = CONTEXT.Process(target=_run, args=given, daemon=False)
        start_server()
        self.process.start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.process, name)

    def wait(self, seconds: float = 300) -> int:
        """The exit code, or minus the signal that ended the process; it is killed if it takes longer."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        return int(self.process.exitcode)

    @property
    def out(self) -> str:
        return (self.streams / "out").read_text()

    @property
    def err(self) -> str:
        return (self.streams / "err").read_text()


def _run(
    streams: Path, function: Callable[..., int], arguments: Sequence[Any], environment: Mapping[str, str],
    pictures: bool,
) -> None:  # fmt: skip
    os.setsid()
    os.environ.update(environment)
    rank_zero_only.rank = int(environment.get("RANK", "0"))  # read from the environment at import
    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(streams / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    if not pictures:
        blank_pictures(pytest.MonkeyPatch())
    sys.exit(function(*arguments))


def two_ranks(streams: Path, function: Callable[..., int], *arguments: Any) -> list[Fork]:
    """Two processes that know of each other, as torchrun starts them; both have ended well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
              "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "tests"}  # fmt: skip
    places = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in (0, 1)]
    ranks = [Fork(streams / own["RANK"], function, *arguments, environment=common | own) for own in places]
    codes = [rank.wait() for rank in ranks]
    assert codes == [0, 0], ranks[0].err + ranks[1].err
    return ranks
