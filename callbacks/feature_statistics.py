"""`FeatureStatistics`: what every layer's features do, in TensorBoard, while training goes on.

At an interval, a separate eager pass on fixed probe points (`probes.py`) looks at every layer and stage; numbers are
made of it (`observation.py`), and alarms raised on them (`alarms.py`). Training is not touched: no hook stays, no
random number is drawn, the compiled step (if any) is not the one that is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard.summary import histogram, scalar

from callbacks.alarms import Alarms
from callbacks.boards import boards, show
from callbacks.distributions import Drift
from callbacks.drift_table import DriftTable
from callbacks.observation import RECORDED, Observer
from callbacks.probes import Layer
from callbacks.quantities import as_markdown
from mask_pinns.jet import Derivatives
from mask_pinns.networks import JetNetwork
from mask_pinns.registry import unknown

OVERLAID = {
    "drift": ("feature/drift", "preactivation/drift", "block_output/drift", "feature/drift_step"),
    "spread": ("feature/std", "preactivation/std", "activation/std", "block_output/std"),
    "units": ("preactivation/saturation", "feature/effective_rank", "feature/dead"),
    "mask": ("mask/openness", "mask/closed", "mask/alpha_mean"),
    "gradients": ("gradient/norm", "gradient/variance"),
}
"""Quantities of which TensorBoard's page "custom scalars" shows all layers in one chart, by category."""
DESCRIBING = ("moments", "quantiles", "drift", "histograms")
"""What is recorded of any stage, the derivatives among them."""
PICTURED = ("feature/drift", "preactivation/drift", "preactivation/saturation", "feature/effective_rank")
BINS = 64  # of a histogram, equal ones: counting into TensorBoard's own 1,500 was most of a look


