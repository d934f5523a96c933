"""Training, grouping and experiments from Python; what ``import mvlpt`` offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.api.configuration import resolve_config
    from mvlpt.api.experiments import ExperimentRun, run_experiment
    from mvlpt.api.grouping import group
    from mvlpt.api.records import Records
    from mvlpt.api.training import TrainedRun, train

_HOMES = {
    "configuration": ("resolve_config",),
    "experiments": ("ExperimentRun", "run_experiment"),
    "grouping": ("group",),
    "records": ("Records",),
    "training": ("TrainedRun", "train"),
}

__all__ = [
    "ExperimentRun",
    "Records",
    "TrainedRun",
    "group",
    "resolve_config",
    "run_experiment",
    "train",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
