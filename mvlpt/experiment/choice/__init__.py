"""What each task shares, chosen by training on folds of its few images: the method ``choose`` of a grouping."""

from mvlpt.experiment.choice.chooser import RUNS_FOLDER, RunJobs, choice_files, choose_groups

__all__ = ["RUNS_FOLDER", "RunJobs", "choice_files", "choose_groups"]
