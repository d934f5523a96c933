"""From an experiment and its groups to a plan of jobs."""

from mvlpt.experiment.plan.builder import START_OPTIONS, build_plan, plan_of_runs
from mvlpt.experiment.plan.commands import STORE
from mvlpt.experiment.plan.estimates import estimated_plan
from mvlpt.experiment.plan.folder import check_folder, check_same_folder, keep_plan

__all__ = [
    "START_OPTIONS",
    "STORE",
    "build_plan",
    "check_folder",
    "check_same_folder",
    "estimated_plan",
    "keep_plan",
    "plan_of_runs",
]
