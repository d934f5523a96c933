"""From an experiment file to groups, plan, jobs and results; usable without a command line.

The names are imported when they are first used: to read an experiment file takes no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.experiment.collect import SOURCE_FILE, collect_folder, collect_plan, read_scores
    from mvlpt.experiment.plan import build_plan, check_same_folder
    from mvlpt.experiment.spec import Experiment, load_experiment

_HOMES = {
    "collect": ("SOURCE_FILE", "collect_folder", "collect_plan", "read_scores"),
    "plan": ("build_plan", "check_same_folder"),
    "spec": ("Experiment", "load_experiment"),
}

__all__ = [
    "SOURCE_FILE",
    "Experiment",
    "build_plan",
    "check_same_folder",
    "collect_folder",
    "collect_plan",
    "load_experiment",
    "read_scores",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
