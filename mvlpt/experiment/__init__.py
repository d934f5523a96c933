"""From an experiment file to groups, plan, jobs and results; usable without a command line."""

from mvlpt.experiment.spec import Experiment, load_experiment

__all__ = ["Experiment", "load_experiment"]
