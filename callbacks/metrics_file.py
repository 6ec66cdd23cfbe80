"""`MetricsFile`: Lightning's CSV logger, which writes metrics.csv into the run folder and continues it on resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from mask_pinns.callbacks.csv_files import read_intact_rows, replace_rows
from mask_pinns.checkpoints.atomic_files import without_link


class _AppendingWriter(ExperimentWriter):
    """Lightning's writer, but it appends to an existing file. Lightning's own deletes that file first."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self.metrics_keys = read_intact_rows(Path(self.metrics_file_path))[0]

    def _check_log_dir_exists(self) -> None:
        pass

    def save(self) -> None:
        without_link(Path(self.metrics_file_path))
        super().save()

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        replace_rows(path, fieldnames, read_intact_rows(path)[1])


class MetricsFile(CSVLogger):
    """A logger that writes `folder`/metrics.csv, one row for each logged step.

    Args:
        folder: the run folder.
        resume_at: the step from which a resumed run continues. Later rows are removed from the file.

    Example:
        >>> import lightning as L
        >>> from mask_pinns import MetricsFile
        >>> trainer = L.Trainer(logger=MetricsFile("runs/example"), log_every_n_steps=10, enable_checkpointing=False)
    """

    def __init__(self, folder: str | Path, resume_at: int = 0) -> None:
        super().__init__(str(folder), name="", version="")
        if getattr(rank_zero_only, "rank", 0):
            return
        path = Path(folder) / "metrics.csv"
        without_link(Path(folder) / _AppendingWriter.NAME_HPARAMS_FILE)
        columns, rows = read_intact_rows(path)
        if columns:
            replace_rows(path, columns, [row for row in rows if int(row["step"]) <= resume_at])

    @property
    def experiment(self) -> Any:
        if self._experiment is None and not getattr(rank_zero_only, "rank", 0):
            self._experiment = _AppendingWriter(self.log_dir)
        return super().experiment
