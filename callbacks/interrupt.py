"""Ctrl-C, SIGTERM and SIGUSR1 (a scheduler's warning) end training in good order: the step is done, all is saved."""

from __future__ import annotations

import signal
import threading
from typing import Any

import lightning as L
import torch

from mask_pinns import MaskPINN


class StopOnSignal(L.Callback):
    """The first signal asks training to stop after the current step; the second one acts as if we were not here.

    `received` is the signal's number, 0 if none came. Several ranks stop together, at the end of a batch: a signal
    reaches them at different steps, and one that stopped by itself would leave the others waiting for it.
    """

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

    def __init__(self) -> None:
        self.received = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes the signals over. Lightning has noted the handlers before, and puts them back however training ends."""
        self.received = 0
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may handle signals
        before: dict[int, Any] = {number: signal.getsignal(number) for number in self.signals}

        def stop(number: int, frame: Any) -> None:
            name = signal.Signals(number).name
            print(f"\n{name}: finishing the step, then saving (again to quit at once)", flush=True)
            for each, handler in before.items():
                signal.signal(each, handler)
            self.received = number
            if trainer.world_size == 1:
                self._stop(pl_module)

        for number in self.signals:
            signal.signal(number, stop)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if trainer.world_size > 1:
            own = torch.tensor(self.received, device=pl_module.device)
            self.received = int(trainer.strategy.reduce(own, reduce_op="max"))
            if self.received:
                self._stop(pl_module)

    @staticmethod
    def _stop(module: L.LightningModule) -> None:
        assert isinstance(module, MaskPINN)
        module.stop("interrupted")
