"""`FeatureStatistics`: records the features of every layer during training, for TensorBoard and drift.csv.

At an interval, a separate eager forward pass on fixed probe points (`probes.py`) captures every layer and stage. From
these, numbers are computed (`observer.py`) and alarms raised (`alarms.py`). Training is not changed: no hook stays, no
random number is drawn, and a compiled step is not used for the recording.
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

from mask_pinns.callbacks.features.alarms import Alarms
from mask_pinns.callbacks.features.distributions import Drift
from mask_pinns.callbacks.features.drift_table import DriftTable
from mask_pinns.callbacks.features.glossary import as_markdown
from mask_pinns.callbacks.features.observer import Observer
from mask_pinns.callbacks.features.probes import Layer
from mask_pinns.callbacks.tensorboard import add_picture, tensorboard_writers
from mask_pinns.callbacks.throughput import TimeShare
from mask_pinns.checkpoints.atomic_files import whole_file
from mask_pinns.jets import Derivatives, JetNetwork
from mask_pinns.memory import is_out_of_memory
from mask_pinns.registry import unknown
from mask_pinns.settings import RECORDED

CUSTOM_SCALARS = {
    "drift": ("feature/drift", "preactivation/drift", "block_output/drift", "feature/drift_step"),
    "spread": ("feature/std", "preactivation/std", "activation/std", "block_output/std"),
    "units": ("preactivation/saturation", "feature/effective_rank", "feature/dead"),
    "mask": ("mask/openness", "mask/closed", "mask/alpha_mean"),
    "gradients": ("gradient/norm", "gradient/variance"),
}
"""Quantities by category, for TensorBoard's page "custom scalars": each has a chart that shows all layers."""
GENERAL_KINDS = ("moments", "quantiles", "drift", "histograms")
"""The kinds of statistics that are recorded of any stage, also of derivatives."""
HEATMAP_QUANTITIES = ("feature/drift", "preactivation/drift", "preactivation/saturation", "feature/effective_rank")
"""Quantities that are drawn at the end of training, layers by steps."""
HISTOGRAM_BINS = 64
"""Bins of equal width. Counting into TensorBoard's own 1,500 bins took most of the time of a recording."""


