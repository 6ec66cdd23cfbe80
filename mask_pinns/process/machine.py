"""Settings of this process for the machine it runs on, made before torch is imported; never over the user's own.

Waiting threads: between two parts of an operation, OpenMP's threads wait for each other in a loop that keeps their core
busy, so that they go on at once. If another process uses one of the cores, a thread thus waits through whole time
slices of that process. With fewer turns of the loop a thread sleeps instead, and the system lets the other one run.

Freed memory: the C library would give arrays of megabytes back to the system after every operation, and the system
would fill the pages of the next ones with zeros first. They stay with the process instead.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""Variables of the environment that say how threads wait."""
TURNS = "1000"
"""Turns of the waiting loop (benchmarks/steps/neighbour.py)."""
KEEPING = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables of the environment that say which memory stays with the process, or what else keeps it."""
KEPT_BYTES = 2**31 - 1
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of mallopt(3)


def prepare() -> None:
    """Sets how threads wait and that freed memory stays with the process; on Linux only."""
    if not sys.platform.startswith("linux"):
        return
    if "torch" not in sys.modules and not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = TURNS
    if not any(name in os.environ for name in KEEPING):
        with suppress(OSError, AttributeError):  # a C library without mallopt
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
            mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def described(threads: int) -> str:
    """The number of threads of an operation and how they wait, in words."""
    given = [f"{name}={os.environ[name]}" for name in WAITING if name in os.environ]
    waiting = f"; they wait by {', '.join(given)}" if given and threads > 1 else ""
    return f"{threads} for each operation{waiting}"
