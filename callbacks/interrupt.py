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

    def __init__(self) -> None:
        self.previous: dict[int, Any] = {}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may handle signals

        def stop(number: int, frame: Any) -> None:
            print(
                f"\n{signal.Signals(number).name}: finishing the step, then saving (again to quit at once)", flush=True
            )
            self._restore()
            assert isinstance(pl_module, MaskPINN)
            pl_module.stop("interrupted")

        self.previous = {number: signal.signal(number, stop) for number in self.signals}

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous = {}
