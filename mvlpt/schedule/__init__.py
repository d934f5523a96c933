"""From an experiment file to the runs it stands for, and their execution."""

from mvlpt.schedule.experiment import Experiment, RunSpec, load_experiment
from mvlpt.schedule.pool import run_specs

__all__ = ["Experiment", "RunSpec", "load_experiment", "run_specs"]
