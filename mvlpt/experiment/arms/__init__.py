"""The runs of an experiment as data: which tasks share which prompt, and from which prompt a run starts.

One function for each arm of :data:`mvlpt.arms.ARMS`; a new arm is an entry there and a function here.
"""

from mvlpt.experiment.arms import adapted, base_to_new, chosen, cross_dataset, shared, transfer  # noqa: F401 - they register their functions
from mvlpt.experiment.arms.registry import ArmSetting, planned_runs, runs_of_arm
from mvlpt.experiment.arms.runs import Run, StartPrompt, folder_name

__all__ = ["ArmSetting", "Run", "StartPrompt", "folder_name", "planned_runs", "runs_of_arm"]
