"""MVLPT: multitask vision-language prompt tuning (Shen et al., arXiv 2211.11720).

Importing this package reads nothing but its version, downloads nothing and changes no global state; the functions below
are imported when they are first used.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.api import ExperimentRun, Records, TrainedRun, group, run_experiment, train
    from mvlpt.exports import Exported, export
    from mvlpt.inference import Classifier, load

__version__ = (Path(__file__).parent / "VERSION").read_text(encoding="utf-8").strip()

_HOMES = {
    "api": ("ExperimentRun", "Records", "TrainedRun", "group", "run_experiment", "train"),
    "exports": ("Exported", "export"),
    "inference": ("Classifier", "load"),
}

__all__ = [
    "Classifier",
    "ExperimentRun",
    "Exported",
    "Records",
    "TrainedRun",
    "__version__",
    "export",
    "group",
    "load",
    "run_experiment",
    "train",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
