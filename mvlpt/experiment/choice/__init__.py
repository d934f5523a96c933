"""What each task shares, chosen by training on folds of its few images: the method ``choose`` of a grouping."""

from mvlpt.experiment.choice.chooser import RUNS_FOLDER, choice_files, choice_seconds, choose_groups
from mvlpt.experiment.choice.measuring import RunJobs

__all__ = ["RUNS_FOLDER", "RunJobs", "choice_files", "choice_seconds", "choose_groups"]
