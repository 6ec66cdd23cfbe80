"""Callbacks observe training and write down what they measure. They never change how a network is trained."""

from mask_pinns.callbacks.checkpoints import LastCheckpoint, WholeFiles, best_checkpoint
from mask_pinns.callbacks.features.callback import FeatureStatistics
from mask_pinns.callbacks.figures import SolutionFigures
from mask_pinns.callbacks.hyperparameters import Hyperparameters
from mask_pinns.callbacks.metrics_file import MetricsFile
from mask_pinns.callbacks.progress import Progress
from mask_pinns.callbacks.signals import ChildrenObserverOff, StopOnSignal
from mask_pinns.callbacks.summary import RunSummary
from mask_pinns.callbacks.throughput import Throughput
from mask_pinns.callbacks.training_alarms import Patience, TrainingAlarms

__all__ = [
    "ChildrenObserverOff", "FeatureStatistics", "Hyperparameters", "LastCheckpoint", "MetricsFile", "Patience",
    "Progress", "RunSummary", "SolutionFigures", "StopOnSignal", "Throughput", "TrainingAlarms", "WholeFiles",
    "best_checkpoint",
]  # fmt: skip
