"""From an experiment file to groups, plan, jobs and results; usable without a command line.

The names are imported when they are first used: to read an experiment file takes no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlpt.lazy import lazy_exports

if TYPE_CHECKING:
    from mvlpt.experiment.averaging import average_runs, average_states
    from mvlpt.experiment.collect import SOURCE_FILE, collect_folder, collect_plan, read_scores
    from mvlpt.experiment.events import (
        Event,
        GroupsFound,
        JobsChanged,
        JobsEnded,
        Note,
        NothingToRun,
        OptionsChosen,
        PlanReady,
    )
    from mvlpt.experiment.plan import build_plan, check_same_folder
    from mvlpt.experiment.registration import register
    from mvlpt.experiment.run import (
        ExperimentResult,
        PlanPreview,
        collect_experiment,
        preview_experiment,
        run_experiment,
    )
    from mvlpt.experiment.spec import Experiment, load_experiment

_HOMES = {
    "averaging": ("average_runs", "average_states"),
    "collect": ("SOURCE_FILE", "collect_folder", "collect_plan", "read_scores"),
    "events": (
        "Event",
        "GroupsFound",
        "JobsChanged",
        "JobsEnded",
        "Note",
        "NothingToRun",
        "OptionsChosen",
        "PlanReady",
    ),
    "plan": ("build_plan", "check_same_folder"),
    "registration": ("register",),
    "run": ("ExperimentResult", "PlanPreview", "collect_experiment", "preview_experiment", "run_experiment"),
    "spec": ("Experiment", "load_experiment"),
}

__all__ = [
    "SOURCE_FILE",
    "Event",
    "Experiment",
    "ExperimentResult",
    "GroupsFound",
    "JobsChanged",
    "JobsEnded",
    "Note",
    "NothingToRun",
    "OptionsChosen",
    "PlanPreview",
    "PlanReady",
    "average_runs",
    "average_states",
    "build_plan",
    "check_same_folder",
    "collect_experiment",
    "collect_folder",
    "collect_plan",
    "load_experiment",
    "preview_experiment",
    "read_scores",
    "register",
    "run_experiment",
]

__getattr__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