def overlaid(derivatives: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """OVERLAID, and drift and spread of each derivative feature: those that a problem declares, and those below."""
    stages = [f"feature_{m}" for m in Derivatives(derivatives).indices if m]
    found = tuple(f"{stage}/{quantity}" for stage in stages for quantity in ("drift", "std"))
    return OVERLAID | ({"derivatives": found} if found else {})


def distributed(layer: Layer) -> list[tuple[str, Tensor]]:
    """What histograms are made of: every stage, and |alpha|."""
    alpha = layer.activation.alpha if layer.activation is not None else None
    return [*layer.stages.items(), *([("alpha", alpha.detach().abs())] if alpha is not None else [])]


class FeatureStatistics(L.Callback):
    """Writes `<stage>/<quantity>/<layer>` scalars and histograms to TensorBoard, drift.csv and alarms.

    Under several ranks the first one looks: weights and probes are the same on all, so its numbers are those of one
    process. The distributions at the start and at the last look, from which drift is measured, go into the checkpoint:
    a resumed run looks at the steps, and measures from those, of a run left alone. With other probes or quantities it
    begins with a look of its own.

    Args:
        every: steps between looks (the first at the start, the last at the end).
        probes: number of probe points.
        record: which of RECORDED.
        share: of the training time that looks between the first and the last may take; those that would take more are
            left out. None: all are taken.
        folder: where to leave drift.csv, the numbers of all layers and looks, and alarms.txt; None: nowhere. At the end
            some are drawn into TensorBoard as well, layers by steps.
        console: where alarms are said.

    `seconds` is the time that looks have taken while training went on, `seconds_at_end` that of the last one and of the
    pictures, after it.

    A network that is not made of layers on jets has no layers to look at: the callback says so and rests.

    Raises ValueError for an interval below 1, fewer than 2 probes, an unknown name in `record`, or "derivatives" with
    nothing that describes them.
    """

    def __init__(
        self,
        every: int = 500,
        probes: int = 256,
        record: Sequence[str] = RECORDED,
        share: float | None = None,
        folder: str | Path | None = None,
        console: Console | None = None,
    ) -> None:
        if every < 1 or probes < 2:
            raise ValueError(f"statistics every {every} steps at {probes} probes; expected 1 and 2 or more")
        for name in record:
            if name not in RECORDED:
                raise unknown(name, RECORDED, "statistics to record")
        if "derivatives" in record and not set(DESCRIBING) & set(record):
            raise ValueError(f"derivatives recorded without any of {', '.join(DESCRIBING)}: add what to record of them")
        self.every, self.probes, self.record, self.share = every, probes, tuple(record), share
        self.folder = None if folder is None else Path(folder)
        self.console = console or Console()
        self.table: DriftTable | None = None
        self.alarms = Alarms()
        self.start: dict[str, dict[str, float]] = {}
        self.seconds = self.seconds_at_end = 0.0
        self._restored: dict[str, Any] = {}
        self._observer: Observer | None = None
        self._looked_at = -1
        self._begun = self._longest = 0.0

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        """A fit has a start of its own, unless a checkpoint brings one."""
        if stage == "fit":
            self.start, self._restored, self.alarms = {}, {}, Alarms()

    def state_dict(self) -> dict[str, Any]:
        drift = self._observer.drift if self._observer else Drift()
        looks = {"drift": dict(drift.start), "last": dict(drift.last), "looked_at": self._looked_at, "of": self._of}
        return looks | {"start": self.start, "alarms": dict(self.alarms.said)}

    @property
    def _of(self) -> list[str]:
        """What is looked at, and where."""
        return [str(self.probes), *self.record]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict
        self.start, self.alarms.said = dict(state_dict["start"]), dict(state_dict.get("alarms", {}))
        if not state_dict.get("drift"):  # of a version that kept something else there
            self.start = {}

    def _go_on(self, drift: Drift) -> None:
        """Takes up the looks of a checkpoint, if there was one; with other settings one is due at once."""
        kept, self._restored = self._restored, {}
        drift.start, drift.last = dict(kept.get("drift", {})), dict(kept.get("last", {}))
        if kept.get("of") == self._of:
            self._looked_at = kept["looked_at"]

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self._begun, self._longest, self._looked_at = time.perf_counter(), 0.0, -1
        self.seconds = self.seconds_at_end = 0.0
        self._observer = self.table = None
        if not trainer.is_global_zero or not self.record:
            return
        if not isinstance(pl_module.network, JetNetwork):
            name = type(pl_module.network).__name__
            self.console.print(f"no feature statistics: {name} is not made of layers on jets", highlight=False)
            return
        self._observer = Observer(pl_module.problem, self.probes, self.record)
        self._go_on(self._observer.drift)
        if self.folder is not None:
            known = self._looked_at == trainer.global_step  # what the table has of this step stays
            self.table = DriftTable(self.folder / "drift.csv", resume_at=trainer.global_step + known)
            if self.alarms.said or (self.folder / "alarms.txt").is_file():
                (self.folder / "alarms.txt").write_text("".join(f"{words}\n" for words in self.alarms.said.values()))
        for board in boards(trainer):
            charts = overlaid(pl_module.problem.derivatives if "derivatives" in self.record else ())
            board.add_custom_scalars(
                {kind: {name: ["Multiline", [f"^{name}/"]] for name in names} for kind, names in charts.items()}
            )
            board.add_text("what the statistics are", as_markdown(), trainer.global_step)
        if self._looked_at < 0:
            self._look(trainer, pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and self._affordable():
            self._look(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        while_training, begun = self.seconds, time.perf_counter()
        self._look(trainer, pl_module)
        if self.table is not None:
            for quantity in filter(self.table.has, PICTURED):
                show(trainer, f"layers by steps/{quantity.replace('/', '_')}", self.table.picture(quantity))
        self.seconds, self.seconds_at_end = while_training, time.perf_counter() - begun

    def _affordable(self) -> bool:
        """Whether one more look stays within the share of the time so far."""
        so_far = time.perf_counter() - self._begun
        return self.share is None or self.seconds + self._longest <= self.share * so_far

    def _look(self, trainer: L.Trainer, module: Any) -> None:
        writers, step = boards(trainer), trainer.global_step
        if self._observer is None or self._looked_at == step or not (writers or self.table is not None):
            return
        self._looked_at, begun = step, time.perf_counter()
        layers = self._observer.layers(module.network)
        numbers = self._observer.numbers(module, layers)
        self.start = self.start or numbers
        for board in writers:
            self._write(board, layers, numbers, step)
        if self.table is not None:
            self.table.add(step, numbers)
        masked = any(layer.activation is not None and layer.activation.alpha is not None for layer in layers.values())
        self._alarm(writers, step, self.alarms(step, numbers, self.start, masked))
        took = time.perf_counter() - begun
        self.seconds, self._longest = self.seconds + took, max(self._longest, took)

    def _write(self, board: Any, layers: Mapping[str, Layer], numbers: Mapping[str, Any], step: int) -> None:
        """All of a look as one event: one by one, hundreds of scalars took longer than the look itself."""
        shown: list[Any] = []
        for i, (name, layer) in enumerate(layers.items()):
            shown += [scalar(f"{quantity}/{i}_{name}", value) for quantity, value in numbers[name].items()]
            if "histograms" in self.record:
                finite = [(what, x) for what, x in distributed(layer) if torch.isfinite(x).all()]
                shown += [histogram(f"{what}/{i}_{name}", x.cpu().numpy(), BINS) for what, x in finite]
        board.file_writer.add_summary(Summary(value=[value for one in shown for value in one.value]), step)

    def _alarm(self, writers: Sequence[Any], step: int, new: Mapping[str, str]) -> None:
        """Says what is new, in the terminal, in TensorBoard and in alarms.txt."""
        for kind, words in new.items():
            self.console.print(words, style="yellow", highlight=False)
            for board in writers:
                board.add_text(f"alarms/{kind}", words, step)
            if self.folder is not None:
                with (self.folder / "alarms.txt").open("a") as file:
                    file.write(words + "\n")
