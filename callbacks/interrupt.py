"""Ctrl-C (and SIGTERM) end training in good order: the step in hand is finished, then everything is saved."""

from __future__ import annotations

import signal
import threading
from typing import Any

import lightning as L

from mask_pinns import MaskPINN


class StopOnSignal(L.Callback):
    """The first signal asks training to stop after the current step; the second one acts as if we were not here."""

    signals = (signal.SIGINT, signal.SIGTERM)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes the signals over. Lightning has noted the handlers before, and puts them back however training ends."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may handle signals
        before: dict[int, Any] = {number: signal.getsignal(number) for number in self.signals}

        def stop(number: int, frame: Any) -> None:
            name = signal.Signals(number).name
            print(f"\n{name}: finishing the step, then saving (again to quit at once)", flush=True)
            for each, handler in before.items():
                signal.signal(each, handler)
            assert isinstance(pl_module, MaskPINN)
            pl_module.stop("interrupted")

        for number in self.signals:
            signal.signal(number, stop)
