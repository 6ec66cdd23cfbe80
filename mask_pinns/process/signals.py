"""This process among others: signals before training begins, readers that go away, and a parent that dies.

While it trains, `StopOnSignal` of the callbacks answers to signals. Before and after that, nothing is to be saved.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
"""Signals that end a command: Ctrl-C, those of schedulers, and that of a terminal that is closed."""
PARENT = "MASK_PINNS_PARENT"
"""Variable of the environment with the number of the process that starts the others of a run."""
CHECK_SECONDS = 0.5
"""Time between two checks whether the parent still runs."""


@contextmanager
def one_command() -> Iterator[None]:
    """While a command runs: signals end it at once, output is optional, and it ends with the process that started it.

    Processes that Lightning starts for a run would otherwise wait for a first one that has died, for half an hour.
    """
    parent = os.environ.pop(PARENT, None)
    if parent is not None and parent.isascii() and parent.isdigit() and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True, name="end-with-parent").start()
    # A handler in Python would not run as long as the process waits for others in a library, as when they meet.
    streams, handlers, excepthook = (sys.stdout, sys.stderr), set_handlers(signal.SIG_DFL), threading.excepthook
    threading.excepthook = _tell_unless_of_disk
    os.environ[PARENT] = str(os.getpid())
    sys.stdout, sys.stderr = (stream and OptionalOutput(stream) for stream in streams)  # None: it was closed
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        threading.excepthook = excepthook
        os.environ.pop(PARENT, None)
        restore_handlers(handlers)


def set_handlers(handler: Any) -> dict[int, Any]:
    """Sets one handler for all of SIGNALS, and returns those of before.

    A SIGHUP that is ignored stays so. Only the main thread may set handlers; any other one changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]  # nohup asks for this
    for number in before:
        signal.signal(number, handler)
    return before


def restore_handlers(before: dict[int, Any]) -> None:
    """Sets handlers back to what they were."""
    for number, handler in before.items():
        signal.signal(number, handler)


def _tell_unless_of_disk(failed: threading.ExceptHookArgs) -> None:
    """Prints the error of a thread, but not that of a disk: TensorBoard's writer raises it again where it is used."""
    if not isinstance(failed.exc_value, OSError):
        threading.__excepthook__(failed)


def _end_with(parent: int) -> None:
    """Ends this process when the one that started it has ended."""
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)
    os._exit(1)


class OptionalOutput:
    """A stream that is written to as long as somebody reads: `train.py | head -1` goes on without.

    When a reader is gone, the stream's file becomes the null device, so that nothing fails at the end either.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        """Discards what follows if nobody can read it any more: a pipe, or a terminal that was closed."""
        if error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF):
            return
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()