def custom_scalars(derivatives: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Adds to CUSTOM_SCALARS drift and spread of the derivatives of h that the problem declares, and lower ones."""
    stages = [f"feature_{m}" for m in Derivatives(derivatives).indices if m]
    quantities = tuple(f"{stage}/{quantity}" for stage in stages for quantity in ("drift", "std"))
    return CUSTOM_SCALARS | ({"derivatives": quantities} if quantities else {})


def histogram_tensors(layer: Layer) -> list[tuple[str, Tensor]]:
    """Returns the tensors of the histograms by name: every stage, and |alpha|."""
    alpha = layer.activation.alpha if layer.activation is not None else None
    return [*layer.stages.items(), *([("alpha", alpha.detach().abs())] if alpha is not None else [])]


class FeatureStatistics(L.Callback):
    """Writes `<stage>/<quantity>/<layer>` scalars and histograms to TensorBoard, numbers to drift.csv, and alarms.

    With several ranks only the first one records: weights and probe points are the same on all, so the numbers equal
    those of one process. A checkpoint contains the distributions at the start and in the latest recording, from which
    drift is measured. A resumed run thus records at the same steps, and the same drift, as a run without interruption.
    With other probes or kinds of statistics it begins with a new recording.

    A network that does not consist of layers on jets cannot be recorded: the callback prints this and does nothing.

    Args:
        every: the number of steps between two recordings. The first is at the start, the last at the end of training.
        probes: the number of probe points.
        record: the kinds of statistics to record: moments, quantiles, drift, units, mask, derivatives, gradients,
            histograms.
        share: the largest share of the training time for the recordings between the first and the last; recordings
            that would exceed it are left out. None: no limit.
        folder: the folder of drift.csv (the numbers of all layers and recordings) and alarms.txt; None: no files. With
            a folder, some quantities are also drawn into TensorBoard at the end, layers by steps.
        console: the console on which alarms are printed; standard output if not given.

    `seconds` is the time of the recordings during training, `seconds_at_end` the time of the last one and the pictures.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import FeatureStatistics
        >>> statistics = FeatureStatistics(every=100, probes=64, record=["moments", "drift"], share=0.02)
        >>> trainer = L.Trainer(max_steps=1000, callbacks=[statistics], enable_checkpointing=False)

    Raises:
        ValueError: an interval below 1, fewer than 2 probes, an unknown name in `record`, or "derivatives" without
            any of moments, quantiles, drift and histograms.
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
        if "derivatives" in record and not set(GENERAL_KINDS) & set(record):
            raise ValueError(f"derivatives recorded without any of {', '.join(GENERAL_KINDS)}: add one or more of them")
        self.every, self.probes, self.record, self.time = every, probes, tuple(record), TimeShare(share)
        self.folder = None if folder is None else Path(folder)
        self.console = console or Console(markup=False, emoji=False)
        self.table: DriftTable | None = None
        self.alarms = Alarms()
        self.start: dict[str, dict[str, float]] = {}
        self.seconds_at_end = 0.0
        self._restored: dict[str, Any] = {}
        self._observer: Observer | None = None
        self._recorded_at = -1
        self._exhausted = False

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:
        """Forgets the start of an earlier fit. If there is a checkpoint, its start is loaded after this."""
        if stage == "fit":
            self.start, self._restored, self.alarms = {}, {}, Alarms()

    def state_dict(self) -> dict[str, Any]:
        drift = self._observer.drift if self._observer else Drift()
        state = {"drift": dict(drift.start), "last": dict(drift.last), "recorded_at": self._recorded_at}
        return state | {"of": self._kinds, "start": self.start, "alarms": dict(self.alarms.raised)}

    @property
    def _kinds(self) -> list[str]:
        """The number of probe points and the kinds of statistics. Recordings that differ in them are not compared."""
        return [str(self.probes), *self.record]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict
        self.start, self.alarms.raised = dict(state_dict["start"]), dict(state_dict.get("alarms", {}))
        if not state_dict.get("drift"):  # from a version that saved another start
            self.start = {}

    def _restore(self, drift: Drift) -> None:
        """Restores the distributions of a checkpoint, if there was one. With other settings a recording is due."""
        state, self._restored = self._restored, {}
        drift.start, drift.last = dict(state.get("drift", {})), dict(state.get("last", {}))
        if state.get("of") == self._kinds:
            self._recorded_at = state.get("recorded_at", state.get("looked_at", -1))

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        self.time.begin()
        self.seconds_at_end, self._recorded_at = 0.0, -1
        self._observer = self.table = None
        self._exhausted = False
        if not trainer.is_global_zero or not self.record:
            return
        if not isinstance(pl_module.network, JetNetwork):
            name = type(pl_module.network).__name__
            self.console.print(f"no feature statistics: {name} is not made of layers on jets", highlight=False)
            return
        self._observer = Observer(pl_module.problem, self.probes, self.record)
        self._restore(self._observer.drift)
        if self.folder is not None:
            recorded = self._recorded_at == trainer.global_step  # then the table's rows of this step stay
            self.table = DriftTable(self.folder / "drift.csv", resume_at=trainer.global_step + recorded)
            if self.alarms.raised or (self.folder / "alarms.txt").is_file():
                self._write_alarms()
        for writer in tensorboard_writers(trainer):
            charts = custom_scalars(pl_module.problem.derivatives if "derivatives" in self.record else ())
            writer.add_custom_scalars(
                {kind: {name: ["Multiline", [f"^{name}/"]] for name in names} for kind, names in charts.items()}
            )
            writer.add_text("what the statistics are", as_markdown(), trainer.global_step)
        if self._recorded_at < 0:
            self._record(trainer, pl_module)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and self.time.affords_another:
            self._record(trainer, pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        during_training, begun = self.time.seconds, time.perf_counter()
        self._record(trainer, pl_module)
        if self.table is not None:
            for quantity in filter(self.table.has, HEATMAP_QUANTITIES):
                add_picture(trainer, f"layers by steps/{quantity.replace('/', '_')}", self.table.picture(quantity))
        self.time.seconds, self.seconds_at_end = during_training, time.perf_counter() - begun

    @property
    def seconds(self) -> float:
        return self.time.seconds

    def _record(self, trainer: L.Trainer, module: Any) -> None:
        """Records, unless memory does not suffice: this ends the recordings, not the training."""
        if self._exhausted:
            return
        try:
            with self.time.taken():
                self._record_now(trainer, module)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._exhausted = True
            cure = f"take fewer --statistics_probes ({self.probes:,}) or leave out --statistics_record"
            text = f"no feature statistics from step {trainer.global_step} on, out of memory: {cure}"
            self.console.print(text, highlight=False, soft_wrap=True)

    def _record_now(self, trainer: L.Trainer, module: Any) -> None:
        writers, step = tensorboard_writers(trainer), trainer.global_step
        if self._observer is None or self._recorded_at == step or not (writers or self.table is not None):
            return
        self._recorded_at = step
        layers = self._observer.layers(module.network)
        numbers = self._observer.numbers(module, layers)
        self.start = self.start or numbers
        for writer in writers:
            self._write(writer, layers, numbers, step)
        if self.table is not None:
            self.table.add(step, numbers)
        masked = any(layer.activation is not None and layer.activation.alpha is not None for layer in layers.values())
        self._alarm(writers, step, self.alarms(step, numbers, self.start, masked))

    def _write(self, writer: Any, layers: Mapping[str, Layer], numbers: Mapping[str, Any], step: int) -> None:
        """Writes a recording as one event: hundreds of single scalars took longer than the recording itself."""
        summaries: list[Any] = []
        for i, (name, layer) in enumerate(layers.items()):
            summaries += [scalar(f"{quantity}/{i}_{name}", value) for quantity, value in numbers[name].items()]
            if "histograms" in self.record:
                finite = [(stage, x) for stage, x in histogram_tensors(layer) if torch.isfinite(x).all()]
                summaries += [histogram(f"{stage}/{i}_{name}", x.cpu().numpy(), HISTOGRAM_BINS) for stage, x in finite]
        writer.file_writer.add_summary(Summary(value=[value for summary in summaries for value in summary.value]), step)

    def _alarm(self, writers: Sequence[Any], step: int, new: Mapping[str, str]) -> None:
        """Writes new alarms to the console, to TensorBoard and to alarms.txt."""
        for kind, text in new.items():
            self.console.print(text, style="yellow", highlight=False)
            for writer in writers:
                writer.add_text(f"alarms/{kind}", text, step)
        if new:
            self._write_alarms()

    def _write_alarms(self) -> None:
        if self.folder is not None:
            with whole_file(self.folder / "alarms.txt") as file:
                file.writelines(f"{text}\n" for text in self.alarms.raised.values())
