"""Training points: `PointsDataModule`, for any problem, and the samplers that it draws with."""

from mask_pinns.datamodules.points import PointsDataModule
from mask_pinns.datamodules.samplers import SAMPLERS

__all__ = ["SAMPLERS", "PointsDataModule"]
