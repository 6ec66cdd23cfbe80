"""Settings: every option of a run with its default and its line of help, one class a file.

Flags, `config.yaml`, hyperparameters and the checks on resume follow from the fields of these classes (`fields.py` says
how a field is described). A new option is one field. The options of a problem are its coefficients, those of a network
the arguments of its constructor.
"""

from mask_pinns.settings.constraints import Constraints, Embedding, Parity
from mask_pinns.settings.fields import (
    Option,
    as_names,
    complete,
    defaults,
    flatten,
    merge,
    names,
    options,
    pick,
    plain,
    setting,
    to_mapping,
)
from mask_pinns.settings.loss import LossSettings
from mask_pinns.settings.machine import MachineSettings
from mask_pinns.settings.observation import RECORDED, ObservationSettings
from mask_pinns.settings.phases import Phases, phase_mappings
from mask_pinns.settings.run import EXPORTED, PREDICTED, RunSettings, TuningSettings
from mask_pinns.settings.sampling import Sampling
from mask_pinns.settings.trainer import TrainerSettings
from mask_pinns.settings.training import TrainingSettings, WindowSettings

SETTINGS: dict[str, tuple[type, ...]] = {
    "constraints and inputs": (Constraints,),
    "training": (TrainingSettings, LossSettings, WindowSettings),
    "points": (Sampling,),
    "run": (RunSettings, ObservationSettings),
    "machine": (MachineSettings,),
    "tuning": (TuningSettings,),
}
"""Classes of settings by the title under which --help lists their flags."""

__all__ = [
    "EXPORTED", "PREDICTED", "RECORDED", "SETTINGS", "Constraints", "Embedding", "LossSettings", "MachineSettings",
    "ObservationSettings", "Option", "Parity", "Phases", "RunSettings", "Sampling", "TrainerSettings",
    "TrainingSettings", "TuningSettings", "WindowSettings", "as_names", "complete", "defaults", "flatten", "merge",
    "names", "options", "phase_mappings", "pick", "plain", "setting", "to_mapping",
]  # fmt: skip
