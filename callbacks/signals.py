"""`StopOnSignal`: signals and a time limit end training after the step; the checkpoint then goes on with the same bits.

Signals are Ctrl-C, SIGTERM, SIGUSR1 (a scheduler's warning) and SIGHUP (a terminal that is closed).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Timer

from mask_pinns.callbacks.checkpoints import validation_due
from mask_pinns.module import MaskPINN
from mask_pinns.process.signals import restore_handlers, set_handlers

REPEAT_SECONDS = 1.0
"""A signal that comes again within this time is the same request: shells and launchers send some of them twice."""


class StopOnSignal(L.Callback):
    """Stops training after the current step when a signal arrives, or when its time is over.

    A second signal ends the process at once, without the steps since the last checkpoint. `received` is the signal's
    number, 0 if none arrived. Several ranks stop together at the end of a batch: a signal reaches them at different
    steps, and if one stopped earlier, the others would wait for it. Without a validation that is due, none follows: it
    would count for `best.ckpt` and for `Patience`, and not in a run that was left alone.

    Args:
        max_time: the longest time of this session, as "DD:HH:MM:SS" or a mapping of units (`hours`, ...).

    Example:
        >>> import lightning as L
        >>> from mask_pinns import StopOnSignal
        >>> stopper = StopOnSignal(max_time="00:08:00:00")
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[stopper], logger=False)
        >>> stopper.received
        0

    Raises:
        MisconfigurationException: a time of another form.
    """

    def __init__(self, max_time: str | dict[str, int] | None = None) -> None:
        self.received = 0
        self._limit: float | None = Timer(max_time).time_remaining() if max_time else None
        self._started = self._received_at = 0.0
        self._in_batch = False
        self._limit_val_batches: Any = None
        self._previous: dict[int, Any] = {}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Sets the handlers. Lightning is kept from setting its own, which wait for other ranks inside a handler."""
        if stage != "fit":
            return
        self.received, self._in_batch, self._started = 0, False, time.monotonic()
        self._limit_val_batches = trainer.limit_val_batches
        trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]

        def stop(number: int, frame: Any) -> None:
            if not self.received:
                self._received_at, self.received = time.monotonic(), number
                _say(f"\n{signal.Signals(number).name}: finishing the step, then saving (again: quits at once)\n")
                if self._in_batch and trainer.world_size == 1:
                    _stop(pl_module, "interrupted")  # also in the middle of a burst of steps
            elif time.monotonic() - self._received_at > REPEAT_SECONDS:
                self._restore_handlers()
                signal.raise_signal(number)

        self._previous = set_handlers(stop)

    def on_train_batch_start(self, *_: Any) -> None:
        self._in_batch = True

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        self._in_batch = False
        received, over = self._agreed(trainer, pl_module)
        if received and not self.received:  # by another rank; this one's own may follow, and is not a second request
            self._received_at, self.received = time.monotonic(), received
        if received or over:
            _stop(pl_module, "interrupted" if received else "max_time")
        at_end = trainer.global_step == trainer.max_steps
        if at_end and isinstance(pl_module, MaskPINN) and pl_module.schedule.phase.method.last:
            pl_module.stop(pl_module.stop_reason)  # validated, since its last step may be by far the best
        if (received or over or (at_end and not trainer.should_stop)) and not validation_due(trainer):
            trainer.limit_val_batches = 0  # Lightning validates when training is to stop, and after part of a burst

    def _agreed(self, trainer: L.Trainer, module: L.LightningModule) -> tuple[int, bool]:
        """Returns the signal that some rank has received, 0 if none has, and whether the time is over."""
        over = self._limit is not None and time.monotonic() - self._started >= self._limit
        if trainer.world_size == 1:
            return self.received, over
        asked = torch.tensor([self.received, over], dtype=torch.int64, device=module.device)
        asked = trainer.strategy.reduce(asked, reduce_op="max")
        return int(asked[0]), bool(asked[1])

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._restore_handlers()
        if self._limit_val_batches is not None:
            trainer.limit_val_batches = self._limit_val_batches

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        """Sets the handlers of before the fit."""
        restore_handlers(self._previous)
        self._previous = {}


def _stop(module: L.LightningModule, reason: str) -> None:
    assert isinstance(module, MaskPINN)
    module.stop(reason)


def _say(text: str) -> None:
    """Prints from a signal's handler, which may interrupt a print: past the buffers of Python."""
    with suppress(OSError, ValueError, AttributeError):  # nobody may read, or there is no file
        os.write(sys.stdout.fileno(), text.encode())


class ChildrenObserverOff(L.Callback):
    """Lets a run whose other process has died say so and save, before Lightning's observer kills it.

    The observer looks for dead processes every five seconds and then kills this one as well, which may be in the middle
    of its message. Once an exception has been raised, it is not needed any more: this process is about to end.
    """

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        for thread in threading.enumerate():
            if thread.name == "child-process-observer":
                vars(thread)["_child_processes"] = []
