"""`StopOnSignal`: Ctrl-C, SIGTERM and SIGUSR1 (a scheduler's warning) end training after the step and save it."""

from __future__ import annotations

import signal
import threading
from typing import Any

import lightning as L
import torch

from mask_pinns.module import MaskPINN


class StopOnSignal(L.Callback):
    """Stops training after the current step when a signal arrives. A second signal has its usual effect.

    `received` is the signal's number, 0 if none arrived. Several ranks stop together at the end of a batch: a signal
    reaches them at different steps, and if one stopped earlier, the others would wait for it.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import StopOnSignal
        >>> stopper = StopOnSignal()
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[stopper], logger=False)
        >>> stopper.received
        0
    """

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

    def __init__(self) -> None:
        self.received = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Sets the handlers. Lightning has stored the previous ones and restores them however training ends."""
        self.received = 0
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set signal handlers
        previous: dict[int, Any] = {number: signal.getsignal(number) for number in self.signals}

        def stop(number: int, frame: Any) -> None:
            name = signal.Signals(number).name
            print(f"\n{name}: finishing the step, then saving (send it again to quit at once)", flush=True)
            for each, handler in previous.items():
                signal.signal(each, handler)
            self.received = number
            if trainer.world_size == 1:
                self._stop(pl_module)

        for number in self.signals:
            signal.signal(number, stop)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if trainer.world_size > 1:
            received = torch.tensor(self.received, device=pl_module.device)
            self.received = int(trainer.strategy.reduce(received, reduce_op="max"))
            if self.received:
                self._stop(pl_module)

    @staticmethod
    def _stop(module: L.LightningModule) -> None:
        assert isinstance(module, MaskPINN)
        module.stop("interrupted")


class ChildrenObserverOff(L.Callback):
    """Lets a run whose other process has died say so and save, before Lightning's observer kills it.

    The observer looks for dead processes every five seconds and then kills this one as well, which may be in the middle
    of its message. Once an exception has been raised, it is not needed any more: this process is about to end.
    """

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        for thread in threading.enumerate():
            if thread.name == "child-process-observer":
                vars(thread)["_child_processes"] = []
