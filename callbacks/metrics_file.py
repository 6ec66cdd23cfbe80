"""`MetricsFile`: Lightning's CSV logger, writing metrics.csv into the run folder, and going on with it on resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from callbacks.rows import replace_rows, whole_rows


class _GoingOn(ExperimentWriter):
    """Lightning's writer, adding to the file that is there: its own deletes the file first."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self.metrics_keys = whole_rows(Path(self.metrics_file_path))[0]

    def _check_log_dir_exists(self) -> None:
        pass

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        path = Path(self.metrics_file_path)
        replace_rows(path, fieldnames, whole_rows(path)[1])


class MetricsFile(CSVLogger):
    """metrics.csv in `folder`, a row per logged step.

    Args:
        folder: the run folder.
        resume_at: on resume, the step from which the run goes on: later rows are dropped, the others kept.
    """

    def __init__(self, folder: str | Path, resume_at: int = 0) -> None:
        super().__init__(str(folder), name="", version="")
        if getattr(rank_zero_only, "rank", 0):
            return
        path = Path(folder) / "metrics.csv"
        columns, rows = whole_rows(path)
        if columns:
            replace_rows(path, columns, [row for row in rows if int(row["step"]) <= resume_at])

    @property
    def experiment(self) -> Any:
        if self._experiment is None and not getattr(rank_zero_only, "rank", 0):
            self._experiment = _GoingOn(self.log_dir)
        return super().experiment
