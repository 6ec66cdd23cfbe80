"""Where training points come from: `PointsDataModule` for any problem, and the samplers it draws with."""

from datamodules.points import PointsDataModule
from datamodules.samplers import SAMPLERS

__all__ = ["SAMPLERS", "PointsDataModule"]
