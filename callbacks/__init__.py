"""Callbacks: they observe training and write down what they see; they never change it."""

from callbacks.checkpoints import LastCheckpoint, WholeFiles, best_checkpoint
from callbacks.feature_statistics import FeatureStatistics
from callbacks.figures import SolutionFigures
from callbacks.hyperparameters import Hyperparameters
from callbacks.interrupt import StopOnSignal
from callbacks.metrics_file import MetricsFile
from callbacks.progress import Progress
from callbacks.summary import RunSummary
from callbacks.throughput import Throughput

__all__ = [
    "FeatureStatistics", "Hyperparameters", "LastCheckpoint", "MetricsFile", "Progress", "RunSummary",
    "SolutionFigures", "StopOnSignal", "Throughput", "WholeFiles", "best_checkpoint",
]  # fmt: skip
