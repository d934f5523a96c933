"""From an experiment file to a plan of jobs, and their execution."""

from mvlpt.schedule.jobs import Job, Plan, job_id
from mvlpt.schedule.planning.experiment import Experiment, load_experiment
from mvlpt.schedule.planning.plan_file import load_plan, save_plan
from mvlpt.schedule.slots import Slot

__all__ = ["Experiment", "Job", "Plan", "Slot", "job_id", "load_experiment", "load_plan", "save_plan"]
